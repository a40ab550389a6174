//! The decisions of an upgrade, pure: device, image, profile, operation, run.
