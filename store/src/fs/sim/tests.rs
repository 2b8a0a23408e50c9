//! Tests of the simulated file system itself.
