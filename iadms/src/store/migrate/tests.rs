//! Older schemas with rows in them, newer ones, and steps that fail or are cut off.
