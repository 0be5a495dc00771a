//! IP headers around adverts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::{Ipv4Packet, MutableIpv4Packet};
use pnet::packet::ipv6::MutableIpv6Packet;

use super::vrrp::Rejected;

/// Protocol number of VRRP. RFC 9568 §5.1.1.4.
pub const PROTOCOL: u8 = 112;

/// What follows the IP header of an advert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The VRRP message.
    Vrrp,
    /// An authentication header, then the VRRP message. RFC 2338 §5.3.6.3.
    AuthenticationHeader,
    /// ICMPv6, of which only router solicitations are taken.
    Icmpv6,
}

impl Protocol {
    /// Its number in the IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Vrrp => PROTOCOL,
            Self::AuthenticationHeader => 51,
            Self::Icmpv6 => 58,
        }
    }
}

/// TTL or hop limit of every multicast advert, sent and demanded. RFC 9568 §5.1.1.3.
pub const HOP_LIMIT: u8 = 255;
/// All VRRP routers on the link, IPv4. RFC 9568 §5.1.1.2. keepalived: `vrrp_mcast_group4`.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// All VRRP routers on the link, IPv6. RFC 9568 §5.1.2.2. keepalived: `vrrp_mcast_group6`.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// Bytes of an IPv6 header without extensions.
pub const HEADER_V6_LEN: usize = 40;

/// Precedence of network control traffic, as keepalived sends it.
const TRAFFIC_CLASS: u8 = 0xc0;
/// Bytes of an IPv4 header without options.
pub(super) const HEADER_LEN: usize = 20;

/// A packet without its IP header, and what of that header matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Sender.
    pub source: IpAddr,
    /// Receiver or group.
    pub destination: IpAddr,
    /// TTL or hop limit on arrival.
    pub hop_limit: u8,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Takes the header off an IPv4 packet as a raw socket delivers it.
///
/// # Errors
/// [`Rejected::Truncated`] if header or total length do not fit the bytes,
/// [`Rejected::NotVrrp`] if it is not IPv4 with protocol 112.
pub fn parse_v4(bytes: &[u8]) -> Result<Packet<'_>, Rejected> {
    parse_v4_carrying(bytes, Protocol::Vrrp)
}

pub(super) fn parse_v4_carrying(bytes: &[u8], carried: Protocol) -> Result<Packet<'_>, Rejected> {
    let header = Ipv4Packet::new(bytes).ok_or(Rejected::Truncated)?;
    if header.get_version() != 4 || header.get_next_level_protocol().0 != carried.number() {
        return Err(Rejected::NotVrrp);
    }
    let start = usize::from(header.get_header_length()) * 4;
    let end = usize::from(header.get_total_length());
    if start < HEADER_LEN {
        return Err(Rejected::Truncated);
    }
    let payload = bytes.get(start..end).ok_or(Rejected::Truncated)?;
    Ok(Packet {
        source: header.get_source().into(),
        destination: header.get_destination().into(),
        hop_limit: header.get_ttl(),
        payload,
    })
}

/// Puts an IPv4 header in front of a VRRP message: TOS 0xc0, may be fragmented, own `id`.
///
/// The checksum is left to the kernel, which works it out for every raw socket.
#[must_use]
pub fn emit_v4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ttl: u8,
    id: u16,
    message: &[u8],
) -> Vec<u8> {
    emit_v4_carrying(Protocol::Vrrp, source, destination, ttl, id, message)
}

pub(super) fn emit_v4_carrying(
    carried: Protocol,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ttl: u8,
    id: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    bytes.extend_from_slice(payload);
    let total = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    if let Some(mut header) = MutableIpv4Packet::new(&mut bytes) {
        header.set_version(4);
        header.set_header_length(5);
        header.set_dscp(TRAFFIC_CLASS >> 2);
        header.set_total_length(total);
        header.set_identification(id);
        header.set_ttl(ttl);
        header.set_next_level_protocol(IpNextHeaderProtocol(carried.number()));
        header.set_source(source);
        header.set_destination(destination);
    }
    bytes
}

/// Puts an IPv6 header in front of a VRRP message: traffic class 0xc0.
///
/// What is sent with this header is sent as it stands: it must fit the link's MTU.
#[must_use]
pub fn emit_v6(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = header_v6(source, destination, hop_limit, PROTOCOL, message.len());
    if let Some(mut header) = MutableIpv6Packet::new(&mut bytes) {
        header.set_traffic_class(TRAFFIC_CLASS);
    }
    bytes.extend_from_slice(message);
    bytes
}

/// An IPv6 header with traffic class 0 for `payload_len` bytes of `next_header`.
pub(super) fn header_v6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    next_header: u8,
    payload_len: usize,
) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_V6_LEN];
    if let Some(mut header) = MutableIpv6Packet::new(&mut bytes) {
        header.set_version(6);
        header.set_payload_length(u16::try_from(payload_len).unwrap_or(u16::MAX));
        header.set_next_header(IpNextHeaderProtocol(next_header));
        header.set_hop_limit(hop_limit);
        header.set_source(source);
        header.set_destination(destination);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_emitted_parses() {
        let (source, group) = (Ipv4Addr::new(10, 0, 0, 1), GROUP_V4);
        let bytes = emit_v4(source, group, 255, 7, b"message!");
        let packet = parse_v4(&bytes).unwrap();
        assert_eq!(packet.source, IpAddr::from(source));
        assert_eq!(packet.destination, IpAddr::from(group));
        assert_eq!((packet.hop_limit, packet.payload), (255, &b"message!"[..]));
        assert_eq!(bytes.get(1), Some(&0xc0), "TOS as keepalived sends it");
        assert_eq!(bytes.get(6), Some(&0), "don't-fragment is clear");
    }

    #[test]
    fn an_ipv6_header_says_what_follows_and_how_much() {
        let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let bytes = emit_v6(source, GROUP_V6, 255, b"message!");
        assert_eq!(bytes.get(..8), Some(&[0x6c, 0, 0, 0, 0, 8, 112, 255][..]));
        assert_eq!(bytes.get(8..24), Some(&source.octets()[..]));
        assert_eq!(bytes.get(24..40), Some(&GROUP_V6.octets()[..]));
        assert_eq!(bytes.get(40..), Some(&b"message!"[..]));
    }

    #[test]
    fn ethernet_padding_is_not_payload() {
        let mut bytes = emit_v4(Ipv4Addr::LOCALHOST, GROUP_V4, 255, 1, b"12345678");
        bytes.extend_from_slice(&[0; 18]);
        assert_eq!(parse_v4(&bytes).unwrap().payload, b"12345678");
    }

    #[test]
    fn only_ipv4_that_carries_vrrp_is_taken() {
        let good = emit_v4(Ipv4Addr::LOCALHOST, GROUP_V4, 255, 1, b"message!");
        for (at, value) in [(0, 0x55), (9, 17)] {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert_eq!(parse_v4(&bytes).unwrap_err(), Rejected::NotVrrp, "{at}");
        }
    }

    #[test]
    fn options_are_skipped_and_no_header_is_shorter_than_twenty_bytes() {
        let mut bytes = emit_v4(Ipv4Addr::LOCALHOST, GROUP_V4, 255, 1, b"opt.message!");
        bytes[0] = 0x46;
        assert_eq!(parse_v4(&bytes).unwrap().payload, b"message!");
        bytes[0] = 0x44;
        assert_eq!(parse_v4(&bytes).unwrap_err(), Rejected::Truncated);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_v4(&bytes);
        }
    }
}
