//! Tests of the whole; see `end_to_end/` and `interop/`.
