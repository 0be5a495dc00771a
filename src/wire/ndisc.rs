//! Neighbour discovery: an Active Router tells the link where an IPv6 address is now, and that
//! there is a router. RFC 4861.

use std::net::Ipv6Addr;
use std::time::Duration;

use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::util;

use super::arp::Mac;
use super::ip::{HOP_LIMIT, Protocol, header_v6};

/// All nodes on the link. RFC 4291 §2.7.1.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers on the link. RFC 4291 §2.7.1.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Ethernet address of that group. RFC 2464 §7.
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];
const ETHERTYPE: [u8; 2] = [0x86, 0xdd];
/// Position of the checksum, in 16-bit words.
const CHECKSUM_WORD: usize = 1;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
const PREFIX: u8 = 3;
const MTU: u8 = 5;

const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A neighbour advertisement. RFC 4861 §4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourAdvert {
    /// The address that it is about.
    pub target: Ipv6Addr,
    /// The sender is a router (R).
    pub router: bool,
    /// It answers a solicitation (S).
    pub solicited: bool,
    /// It replaces what a neighbour has cached (O).
    pub overrides: bool,
    /// Link-layer address of the target.
    pub link_address: Option<Mac>,
}

impl NeighbourAdvert {
    /// Reads an ICMPv6 message; `None` if it is none of these. The checksum is not looked at.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let (fixed, rest) = message.split_first_chunk::<24>()?;
        if fixed[0] != NEIGHBOUR_ADVERTISEMENT || fixed[1] != 0 {
            return None;
        }
        let flags = fixed[4];
        let target = Ipv6Addr::from(*fixed.last_chunk::<16>()?);
        let link_address =
            options(rest)?.find_map(|(kind, body)| mac_in(kind, body, TARGET_LINK_ADDRESS));
        Some(Self {
            target,
            router: flags & ROUTER != 0,
            solicited: flags & SOLICITED != 0,
            overrides: flags & OVERRIDE != 0,
            link_address,
        })
    }

    /// The ICMPv6 message for an IPv6 packet between these two.
    #[must_use]
    pub fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = flag(self.router, ROUTER)
            | flag(self.solicited, SOLICITED)
            | flag(self.overrides, OVERRIDE);
        let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
        message.extend_from_slice(&self.target.octets());
        if let Some(mac) = self.link_address {
            link_address(&mut message, TARGET_LINK_ADDRESS, mac);
        }
        finish(message, source, destination)
    }
}

/// A whole Ethernet frame that tells everybody on the link that `address` is at `mac`.
///
/// RFC 9568 §6.4.1 (335): unsolicited, S clear and O set, with the target link-layer address.
/// R says that this host forwards; keepalived takes it from the interface's sysctl, too. The
/// source is the address itself, as keepalived has it.
#[must_use]
pub fn unsolicited(mac: Mac, address: Ipv6Addr, router: bool) -> Vec<u8> {
    let advert = NeighbourAdvert {
        target: address,
        router,
        solicited: false,
        overrides: true,
        link_address: Some(mac),
    };
    frame(mac, address, &advert.emit(address, ALL_NODES))
}

/// Which default router hosts are to prefer. RFC 4191 §2.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preference {
    /// Only without another one.
    Low,
    /// As routers that know no preference.
    #[default]
    Medium,
    /// Before all others.
    High,
}

impl Preference {
    const MASK: u8 = 0b0001_1000;

    const fn bits(self) -> u8 {
        match self {
            Self::Low => 0b0001_1000,
            Self::Medium => 0,
            Self::High => 0b0000_1000,
        }
    }

    /// The reserved value counts as medium.
    const fn of(flags: u8) -> Self {
        match flags & Self::MASK {
            0b0001_1000 => Self::Low,
            0b0000_1000 => Self::High,
            _ => Self::Medium,
        }
    }
}

/// A router advertisement. RFC 4861 §4.2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouterAdvert {
    /// Hop limit that hosts are to use; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses are to be had by DHCPv6 (M).
    pub managed: bool,
    /// Everything else is to be had by DHCPv6 (O).
    pub other: bool,
    /// Which default router hosts are to prefer.
    pub preference: Preference,
    /// For how long it is a default router, in whole seconds up to 65535; zero: it is none.
    pub lifetime: Duration,
    /// For how long a confirmed neighbour counts as reachable, in milliseconds; zero: not said.
    pub reachable: Duration,
    /// Time between solicitations, in milliseconds; zero: not said.
    pub retransmit: Duration,
    /// Link-layer address of the sender.
    pub link_address: Option<Mac>,
    /// MTU of the link.
    pub mtu: Option<u32>,
    /// Prefixes of the link.
    pub prefixes: Vec<Prefix>,
}

/// A prefix that a router advertises. RFC 4861 §4.6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The prefix; bits beyond its length are sent as they are.
    pub address: Ipv6Addr,
    /// Its length, 0–128.
    pub length: u8,
    /// Its addresses are reached without a router (L).
    pub on_link: bool,
    /// Hosts may make themselves an address (A).
    pub autonomous: bool,
    /// For how long it is valid, in seconds; `u32::MAX` is for ever.
    pub valid_lifetime: u32,
    /// For how long addresses from it are preferred, in seconds; `u32::MAX` is for ever.
    pub preferred_lifetime: u32,
}

impl RouterAdvert {
    /// Reads an ICMPv6 message; `None` if it is none of these. The checksum is not looked at.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let (fixed, rest) = message.split_first_chunk::<16>()?;
        if fixed[0] != ROUTER_ADVERTISEMENT || fixed[1] != 0 {
            return None;
        }
        let [.., a, b, c, d, e, f, g, h] = *fixed;
        let mut advert = Self {
            hop_limit: fixed[4],
            managed: fixed[5] & 0x80 != 0,
            other: fixed[5] & 0x40 != 0,
            preference: Preference::of(fixed[5]),
            lifetime: Duration::from_secs(u16::from_be_bytes([fixed[6], fixed[7]]).into()),
            reachable: Duration::from_millis(u32::from_be_bytes([a, b, c, d]).into()),
            retransmit: Duration::from_millis(u32::from_be_bytes([e, f, g, h]).into()),
            link_address: None,
            mtu: None,
            prefixes: Vec::new(),
        };
        for (kind, body) in options(rest)? {
            let mac = mac_in(kind, body, SOURCE_LINK_ADDRESS);
            advert.link_address = advert.link_address.or(mac);
            match (kind, body) {
                (MTU, [_, _, mtu @ ..]) => {
                    advert.mtu = mtu.first_chunk().map(|mtu| u32::from_be_bytes(*mtu));
                }
                (PREFIX, body) => advert.prefixes.extend(Prefix::parse(body)),
                _ => {}
            }
        }
        Some(advert)
    }

    /// The ICMPv6 message for an IPv6 packet between these two.
    #[must_use]
    pub fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = flag(self.managed, 0x80) | flag(self.other, 0x40) | self.preference.bits();
        let mut message = vec![ROUTER_ADVERTISEMENT, 0, 0, 0, self.hop_limit, flags];
        let lifetime = u16::try_from(self.lifetime.as_secs()).unwrap_or(u16::MAX);
        message.extend_from_slice(&lifetime.to_be_bytes());
        for time in [self.reachable, self.retransmit] {
            let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
            message.extend_from_slice(&millis.to_be_bytes());
        }
        if let Some(mac) = self.link_address {
            link_address(&mut message, SOURCE_LINK_ADDRESS, mac);
        }
        if let Some(mtu) = self.mtu {
            message.extend_from_slice(&[MTU, 1, 0, 0]);
            message.extend_from_slice(&mtu.to_be_bytes());
        }
        for prefix in &self.prefixes {
            prefix.emit(&mut message);
        }
        finish(message, source, destination)
    }

    /// A whole Ethernet frame to everybody on the link; `source` is a link-local address.
    #[must_use]
    pub fn frame(&self, mac: Mac, source: Ipv6Addr) -> Vec<u8> {
        frame(mac, source, &self.emit(source, ALL_NODES))
    }

    /// What a router says that is a default router no longer: a lifetime of zero and, as RFC 4191
    /// §2.2 has it, no preference. Prefixes live on, since addresses outlive their router.
    #[must_use]
    pub fn farewell(&self) -> Self {
        Self {
            lifetime: Duration::ZERO,
            preference: Preference::Medium,
            prefixes: Vec::new(),
            ..self.clone()
        }
    }
}

/// Whether a packet with this ICMPv6 message asks for a router advertisement. RFC 4861 §6.1.1; the
/// kernel has looked at the checksum.
#[must_use]
pub fn is_router_solicitation(source: Ipv6Addr, hop_limit: u8, message: &[u8]) -> bool {
    let Some((fixed, rest)) = message.split_first_chunk::<8>() else {
        return false;
    };
    let Some(mut options) = options(rest) else {
        return false;
    };
    let names_itself = options.any(|(kind, _)| kind == SOURCE_LINK_ADDRESS);
    let nobody = source.is_unspecified() && names_itself;
    let asks = fixed[0] == ROUTER_SOLICITATION && fixed[1] == 0;
    asks && hop_limit == HOP_LIMIT && !nobody
}

impl Prefix {
    fn parse(body: &[u8]) -> Option<Self> {
        let body: &[u8; 30] = body.try_into().ok()?;
        let [length, flags, a, b, c, d, e, f, g, h, ..] = *body;
        Some(Self {
            address: Ipv6Addr::from(*body.last_chunk::<16>()?),
            length,
            on_link: flags & 0x80 != 0,
            autonomous: flags & 0x40 != 0,
            valid_lifetime: u32::from_be_bytes([a, b, c, d]),
            preferred_lifetime: u32::from_be_bytes([e, f, g, h]),
        })
    }

    fn emit(&self, message: &mut Vec<u8>) {
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = flag(self.on_link, 0x80) | flag(self.autonomous, 0x40);
        message.extend_from_slice(&[PREFIX, 4, self.length, flags]);
        message.extend_from_slice(&self.valid_lifetime.to_be_bytes());
        message.extend_from_slice(&self.preferred_lifetime.to_be_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&self.address.octets());
    }
}

/// Kinds and bodies of all options; `None` if one is of length zero or cut short. RFC 4861 §4.6.
fn options(mut bytes: &[u8]) -> Option<impl Iterator<Item = (u8, &[u8])>> {
    let mut found = Vec::new();
    while let [kind, units, ..] = *bytes {
        let length = usize::from(units) * 8;
        let (option, rest) = bytes.split_at_checked(length)?;
        found.push((kind, option.get(2..)?));
        bytes = rest;
    }
    bytes.is_empty().then(|| found.into_iter())
}

fn mac_in(kind: u8, body: &[u8], wanted: u8) -> Option<Mac> {
    (kind == wanted).then(|| body.try_into().ok()).flatten()
}

fn link_address(message: &mut Vec<u8>, kind: u8, mac: Mac) {
    message.extend_from_slice(&[kind, 1]);
    message.extend_from_slice(&mac);
}

/// Puts the checksum in.
fn finish(mut message: Vec<u8>, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
    let protocol = IpNextHeaderProtocols::Icmpv6;
    let sum = util::ipv6_checksum(
        &message,
        CHECKSUM_WORD,
        &[],
        &source,
        &destination,
        protocol,
    );
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    message
}

fn frame(mac: Mac, source: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut frame = [ALL_NODES_MAC, mac].concat();
    frame.extend_from_slice(&ETHERTYPE);
    let header = header_v6(
        source,
        ALL_NODES,
        HOP_LIMIT,
        Protocol::Icmpv6.number(),
        message.len(),
    );
    frame.extend_from_slice(&header);
    frame.extend_from_slice(message);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 1];
    const VIP: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);

    #[test]
    fn an_unsolicited_advert_overrides_and_carries_the_link_layer_address() {
        let frame = unsolicited(MAC, VIP, true);
        assert_eq!(frame.len(), 14 + 40 + 32);
        assert_eq!(frame.get(..6), Some(&[0x33, 0x33, 0, 0, 0, 1][..]));
        assert_eq!(frame.get(14 + 7), Some(&255), "hop limit");
        let message = frame.get(54..).unwrap();
        let advert = NeighbourAdvert::parse(message).unwrap();
        let expected = NeighbourAdvert {
            target: VIP,
            router: true,
            solicited: false,
            overrides: true,
            link_address: Some(MAC),
        };
        assert_eq!(advert, expected);
        assert!(
            !NeighbourAdvert::parse(unsolicited(MAC, VIP, false).get(54..).unwrap())
                .unwrap()
                .router
        );
    }

    #[test]
    fn the_checksum_covers_the_pseudo_header() {
        let frame = unsolicited(MAC, VIP, false);
        let (header, message) = (frame.get(22..54).unwrap(), frame.get(54..).unwrap());
        let mut sum: u32 = 58 + 32;
        for pair in header.chunks(2).chain(message.chunks(2)) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "RFC 1071");
    }

    #[test]
    fn an_option_of_no_length_ends_the_reading() {
        let mut message = NeighbourAdvert::parse(unsolicited(MAC, VIP, false).get(54..).unwrap())
            .unwrap()
            .emit(VIP, ALL_NODES);
        message[25] = 0;
        assert_eq!(NeighbourAdvert::parse(&message), None);
    }

    #[test]
    fn a_solicitation_is_heeded_only_if_it_is_well_formed_and_of_this_link() {
        let host: Ipv6Addr = "fe80::5".parse().unwrap();
        let plain = [133, 0, 0, 0, 0, 0, 0, 0];
        let named = [&plain[..], &[1, 1, 2, 0, 0, 0, 0, 5]].concat();
        let empty_option = [&plain[..], &[1, 0, 2, 0, 0, 0, 0, 5]].concat();
        let asks = |source, hops, message: &[u8]| is_router_solicitation(source, hops, message);
        assert!(asks(host, 255, &plain) && asks(host, 255, &named));
        assert!(asks(Ipv6Addr::UNSPECIFIED, 255, &plain));
        assert!(!asks(Ipv6Addr::UNSPECIFIED, 255, &named));
        assert!(!asks(host, 254, &plain), "from afar");
        assert!(!asks(host, 255, &plain[..7]), "cut short");
        assert!(!asks(host, 255, &empty_option));
        assert!(
            !asks(host, 255, &[133, 1, 0, 0, 0, 0, 0, 0]),
            "another code"
        );
        assert!(
            !asks(host, 255, &[134, 0, 0, 0, 0, 0, 0, 0]),
            "another type"
        );
    }

    #[test]
    fn a_farewell_is_no_default_router_and_has_no_preference() {
        let advert = RouterAdvert {
            hop_limit: 64,
            lifetime: Duration::from_secs(600),
            preference: Preference::High,
            ..RouterAdvert::default()
        };
        let message = advert.farewell().emit(VIP, ALL_NODES);
        assert_eq!(message.get(4..8), Some(&[64, 0, 0, 0][..]));
    }

    fn prefixes() -> impl Strategy<Value = Prefix> {
        (
            any::<u128>(),
            0u8..=128,
            any::<(bool, bool)>(),
            any::<(u32, u32)>(),
        )
            .prop_map(
                |(address, length, (on_link, autonomous), lifetimes)| Prefix {
                    address: address.into(),
                    length,
                    on_link,
                    autonomous,
                    valid_lifetime: lifetimes.0,
                    preferred_lifetime: lifetimes.1,
                },
            )
    }

    proptest! {
        #[test]
        fn a_neighbour_advert_parses_as_it_was_emitted(
            target in any::<u128>(), flags in any::<(bool, bool, bool)>(), mac in any::<Option<Mac>>(),
        ) {
            let advert = NeighbourAdvert {
                target: target.into(), router: flags.0, solicited: flags.1, overrides: flags.2,
                link_address: mac,
            };
            let message = advert.emit(VIP, ALL_NODES);
            prop_assert_eq!(NeighbourAdvert::parse(&message), Some(advert));
        }

        #[test]
        fn a_router_advert_parses_as_it_was_emitted(
            hop_limit in any::<u8>(), flags in any::<(bool, bool)>(), lifetime in any::<u16>(),
            times in any::<(u32, u32)>(), mac in any::<Option<Mac>>(), mtu in any::<Option<u32>>(),
            preference in proptest::sample::select(vec![
                Preference::Low, Preference::Medium, Preference::High,
            ]),
            prefixes in proptest::collection::vec(prefixes(), 0..4),
        ) {
            let advert = RouterAdvert {
                hop_limit, managed: flags.0, other: flags.1, preference,
                lifetime: Duration::from_secs(lifetime.into()),
                reachable: Duration::from_millis(times.0.into()),
                retransmit: Duration::from_millis(times.1.into()),
                link_address: mac, mtu, prefixes,
            };
            let message = advert.emit(VIP, ALL_NODES);
            prop_assert_eq!(RouterAdvert::parse(&message), Some(advert));
        }

        #[test]
        fn any_bytes_parse_or_do_not(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..100), kind in 133u8..138,
        ) {
            if let Some(first) = bytes.first_mut() { *first = kind; }
            let _ = NeighbourAdvert::parse(&bytes);
            let _ = RouterAdvert::parse(&bytes);
        }
    }
}
