//! socktrace.
fn main() {}
