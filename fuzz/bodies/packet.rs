//! A packet from the network, for an instance that the first byte chooses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::types::{Interval, Secret, Version};
use vipd::wire::auth::{ah, hmac};
use vipd::wire::vrrp::{Authentication, Demands, Outgoing, Received, Rejected, Unproven};
use vipd::wire::{ip, ndisc, vrrp};

use super::Bytes;

const SOURCE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SOURCE_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

pub(crate) fn packet(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (Some(choice), Some(shape)) = (bytes.next(), bytes.next()) else {
        return;
    };
    let authentication = match choice >> 1 & 3 {
        0 => Authentication::None,
        1 => Authentication::Password(Secret::new(b"1234")),
        2 => Authentication::Header,
        _ => Authentication::Trailer,
    };
    let demands = Demands {
        version: if choice & 1 == 0 {
            Version::V2
        } else {
            Version::V3
        },
        authentication: &authentication,
        interval: Some(Interval::DEFAULT),
        link_local_first: false,
        check_hop_limit: choice & 8 == 0,
    };
    let proofs = shape & 1 != 0;
    let message = bytes.rest();
    if choice & 0x80 != 0 {
        over_v6(&demands, message, proofs);
    } else {
        over_v4(&demands, message, proofs);
    }
    let _ = ndisc::NeighbourAdvert::parse(message);
    let _ = ndisc::RouterAdvert::parse(message);
}

/// Without `proofs` the bytes are a whole packet; with them they are a message, to which checksum
/// and authentication are made, so that the checks behind those are reached too.
fn over_v4(demands: &Demands<'_>, bytes: &[u8], proofs: bool) {
    if !proofs {
        if let Ok(packet) = ip::parse_v4(bytes) {
            received(&packet, demands);
        }
        if let Ok((packet, header)) = ah::parse(bytes) {
            let _ = header.is_authentic(&Secret::new(b"1234"));
            received(&packet, demands);
        }
        return;
    }
    let message = summed(bytes, rfc_checksum);
    let key = Secret::new(b"1234");
    if let Authentication::Header = demands.authentication {
        let packet = ah::emit(&key, SOURCE_V4, ip::GROUP_V4, ip::HOP_LIMIT, 1, 1, &message);
        let (inner, header) = ah::parse(&packet).expect("it is one of ours");
        assert!(header.is_authentic(&key), "our own proof");
        received(&inner, demands);
        return;
    }
    let payload = signed(&message, SOURCE_V4.into(), demands);
    let packet = ip::emit_v4(SOURCE_V4, ip::GROUP_V4, ip::HOP_LIMIT, 1, &payload);
    // A length of more than 16 bits cannot be stated.
    if packet.len() <= usize::from(u16::MAX) {
        received(&ip::parse_v4(&packet).expect("it is one of ours"), demands);
    }
}

fn over_v6(demands: &Demands<'_>, bytes: &[u8], proofs: bool) {
    let payload = if proofs {
        let source = SOURCE_V6.into();
        let mut payload = signed(&summed(bytes, |_| 0), source, demands);
        vrrp::seal(&mut payload, source, ip::GROUP_V6.into());
        payload
    } else {
        bytes.to_vec()
    };
    let packet = ip::Packet {
        source: SOURCE_V6.into(),
        destination: ip::GROUP_V6.into(),
        hop_limit: ip::HOP_LIMIT,
        payload: &payload,
    };
    received(&packet, demands);
}

/// What is taken can be sent again, and is taken as the same.
fn received(packet: &ip::Packet<'_>, demands: &Demands<'_>) {
    let Ok(vrid) = vrrp::vrid(packet) else { return };
    let Ok(taken) = vrrp::receive_proven(packet, demands, |unproven| prove(unproven, demands))
    else {
        return;
    };
    let payload = vrrp::emit(&Outgoing {
        version: demands.version,
        vrid,
        priority: taken.advert.priority,
        interval: taken.advert.interval,
        addresses: &taken.addresses,
        authentication: demands.authentication,
        checksum: taken.checksum,
        source: packet.source,
        destination: packet.destination,
    });
    let again = ip::Packet {
        payload: &payload,
        ..*packet
    };
    assert_eq!(vrrp::receive(&again, demands), Ok::<Received, _>(taken));
}

fn prove(unproven: &Unproven<'_>, demands: &Demands<'_>) -> Result<(), Rejected> {
    let (Some(trailer), Authentication::Trailer) = (unproven.trailer, demands.authentication)
    else {
        return Ok(());
    };
    let trailer = hmac::Trailer::parse(trailer)?;
    let key = hmac::Key::new(&KEY).expect("32 bytes");
    trailer
        .is_authentic(&key, unproven.source, unproven.message)
        .then_some(())
        .ok_or(Rejected::ExtensionTag)
}

fn signed(message: &[u8], source: IpAddr, demands: &Demands<'_>) -> Vec<u8> {
    let mut payload = message.to_vec();
    if let Authentication::Trailer = demands.authentication {
        let key = hmac::Key::new(&KEY).expect("32 bytes");
        let id = hmac::KeyId::new(1).expect("not 0");
        let sequence = hmac::Sequence::from_bits(1);
        payload.extend_from_slice(&hmac::sign(&key, id, sequence, source, message));
    }
    payload
}

/// The message with a checksum that fits.
fn summed(message: &[u8], checksum: impl Fn(&[u8]) -> u16) -> Vec<u8> {
    let mut message = message.to_vec();
    if let Some(field) = message.get_mut(6..8) {
        field.fill(0);
        let sum = checksum(&message);
        message[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// RFC 1071.
fn rfc_checksum(message: &[u8]) -> u16 {
    let words = message
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default()));
    let sum: u64 = words.map(u64::from).sum();
    let mut folded = sum;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
    }
    !u16::try_from(folded).expect("folded to 16 bits")
}
