//! Rows per second of the files source (being written).
fn main() {}
