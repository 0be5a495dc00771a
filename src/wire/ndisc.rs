//! Neighbour discovery: an Active Router tells the link where an IPv6 address is now, and that
//! there is a router. RFC 4861.

use std::net::Ipv6Addr;
use std::time::Duration;

use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::util;

use super::arp::Mac;
use super::ip::{HOP_LIMIT, header_v6};

/// All nodes on the link. RFC 4291 §2.7.1.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Ethernet address of that group. RFC 2464 §7.
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];
const ETHERTYPE: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;
/// Position of the checksum, in 16-bit words.
const CHECKSUM_WORD: usize = 1;

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

/// A router advertisement. RFC 4861 §4.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterAdvert {
    /// Hop limit that hosts are to use; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses are to be had by DHCPv6 (M).
    pub managed: bool,
    /// Everything else is to be had by DHCPv6 (O).
    pub other: bool,
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
        let flags = flag(self.managed, 0x80) | flag(self.other, 0x40);
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
    let header = header_v6(source, ALL_NODES, HOP_LIMIT, ICMPV6, message.len());
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
            prefixes in proptest::collection::vec(prefixes(), 0..4),
        ) {
            let advert = RouterAdvert {
                hop_limit, managed: flags.0, other: flags.1,
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
