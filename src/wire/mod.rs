//! Bytes to values and back. Nothing in here keeps state.

pub mod arp;
pub mod auth;
pub mod ethernet;
pub mod ip;
pub mod ndisc;
pub mod vrrp;
