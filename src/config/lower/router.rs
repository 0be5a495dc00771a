//! Router advertisements of an instance: whether it can send them.

use std::net::IpAddr;

use super::Lowering;
use super::instance::Draft;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::types::Family;
use crate::vrrp::instance::RouterAdvertisement;

impl Lowering {
    /// What the instance is to send, if it can.
    pub(super) fn router_advertisement(&mut self, draft: &Draft) -> Option<RouterAdvertisement> {
        let (wanted, at) = self.beyond.router_advertisements.remove(&draft.name)?;
        let name = &draft.name;
        let first = draft.addresses.first().map(|(first, _)| first.address);
        let link_local = matches!(first, Some(IpAddr::V6(a)) if a.is_unicast_link_local());
        let (code, message, help) = if draft.family != Some(Family::V6) {
            (
                Code(507),
                format!("`{name}` cannot have `router_advertisement`: IPv4 has none"),
                "take it out, or write it in an instance with IPv6 addresses",
            )
        } else if !link_local {
            (
                Code(509),
                format!("`{name}` has no link-local address to send router advertisements from"),
                "put an address such as `fe80::1:2/64` in front, the same on all its routers",
            )
        } else {
            return Some(wanted);
        };
        self.push(
            Diagnostic::new(Severity::Error, code, Class::General, message)
                .label(at, "")
                .help(help),
        );
        None
    }
}
