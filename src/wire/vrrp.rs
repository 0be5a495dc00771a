//! VRRP messages, version 2 (RFC 3768) and 3 (RFC 9568), over IPv4 and IPv6.
//!
//! No RFC has version 2 over IPv6. keepalived has: version 2's header and interval, addresses of
//! IPv6, version 3's checksum, and no authentication data.

mod emit;
mod receive;
mod rejected;

use std::net::IpAddr;

use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::util;

pub use emit::{Outgoing, emit, seal};
pub use receive::{Demands, Received, Unproven, receive, receive_proven, version, vrid};
pub use rejected::Rejected;

use super::auth::ah;
use super::auth::hmac::TRAILER_LEN;
use super::ip::{self, GROUP_V4, PROTOCOL};
use crate::types::{Family, Interval, Priority, Secret, Version};

const TYPE_ADVERTISEMENT: u8 = 1;
const FIXED_LEN: usize = 8;
const IPV4_LEN: usize = 4;
const IPV6_LEN: usize = 16;
const AUTHENTICATION_LEN: usize = 8;
/// Position of the checksum, in 16-bit words.
const CHECKSUM_WORD: usize = 3;

/// How adverts prove where they come from. The first three are VRRPv2's (RFC 2338 §5.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Type 0: eight zero bytes.
    None,
    /// Type 1: a password in clear text; the first eight bytes count.
    Password(Secret),
    /// Type 2: eight zero bytes; the proof is a header before the message.
    Header,
    /// A trailer after the message, in both versions. It may be missing: see [`Unproven`].
    Trailer,
}

impl Authentication {
    const fn kind(&self) -> u8 {
        match self {
            Self::None | Self::Trailer => 0,
            Self::Password(_) => 1,
            Self::Header => 2,
        }
    }

    fn data(&self) -> [u8; AUTHENTICATION_LEN] {
        let mut data = [0; AUTHENTICATION_LEN];
        if let Self::Password(secret) = self {
            data.iter_mut()
                .zip(secret.expose())
                .for_each(|(to, from)| *to = *from);
        }
        data
    }
}

/// What the checksum of a message covers. Only VRRPv3 over IPv4 leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChecksumForm {
    /// The message alone: RFC 9568 §5.2.8, and every VRRPv2 message over IPv4.
    Message,
    /// The message and a pseudo-header: keepalived's default, and every message over IPv6.
    PseudoHeader,
    /// The message and a pseudo-header to 224.0.0.18, in a packet to a peer: keepalived's before
    /// 1.3.6, and `old_unicast_checksum`.
    GroupPseudoHeader,
}

impl ChecksumForm {
    /// For an operator: what it covers.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Message => "without pseudo-header",
            Self::PseudoHeader => "with pseudo-header",
            Self::GroupPseudoHeader => "with the group's pseudo-header",
        }
    }
}

/// What an advert says to the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advert {
    /// Primary address of the sender.
    pub source: IpAddr,
    /// Its priority; 0 when it steps down.
    pub priority: Priority,
    /// Its interval.
    pub interval: Interval,
    /// The version that it came in.
    pub version: Version,
}

/// Bytes of a message with `count` addresses.
const fn length(version: Version, family: Family, count: usize) -> usize {
    let authentication = match (version, family) {
        (Version::V2, Family::V4) => AUTHENTICATION_LEN,
        (Version::V2, Family::V6) | (Version::V3, Family::V4 | Family::V6) => 0,
    };
    let address = match family {
        Family::V4 => IPV4_LEN,
        Family::V6 => IPV6_LEN,
    };
    FIXED_LEN + count * address + authentication
}

fn checksum(message: &[u8], form: ChecksumForm, source: IpAddr, destination: IpAddr) -> u16 {
    let protocol = IpNextHeaderProtocol(PROTOCOL);
    match (form, source, destination) {
        (ChecksumForm::PseudoHeader, IpAddr::V4(source), IpAddr::V4(destination)) => {
            util::ipv4_checksum(message, CHECKSUM_WORD, &[], &source, &destination, protocol)
        }
        (ChecksumForm::PseudoHeader, IpAddr::V6(source), IpAddr::V6(destination)) => {
            util::ipv6_checksum(message, CHECKSUM_WORD, &[], &source, &destination, protocol)
        }
        (ChecksumForm::GroupPseudoHeader, IpAddr::V4(source), _) => {
            util::ipv4_checksum(message, CHECKSUM_WORD, &[], &source, &GROUP_V4, protocol)
        }
        (ChecksumForm::Message, _, _)
        | (ChecksumForm::PseudoHeader, _, _)
        | (ChecksumForm::GroupPseudoHeader, _, _) => util::checksum(message, CHECKSUM_WORD),
    }
}

/// How many addresses an advert can carry in one packet of `mtu` bytes, at most 255.
#[must_use]
pub fn most_addresses(
    mtu: u32,
    version: Version,
    family: Family,
    authentication: &Authentication,
) -> usize {
    let around = match authentication {
        Authentication::None | Authentication::Password(_) => 0,
        Authentication::Header => ah::HEADER_LEN,
        Authentication::Trailer => TRAILER_LEN,
    };
    let (header, address) = match family {
        Family::V4 => (ip::HEADER_LEN, IPV4_LEN),
        Family::V6 => (ip::HEADER_V6_LEN, IPV6_LEN),
    };
    let mtu = usize::try_from(mtu).unwrap_or(usize::MAX);
    let room = mtu.saturating_sub(header + length(version, family, 0) + around);
    (room / address).min(usize::from(u8::MAX))
}

#[cfg(test)]
mod tests;
