//! The IP Authentication Header before a VRRPv2 message, as keepalived sends it.
//!
//! RFC 2338 §5.3.6.3, RFC 2402 with HMAC-MD5-96 (RFC 2403). The SPI is the sender's address.
//! keepalived takes the TTL of a multicast packet as unchangeable, that of a unicast packet not.

use std::net::{IpAddr, Ipv4Addr};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use crate::types::Secret;
use crate::wire::ip::{self, Packet, Protocol};
use crate::wire::vrrp::Rejected;

/// Bytes of the header: twelve, and twelve of check value.
pub const HEADER_LEN: usize = 24;

const IP_HEADER_LEN: usize = 20;
const FIXED_LEN: usize = HEADER_LEN - CHECK_LEN;
const CHECK_LEN: usize = 12;
/// The header's own length as it stands in it: in 32-bit words, without the first two.
const LENGTH_FIELD: u8 = 4;
/// Bytes of the IPv4 header that routers may change, and that keepalived counts among them.
const MUTABLE: [usize; 5] = [1, 6, 7, 10, 11];
const TTL: usize = 8;

/// An authentication header that was found, and is not verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Grows with every advert of a virtual router.
    pub sequence: u32,
    source: IpAddr,
    multicast: bool,
    ip_header: &'a [u8; IP_HEADER_LEN],
    fixed: &'a [u8; FIXED_LEN],
    check: &'a [u8; CHECK_LEN],
    message: &'a [u8],
}

impl Header<'_> {
    /// Whether the header names its sender and was made with `key`.
    #[must_use]
    pub fn is_authentic(&self, key: &Secret) -> bool {
        let spi = self.fixed.get(4..8).and_then(<[u8]>::first_chunk::<4>);
        let names_sender = spi.is_some_and(|spi| IpAddr::from(*spi) == self.source);
        let check = check(
            key,
            self.ip_header,
            self.fixed,
            self.message,
            self.multicast,
        );
        names_sender && check.verify_truncated_left(self.check).is_ok()
    }
}

/// Takes IP and authentication header off a packet as a raw socket delivers it.
///
/// # Errors
/// [`Rejected::Truncated`] if a header does not fit, [`Rejected::NotVrrp`] if it carries anything
/// else than VRRP.
pub fn parse(bytes: &[u8]) -> Result<(Packet<'_>, Header<'_>), Rejected> {
    let outer = ip::parse_v4_carrying(bytes, Protocol::AuthenticationHeader)?;
    let (ip_header, _) = bytes.split_first_chunk().ok_or(Rejected::Truncated)?;
    let (fixed, rest) = outer
        .payload
        .split_first_chunk::<FIXED_LEN>()
        .ok_or(Rejected::Truncated)?;
    let (check, message) = rest.split_first_chunk().ok_or(Rejected::Truncated)?;
    let [next, length, _, _, _, _, _, _, a, b, c, d] = *fixed;
    if next != Protocol::Vrrp.number() {
        return Err(Rejected::NotVrrp);
    }
    if length != LENGTH_FIELD {
        return Err(Rejected::Length);
    }
    let packet = Packet {
        payload: message,
        ..outer
    };
    let header = Header {
        sequence: u32::from_be_bytes([a, b, c, d]),
        source: outer.source,
        multicast: outer.destination.is_multicast(),
        ip_header,
        fixed,
        check,
        message,
    };
    Ok((packet, header))
}

/// An IPv4 packet with an authentication header before `message`.
#[must_use]
pub fn emit(
    key: &Secret,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ttl: u8,
    id: u16,
    sequence: u32,
    message: &[u8],
) -> Vec<u8> {
    let mut fixed = [0; FIXED_LEN];
    let fields = [
        [Protocol::Vrrp.number(), LENGTH_FIELD, 0, 0],
        source.octets(),
    ];
    let words = fields.into_iter().chain([sequence.to_be_bytes()]);
    fixed
        .iter_mut()
        .zip(words.flatten())
        .for_each(|(to, from)| *to = from);
    let mut payload = fixed.to_vec();
    payload.extend_from_slice(&[0; CHECK_LEN]);
    payload.extend_from_slice(message);
    let carried = Protocol::AuthenticationHeader;
    let mut bytes = ip::emit_v4_carrying(carried, source, destination, ttl, id, &payload);
    let tag = bytes.first_chunk().map(|ip_header| {
        check(key, ip_header, &fixed, message, destination.is_multicast())
            .finalize()
            .into_bytes()
    });
    let place = bytes.get_mut(IP_HEADER_LEN + FIXED_LEN..IP_HEADER_LEN + HEADER_LEN);
    if let (Some(place), Some(tag)) = (place, tag) {
        place.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
    }
    bytes
}

fn check(
    key: &Secret,
    ip_header: &[u8; IP_HEADER_LEN],
    fixed: &[u8; FIXED_LEN],
    message: &[u8],
    multicast: bool,
) -> Hmac<Md5> {
    let mut immutable = *ip_header;
    let ttl = (!multicast).then_some(TTL);
    for at in MUTABLE.into_iter().chain(ttl) {
        if let Some(byte) = immutable.get_mut(at) {
            *byte = 0;
        }
    }
    let mut mac =
        Hmac::<Md5>::new_from_slice(key.expose()).expect("HMAC takes keys of every length");
    mac.update(&immutable);
    mac.update(fixed);
    mac.update(&[0; CHECK_LEN]);
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What keepalived 2.2.7 sent for `auth_pass secret12` by multicast.
    const MULTICAST: &str = "45c0004400040000ff331907c0a80101e000001270040000c0a8010100000004\
        d6a2fbacc809fdb31705e0672133ff02020159aec0a80164c0a801650000000000000000";
    /// What it sent for `auth_pass abc` to a unicast peer.
    const UNICAST: &str = "45c00040000200004033f674c0a80101c0a8010370040000c0a8010100000002\
        c0f9705dc022d24746e4beea2133ff0102011bbdc0a801640000000000000000";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    fn without_ip_checksum(mut packet: Vec<u8>) -> Vec<u8> {
        packet[10..12].fill(0);
        packet
    }

    #[test]
    fn it_is_keepaliveds_to_the_byte() {
        for (hex, key, destination, ttl, id) in [
            (MULTICAST, "secret12", [224, 0, 0, 18], 255, 4),
            (UNICAST, "abc", [192, 168, 1, 3], 64, 2),
        ] {
            let (captured, key) = (bytes(hex), Secret::new(key.as_bytes()));
            let (packet, header) = parse(&captured).unwrap();
            assert!(header.is_authentic(&key));
            assert_eq!(header.sequence, u32::from(id));
            assert_eq!(crate::wire::vrrp::vrid(&packet).unwrap().get(), 51);
            let source = [192, 168, 1, 1].into();
            let sent = emit(
                &key,
                source,
                destination.into(),
                ttl,
                id,
                header.sequence,
                packet.payload,
            );
            assert_eq!(sent, without_ip_checksum(captured));
        }
    }

    #[test]
    fn routers_may_change_what_they_may() {
        let key = Secret::new(b"abc");
        let mut routed = bytes(UNICAST);
        routed[1] = 0;
        routed[8] = 60;
        routed[10..12].fill(7);
        assert!(parse(&routed).unwrap().1.is_authentic(&key));
    }

    #[test]
    fn every_other_bit_counts() {
        let key = Secret::new(b"secret12");
        let good = bytes(MULTICAST);
        let free = [1, 6, 7, 10, 11];
        for bit in (0..good.len() * 8).filter(|bit| !free.contains(&(bit / 8))) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let taken = parse(&bad).is_ok_and(|(_, header)| header.is_authentic(&key));
            assert!(!taken, "byte {} bit {}", bit / 8, bit % 8);
        }
        let (_, header) = parse(&good).unwrap();
        assert!(!header.is_authentic(&Secret::new(b"secret13")));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok((_, header)) = parse(&bytes) {
                prop_assert!(!header.is_authentic(&Secret::new(b"key")));
            }
        }
    }
}
