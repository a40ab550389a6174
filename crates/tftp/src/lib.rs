//! TFTP, pure: packets, options, sender, receiver.
