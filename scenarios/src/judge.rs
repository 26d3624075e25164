//! Compares what was seen with what had to happen.
