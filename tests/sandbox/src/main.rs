//! box
fn main() {}
