//! Databases and control files that are not what they were.
