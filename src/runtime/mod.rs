//! The running daemon: the only place that knows everyone.

mod authenticator;
pub mod clock;
pub mod command;
pub mod daemon;
pub mod driver;
pub mod executor;
mod launch;
pub mod links;
mod member;
mod notifier;
mod pool;
mod reload;
mod scripts;
