//! app.
fn main() {}
