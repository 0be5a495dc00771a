//! vipd keeps virtual IP addresses alive on pairs and groups of Linux hosts.
//!
//! It reads `keepalived.conf`, speaks VRRP (RFC 9568 and the older RFC 3768) and moves addresses
//! between hosts. The protocol is pure ([`vrrp`]): events and the time go in, effects come out.
//! [`wire`] turns bytes into values, [`config`] files into a [`config::model::Config`], [`sys`]
//! talks to the kernel, and [`runtime`] alone knows all of them.

pub mod config;
pub mod control;
pub mod lab;
pub mod link;
pub mod runtime;
pub mod sys;
pub mod types;
pub mod vrrp;
pub mod wire;
