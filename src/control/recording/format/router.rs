//! What a router advertises, as it stands in a recording.

use std::net::Ipv6Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::values::nanos;
use crate::vrrp::instance::RouterAdvertisement;
use crate::wire::arp::Mac;
use crate::wire::ndisc::{self, Preference, RouterAdvert};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Router {
    interval_ns: u64,
    hop_limit: u8,
    managed: bool,
    other: bool,
    preference: Rank,
    lifetime_ns: u64,
    reachable_ns: u64,
    retransmit_ns: u64,
    link_address: Option<Mac>,
    mtu: Option<u32>,
    prefixes: Vec<Prefix>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rank {
    Low,
    Medium,
    High,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prefix {
    address: Ipv6Addr,
    length: u8,
    on_link: bool,
    autonomous: bool,
    valid: u32,
    preferred: u32,
}

impl From<&RouterAdvertisement> for Router {
    fn from(wanted: &RouterAdvertisement) -> Self {
        let RouterAdvertisement { interval, content } = wanted;
        let RouterAdvert {
            hop_limit,
            managed,
            other,
            preference,
            lifetime,
            reachable,
            retransmit,
            link_address,
            mtu,
            prefixes,
        } = content;
        Self {
            interval_ns: nanos(*interval),
            hop_limit: *hop_limit,
            managed: *managed,
            other: *other,
            preference: match preference {
                Preference::Low => Rank::Low,
                Preference::Medium => Rank::Medium,
                Preference::High => Rank::High,
            },
            lifetime_ns: nanos(*lifetime),
            reachable_ns: nanos(*reachable),
            retransmit_ns: nanos(*retransmit),
            link_address: *link_address,
            mtu: *mtu,
            prefixes: prefixes.iter().map(Prefix::from).collect(),
        }
    }
}

impl From<&ndisc::Prefix> for Prefix {
    fn from(prefix: &ndisc::Prefix) -> Self {
        let ndisc::Prefix {
            address,
            length,
            on_link,
            autonomous,
            valid_lifetime,
            preferred_lifetime,
        } = prefix;
        Self {
            address: *address,
            length: *length,
            on_link: *on_link,
            autonomous: *autonomous,
            valid: *valid_lifetime,
            preferred: *preferred_lifetime,
        }
    }
}

impl From<Router> for RouterAdvertisement {
    fn from(router: Router) -> Self {
        let prefix = |prefix: Prefix| ndisc::Prefix {
            address: prefix.address,
            length: prefix.length,
            on_link: prefix.on_link,
            autonomous: prefix.autonomous,
            valid_lifetime: prefix.valid,
            preferred_lifetime: prefix.preferred,
        };
        Self {
            interval: Duration::from_nanos(router.interval_ns),
            content: RouterAdvert {
                hop_limit: router.hop_limit,
                managed: router.managed,
                other: router.other,
                preference: match router.preference {
                    Rank::Low => Preference::Low,
                    Rank::Medium => Preference::Medium,
                    Rank::High => Preference::High,
                },
                lifetime: Duration::from_nanos(router.lifetime_ns),
                reachable: Duration::from_nanos(router.reachable_ns),
                retransmit: Duration::from_nanos(router.retransmit_ns),
                link_address: router.link_address,
                mtu: router.mtu,
                prefixes: router.prefixes.into_iter().map(prefix).collect(),
            },
        }
    }
}
