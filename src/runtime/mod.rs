//! The running daemon: the only place that knows everyone.

pub mod clock;
pub mod driver;
pub mod executor;
pub mod links;
mod member;
