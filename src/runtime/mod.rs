//! The running daemon: the only place that knows everyone.

mod authenticator;
mod breath;
pub mod clock;
pub mod command;
pub mod daemon;
mod devices;
pub mod driver;
pub mod executor;
mod filter;
mod keeper;
mod launch;
pub mod links;
mod member;
mod memory;
mod notifier;
mod pool;
mod proof;
mod recorder;
mod reload;
mod scripts;
