//! Bytes to values and back. Nothing in here keeps state.

pub mod arp;
pub mod ip;
pub mod ndisc;
pub mod vrrp;
