//! `vipd`: flags, exit statuses and the rendering of diagnostics.

mod cli;

fn main() {}
