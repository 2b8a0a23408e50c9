//! One test binary: every promise has a file here.
