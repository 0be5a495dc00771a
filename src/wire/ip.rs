//! IP headers around adverts.

use std::net::{IpAddr, Ipv4Addr};

use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::{Ipv4Packet, MutableIpv4Packet};

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
}

impl Protocol {
    /// Its number in the IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Vrrp => PROTOCOL,
            Self::AuthenticationHeader => 51,
        }
    }
}

/// TTL or hop limit of every multicast advert, sent and demanded. RFC 9568 §5.1.1.3.
pub const HOP_LIMIT: u8 = 255;
/// All VRRP routers on the link, IPv4. RFC 9568 §5.1.1.2. keepalived: `vrrp_mcast_group4`.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// Precedence of network control traffic, as keepalived sends it.
const TRAFFIC_CLASS: u8 = 0xc0;
const HEADER_LEN: usize = 20;

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
    fn ethernet_padding_is_not_payload() {
        let mut bytes = emit_v4(Ipv4Addr::LOCALHOST, GROUP_V4, 255, 1, b"12345678");
        bytes.extend_from_slice(&[0; 18]);
        assert_eq!(parse_v4(&bytes).unwrap().payload, b"12345678");
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_v4(&bytes);
        }
    }
}
