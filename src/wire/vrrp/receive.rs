//! Receive checks. RFC 9568 §7.1, RFC 3768 §7.1.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ctutils::CtEq;

use super::{
    AUTHENTICATION_LEN, Advert, Authentication, ChecksumForm, FIXED_LEN, IPV4_LEN, IPV6_LEN,
    Rejected, TYPE_ADVERTISEMENT, checksum, length,
};
use crate::types::{Family, Interval, Priority, Version, Vrid};
use crate::wire::auth::hmac::{EXTENSION_TYPE, TRAILER_LEN};
use crate::wire::ip::{HOP_LIMIT, Packet};

/// An advert that passed every check, with what is only compared and reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// For the election.
    pub advert: Advert,
    /// The addresses it lists.
    pub addresses: Vec<IpAddr>,
    /// The form of its checksum.
    pub checksum: ChecksumForm,
}

impl Received {
    /// Over IPv6 the first address is to be link-local. RFC 9568 §5.2.9, §7.1.
    ///
    /// keepalived takes adverts without it, so this is for the caller to judge.
    #[must_use]
    pub fn lists_link_local_first(&self) -> bool {
        match self.addresses.first() {
            Some(IpAddr::V6(first)) => first.is_unicast_link_local(),
            Some(IpAddr::V4(_)) | None => true,
        }
    }
}

/// What the receiving instance demands. RFC 9568 §7.1, RFC 3768 §7.1.
#[derive(Debug, Clone)]
pub struct Demands<'a> {
    /// Version spoken.
    pub version: Version,
    /// VRRPv2 authentication.
    pub authentication: &'a Authentication,
    /// VRRPv2 adverts must carry this interval; any if `None`.
    pub interval: Option<Interval>,
    /// Over IPv6 the first address must be link-local. RFC 9568 §7.1; keepalived: never.
    pub link_local_first: bool,
    /// TTL must be 255: multicast always, unicast only when asked for.
    pub check_hop_limit: bool,
}

/// The VRID of a packet that may be an advert; the rest is not looked at yet.
///
/// # Errors
/// [`Rejected::Truncated`] if there is no fixed part, [`Rejected::UnknownVrid`] for 0.
pub fn vrid(packet: &Packet<'_>) -> Result<Vrid, Rejected> {
    let fixed = fixed_part(packet.payload)?;
    Vrid::new(fixed[1]).ok_or(Rejected::UnknownVrid)
}

/// The version that a packet says it is of: 2 if it says so, else 3, for the checks to judge.
#[must_use]
pub fn version(packet: &Packet<'_>) -> Version {
    match packet.payload.first().map(|first| first >> 4) {
        Some(2) => Version::V2,
        Some(_) | None => Version::V3,
    }
}

/// What an advert has to prove its origin, before anything else of it is believed.
#[derive(Debug, Clone, Copy)]
pub struct Unproven<'a> {
    /// Sender.
    pub source: IpAddr,
    /// The message without trailer.
    pub message: &'a [u8],
    /// The trailer, if there is one.
    pub trailer: Option<&'a [u8]>,
}

/// Applies every receive check of the instance's version that needs no memory.
///
/// # Errors
/// The first check that fails.
pub fn receive(packet: &Packet<'_>, demands: &Demands<'_>) -> Result<Received, Rejected> {
    receive_proven(packet, demands, |_| Ok(()))
}

/// Applies every receive check of the instance's version; `prove` is the one with a memory.
///
/// # Errors
/// The first check that fails, in keepalived's order but for the version, which comes before the
/// length that depends on it.
pub fn receive_proven(
    packet: &Packet<'_>,
    demands: &Demands<'_>,
    prove: impl FnOnce(&Unproven<'_>) -> Result<(), Rejected>,
) -> Result<Received, Rejected> {
    let fixed = fixed_part(packet.payload)?;
    if demands.check_hop_limit && packet.hop_limit != HOP_LIMIT {
        return Err(Rejected::HopLimit);
    }
    if fixed[0] >> 4 != demands.version.number() {
        return Err(Rejected::Version);
    }
    let family = Family::of(&packet.source);
    let (message, trailer) = split_trailer(packet.payload, fixed, family, demands)?;
    prove(&Unproven {
        source: packet.source,
        message,
        trailer,
    })?;
    if fixed[0] & 0x0f != TYPE_ADVERTISEMENT {
        return Err(Rejected::Type);
    }
    let count = usize::from(fixed[3]);
    // Over IPv6 the checksum is that of any transport: over everything that was sent.
    let packet = &Packet {
        payload: match family {
            Family::V4 => message,
            Family::V6 => packet.payload,
        },
        ..*packet
    };
    let checksum = checksum_form(packet, demands.version).ok_or(Rejected::Checksum)?;
    if demands.version == Version::V2 && family == Family::V4 {
        authenticate(message, fixed[4], demands.authentication)?;
    }
    // RFC 3768 demands no address; keepalived's v2 instances may have none.
    if count == 0 && demands.version == Version::V3 {
        return Err(Rejected::NoAddresses);
    }
    let interval = match demands.version {
        Version::V2 => {
            Interval::from_secs(fixed[5]).filter(|i| demands.interval.is_none_or(|ours| ours == *i))
        }
        Version::V3 => Interval::from_centis(u16::from_be_bytes([fixed[4] & 0x0f, fixed[5]])),
    };
    let advert = Advert {
        source: packet.source,
        priority: Priority::new(fixed[2]),
        interval: interval.ok_or(Rejected::Interval)?,
        version: demands.version,
    };
    let received = Received {
        advert,
        addresses: addresses(message, family, count),
        checksum,
    };
    if demands.link_local_first && !received.lists_link_local_first() {
        return Err(Rejected::FirstAddress);
    }
    Ok(received)
}

/// Cuts a payload where the message must end.
fn split_trailer<'a>(
    payload: &'a [u8],
    fixed: &[u8; FIXED_LEN],
    family: Family,
    demands: &Demands<'_>,
) -> Result<(&'a [u8], Option<&'a [u8]>), Rejected> {
    let length = length(demands.version, family, fixed[3].into());
    let (message, rest) = payload.split_at_checked(length).ok_or(Rejected::Length)?;
    match (rest.len(), demands.authentication) {
        (0, _) => Ok((message, None)),
        (TRAILER_LEN, Authentication::Trailer) => Ok((message, Some(rest))),
        (TRAILER_LEN, _) if rest.first() == Some(&EXTENSION_TYPE) => {
            Err(Rejected::ExtensionUnexpected)
        }
        (_, _) => Err(Rejected::Length),
    }
}

fn fixed_part(message: &[u8]) -> Result<&[u8; FIXED_LEN], Rejected> {
    message.first_chunk().ok_or(Rejected::Truncated)
}

fn addresses(message: &[u8], family: Family, count: usize) -> Vec<IpAddr> {
    let list = message.get(FIXED_LEN..).unwrap_or_default();
    match family {
        Family::V4 => {
            let (chunks, _) = list.as_chunks::<IPV4_LEN>();
            let address = |octets: &[u8; IPV4_LEN]| Ipv4Addr::from(*octets).into();
            chunks.iter().take(count).map(address).collect()
        }
        Family::V6 => {
            let (chunks, _) = list.as_chunks::<IPV6_LEN>();
            let address = |octets: &[u8; IPV6_LEN]| Ipv6Addr::from(*octets).into();
            chunks.iter().take(count).map(address).collect()
        }
    }
}

fn authenticate(message: &[u8], kind: u8, ours: &Authentication) -> Result<(), Rejected> {
    if kind > 2 {
        return Err(Rejected::AuthTypeUnknown);
    }
    if kind != ours.kind() {
        return Err(Rejected::AuthTypeMismatch);
    }
    match ours {
        Authentication::None | Authentication::Header | Authentication::Trailer => Ok(()),
        Authentication::Password(_) => {
            let theirs: &[u8; AUTHENTICATION_LEN] =
                message.last_chunk().ok_or(Rejected::Truncated)?;
            let fits = theirs.ct_eq(&ours.data()).to_bool();
            fits.then_some(()).ok_or(Rejected::AuthFailure)
        }
    }
}

/// The form in which the checksum is right, if it is right at all.
fn checksum_form(packet: &Packet<'_>, version: Version) -> Option<ChecksumForm> {
    let message = packet.payload;
    let stated = u16::from_be_bytes(*message.get(6..8)?.first_chunk()?);
    let forms: &[ChecksumForm] = match (version, packet.source) {
        (Version::V2 | Version::V3, IpAddr::V6(_)) => &[ChecksumForm::PseudoHeader],
        (Version::V2, IpAddr::V4(_)) => &[ChecksumForm::Message],
        (Version::V3, IpAddr::V4(_)) if packet.destination.is_multicast() => {
            &[ChecksumForm::Message, ChecksumForm::PseudoHeader]
        }
        (Version::V3, IpAddr::V4(_)) => &[
            ChecksumForm::Message,
            ChecksumForm::PseudoHeader,
            ChecksumForm::GroupPseudoHeader,
        ],
    };
    let right = |form: &&ChecksumForm| {
        checksum(message, **form, packet.source, packet.destination) == stated
    };
    forms.iter().find(right).copied()
}
