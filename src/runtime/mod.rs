//! The running daemon: the only place that knows everyone.

mod appointment;
mod authenticator;
mod breath;
pub mod clock;
pub mod command;
pub mod daemon;
mod devices;
pub mod driver;
mod errand;
pub mod executor;
mod filter;
mod keeper;
mod launch;
pub mod links;
mod member;
mod memory;
mod names;
mod notifier;
mod orders;
mod peers;
mod pool;
mod precedence;
mod proof;
mod reload;
mod scripts;
mod signals;
pub mod transaction;
