//! A network of hosts that run the real core: simulated packets, time, kernels and accidents.
//!
//! A [`scenario::Scenario`] is a seed's hosts and a list of accidents with their times. What
//! happens to a packet is worked out from the seed and the packet alone, never from the accidents,
//! so that one accident can be left out and all the rest stays as it was: that is how a failing
//! seed [shrinks](shrink).
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test may panic, and says why; two test programs use a part of it each"
)]

pub mod network;
pub mod node;
pub mod oracle;
pub mod scenario;
pub mod shrink;
