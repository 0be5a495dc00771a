//! Ipvlan devices.

use std::net::IpAddr;

use crate::types::InterfaceName;

/// A device for adverts with the MAC address of the interface below and an address of its own.
/// The virtual addresses stay on the interface. keepalived: `use_ipvlan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ipvlan {
    /// Name of the device; made from [`Globals::device_prefix`](super::Globals::device_prefix)
    /// and the VRID when `None`.
    pub device: Option<InterfaceName>,
    /// Its address with the length of the prefix: the source of adverts unless another one is
    /// configured. Over IPv4 there has to be one; over IPv6 it is the link-local one when `None`.
    pub address: Option<(IpAddr, u8)>,
    /// How devices on one interface see each other.
    pub mode: IpvlanMode,
    /// Interface group, by number or name; that of the interface below when `None`.
    pub group: Option<String>,
}

/// How ipvlan devices on one interface see each other: it is the same for all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum IpvlanMode {
    /// They reach each other on the host. keepalived: `bridge`.
    #[default]
    Bridge,
    /// They do not reach each other. keepalived: `private`.
    Private,
    /// They reach each other by a switch that sends packets back. keepalived: `vepa`.
    Vepa,
}
