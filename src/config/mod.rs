//! From files to a [`model::Config`]: source → lex → expand → parse → lower.

pub mod diagnostic;
pub mod diff;
pub mod model;
pub mod peers;
pub mod source;
