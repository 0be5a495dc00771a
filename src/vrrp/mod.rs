//! The protocol without input or output: events and the time go in, effects come out.
//!
//! No socket, clock, randomness or `async` in here, so an hour of failover runs in a
//! millisecond of test.

pub mod election;
pub mod group;
pub mod instance;
pub mod router;
pub mod track;
