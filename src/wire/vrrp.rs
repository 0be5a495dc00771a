//! VRRP messages, version 2 (RFC 3768) and 3 (RFC 9568), over IPv4 and IPv6.
//!
//! No RFC has version 2 over IPv6. keepalived has: version 2's header and interval, addresses of
//! IPv6, version 3's checksum, and no authentication data.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ctutils::CtEq;
use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::util;

use super::auth::ah;
use super::auth::hmac::{EXTENSION_TYPE, TRAILER_LEN};
use super::ip::{self, GROUP_V4, HOP_LIMIT, PROTOCOL, Packet};
use crate::types::{Family, Interval, Priority, Secret, Version, Vrid};

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

/// Why a packet was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejected {
    /// Not IPv4, or another protocol.
    NotVrrp,
    /// Shorter than its headers say.
    Truncated,
    /// Longer or shorter than its address count says.
    Length,
    /// TTL or hop limit is not 255. RFC 9568 §5.1.1.3, §5.1.2.3.
    HopLimit,
    /// Version differs from the instance's.
    Version,
    /// Type is not 1. RFC 9568 §5.2.2.
    Type,
    /// Checksum does not fit. RFC 9568 §7.1.
    Checksum,
    /// No addresses. RFC 9568 §5.2.5.
    NoAddresses,
    /// Interval is zero (v3), or differs from ours (v2). RFC 9568 §7.1, RFC 3768 §7.1.
    Interval,
    /// Authentication type that no RFC knows.
    AuthTypeUnknown,
    /// Authentication type is not the instance's.
    AuthTypeMismatch,
    /// Password or digest is wrong.
    AuthFailure,
    /// Sequence number of an authentication header was used before.
    AuthReplay,
    /// There is no trailer, and one is demanded.
    ExtensionMissing,
    /// There is a trailer, and no key to verify it with.
    ExtensionUnexpected,
    /// Type or reserved bits of the trailer are unknown.
    ExtensionMalformed,
    /// The trailer was made with a key that we do not have.
    ExtensionUnknownKey,
    /// The trailer does not fit the message.
    ExtensionTag,
    /// The trailer's time is too far from ours.
    ExtensionStale,
    /// The trailer was seen before, or a later one was.
    ExtensionReplay,
    /// Multicast where unicast is configured, or the other way round.
    Destination,
    /// Not from one of the configured peers.
    Source,
    /// TTL or hop limit is not what the peer's may be.
    PeerHopLimit,
    /// No instance has this VRID on this interface.
    UnknownVrid,
    /// Sent by this host.
    OwnPacket,
}

impl Rejected {
    /// All reasons, in the order of the checks.
    pub const ALL: [Self; 25] = [
        Self::NotVrrp,
        Self::Truncated,
        Self::Length,
        Self::HopLimit,
        Self::Version,
        Self::Type,
        Self::Checksum,
        Self::NoAddresses,
        Self::Interval,
        Self::AuthTypeUnknown,
        Self::AuthTypeMismatch,
        Self::AuthFailure,
        Self::AuthReplay,
        Self::ExtensionMissing,
        Self::ExtensionUnexpected,
        Self::ExtensionMalformed,
        Self::ExtensionUnknownKey,
        Self::ExtensionTag,
        Self::ExtensionStale,
        Self::ExtensionReplay,
        Self::Destination,
        Self::Source,
        Self::PeerHopLimit,
        Self::UnknownVrid,
        Self::OwnPacket,
    ];

    /// For an operator: what is wrong with the packet.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::NotVrrp => "not a VRRP packet",
            Self::Truncated => "truncated packet",
            Self::Length => "length does not fit the address count",
            Self::HopLimit => "TTL is not 255",
            Self::Version => "VRRP version differs",
            Self::Type => "unknown packet type",
            Self::Checksum => "wrong checksum",
            Self::NoAddresses => "no addresses in the advert",
            Self::Interval => "advertisement interval differs",
            Self::AuthTypeUnknown => "unknown authentication type",
            Self::AuthTypeMismatch => "authentication type differs",
            Self::AuthFailure => "wrong password",
            Self::AuthReplay => "sequence number was used before",
            Self::ExtensionMissing => "not signed, and auth_hmac demands it",
            Self::ExtensionUnexpected => "signed, and there is no auth_hmac here",
            Self::ExtensionMalformed => "malformed signature",
            Self::ExtensionUnknownKey => "signed with a key id that is not configured",
            Self::ExtensionTag => "wrong signature",
            Self::ExtensionStale => "signed too long ago, or the clocks differ",
            Self::ExtensionReplay => "signed advert came before",
            Self::Source => "not from a configured peer",
            Self::PeerHopLimit => "TTL is outside the peer's min_ttl and max_ttl",
            Self::Destination => "sent to the wrong destination",
            Self::UnknownVrid => "unknown virtual router id",
            Self::OwnPacket => "own packet came back",
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
}

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
    /// VRRPv2 adverts must carry this interval.
    pub interval: Interval,
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
        Version::V2 => Interval::from_secs(fixed[5]).filter(|i| *i == demands.interval),
        Version::V3 => Interval::from_centis(u16::from_be_bytes([fixed[4] & 0x0f, fixed[5]])),
    };
    let advert = Advert {
        source: packet.source,
        priority: Priority::new(fixed[2]),
        interval: interval.ok_or(Rejected::Interval)?,
    };
    Ok(Received {
        advert,
        addresses: addresses(message, family, count),
        checksum,
    })
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

/// An advert to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// Version spoken.
    pub version: Version,
    /// Virtual router.
    pub vrid: Vrid,
    /// Our priority, or [`Priority::RELEASE`].
    pub priority: Priority,
    /// Our interval.
    pub interval: Interval,
    /// Addresses of the source's family in configured order; the first 255 count.
    pub addresses: &'a [IpAddr],
    /// VRRPv2 authentication.
    pub authentication: &'a Authentication,
    /// Form of a VRRPv3 checksum over IPv4.
    pub checksum: ChecksumForm,
    /// Source of the IP packet.
    pub source: IpAddr,
    /// Destination of the IP packet, of the same family.
    pub destination: IpAddr,
}

/// The VRRP message of an advert, without the IP header.
#[must_use]
pub fn emit(advert: &Outgoing<'_>) -> Vec<u8> {
    let family = Family::of(&advert.source);
    let listed = || {
        let ours = |address: &&IpAddr| Family::of(address) == family;
        advert.addresses.iter().filter(ours).take(u8::MAX.into())
    };
    let count = u8::try_from(listed().count()).unwrap_or(u8::MAX);
    let (byte4, byte5) = match (advert.version, family) {
        (Version::V2, Family::V4) => (advert.authentication.kind(), advert.interval.whole_secs()),
        (Version::V2, Family::V6) => (0, advert.interval.whole_secs()),
        (Version::V3, Family::V4 | Family::V6) => {
            let [high, low] = advert.interval.centis().min(0x0fff).to_be_bytes();
            (high, low)
        }
    };
    let first = advert.version.number() << 4 | TYPE_ADVERTISEMENT;
    let mut message = vec![
        first,
        advert.vrid.get(),
        advert.priority.get(),
        count,
        byte4,
        byte5,
        0,
        0,
    ];
    for address in listed() {
        match address {
            IpAddr::V4(v4) => message.extend_from_slice(&v4.octets()),
            IpAddr::V6(v6) => message.extend_from_slice(&v6.octets()),
        }
    }
    let form = match (advert.version, family) {
        (Version::V2, Family::V4) => {
            message.extend_from_slice(&advert.authentication.data());
            ChecksumForm::Message
        }
        (Version::V3, Family::V4) => advert.checksum,
        (Version::V2 | Version::V3, Family::V6) => ChecksumForm::PseudoHeader,
    };
    let checksum = checksum(&message, form, advert.source, advert.destination);
    if let Some(field) = message.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    message
}

/// Works out the checksum anew for a message that has got a trailer.
///
/// Over IPv4 the trailer does not count; over IPv6 the checksum is that of any transport.
pub fn seal(payload: &mut [u8], source: IpAddr, destination: IpAddr) {
    if Family::of(&source) == Family::V4 {
        return;
    }
    let checksum = checksum(payload, ChecksumForm::PseudoHeader, source, destination);
    if let Some(field) = payload.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ip::{GROUP_V4, GROUP_V6};
    use proptest::prelude::*;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));
    const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    fn outgoing<'a>(
        version: Version,
        auth: &'a Authentication,
        list: &'a [IpAddr],
    ) -> Outgoing<'a> {
        Outgoing {
            version,
            vrid: Vrid::new(51).unwrap(),
            priority: Priority::new(100),
            interval: Interval::DEFAULT,
            addresses: list,
            authentication: auth,
            checksum: ChecksumForm::PseudoHeader,
            source: SOURCE,
            destination: GROUP_V4.into(),
        }
    }

    fn outgoing_v6(version: Version, list: &[IpAddr]) -> Outgoing<'_> {
        Outgoing {
            source: LINK_LOCAL.into(),
            destination: GROUP_V6.into(),
            ..outgoing(version, &Authentication::None, list)
        }
    }

    fn demands(version: Version, authentication: &Authentication) -> Demands<'_> {
        Demands {
            version,
            authentication,
            interval: Interval::DEFAULT,
            check_hop_limit: true,
        }
    }

    fn packet(payload: &[u8]) -> Packet<'_> {
        Packet {
            source: SOURCE,
            destination: GROUP_V4.into(),
            hop_limit: 255,
            payload,
        }
    }

    fn packet_v6(payload: &[u8]) -> Packet<'_> {
        Packet {
            source: LINK_LOCAL.into(),
            destination: GROUP_V6.into(),
            hop_limit: 255,
            payload,
        }
    }

    fn password(text: &str) -> Authentication {
        Authentication::Password(Secret::new(text.as_bytes()))
    }

    /// The message that keepalived 2.2.7 sent for the seed's master, captured on the wire.
    const KEEPALIVED_V2: [u8; 20] = [
        0x21, 0x33, 0x64, 0x01, 0x01, 0x01, 0x53, 0x57, 192, 168, 1, 100, b'1', b'2', b'3', b'4',
        0, 0, 0, 0,
    ];

    #[test]
    fn v2_with_a_password_is_keepaliveds_to_the_byte() {
        let (auth, vip) = (password("1234"), [IpAddr::from([192, 168, 1, 100])]);
        assert_eq!(emit(&outgoing(Version::V2, &auth, &vip)), KEEPALIVED_V2);
    }

    #[test]
    fn each_check_gives_its_own_reason() {
        let (auth, vip) = (password("1234"), [IpAddr::from([192, 168, 1, 100])]);
        let good = emit(&outgoing(Version::V2, &auth, &vip));
        let reject = |at: usize, value: u8, fix: bool| {
            let mut bytes = good.clone();
            bytes[at] = value;
            if fix {
                let sum = util::checksum(&bytes, CHECKSUM_WORD).to_be_bytes();
                bytes[6..8].copy_from_slice(&sum);
            }
            receive(&packet(&bytes), &demands(Version::V2, &auth)).unwrap_err()
        };
        assert_eq!(reject(0, 0x31, true), Rejected::Version);
        assert_eq!(reject(0, 0x22, true), Rejected::Type);
        assert_eq!(reject(3, 2, true), Rejected::Length);
        assert_eq!(reject(4, 0, true), Rejected::AuthTypeMismatch);
        assert_eq!(reject(4, 3, true), Rejected::AuthTypeUnknown);
        assert_eq!(reject(5, 2, true), Rejected::Interval);
        assert_eq!(reject(12, b'x', true), Rejected::AuthFailure);
        assert_eq!(reject(2, 101, false), Rejected::Checksum);

        let mut low = packet(&good);
        low.hop_limit = 254;
        assert_eq!(
            receive(&low, &demands(Version::V2, &auth)).unwrap_err(),
            Rejected::HopLimit
        );
        assert_eq!(vrid(&packet(&good[..7])).unwrap_err(), Rejected::Truncated);
    }

    #[test]
    fn v3_takes_both_checksums_and_says_which() {
        let vip = [IpAddr::from([10, 0, 0, 100])];
        for form in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
            let mut out = outgoing(Version::V3, &Authentication::None, &vip);
            out.checksum = form;
            let bytes = emit(&out);
            let got = receive(
                &packet(&bytes),
                &demands(Version::V3, &Authentication::None),
            )
            .unwrap();
            assert_eq!(got.checksum, form);
        }
    }

    #[test]
    fn a_trailer_is_cut_off_where_it_is_expected() {
        let vip = [IpAddr::from([10, 0, 0, 100])];
        for version in [Version::V2, Version::V3] {
            let signed = Authentication::Trailer;
            let mut bytes = emit(&outgoing(version, &signed, &vip));
            let unsigned = bytes.clone();
            bytes.extend_from_slice(&[EXTENSION_TYPE; TRAILER_LEN]);
            let seen = std::cell::Cell::new(0);
            let prove = |unproven: &Unproven<'_>| {
                assert_eq!(unproven.message, unsigned);
                seen.set(seen.get() + unproven.trailer.map_or(0, <[u8]>::len));
                Ok(())
            };
            let demand = demands(version, &signed);
            receive_proven(&packet(&bytes), &demand, prove).unwrap();
            receive_proven(&packet(&unsigned), &demand, prove).unwrap();
            assert_eq!(seen.get(), TRAILER_LEN);
            let plain = demands(version, &Authentication::None);
            let reject = |bytes: &[u8]| receive(&packet(bytes), &plain).unwrap_err();
            assert_eq!(reject(&bytes), Rejected::ExtensionUnexpected);
            assert_eq!(reject(&bytes[..bytes.len() - 1]), Rejected::Length);
        }
    }

    /// The IPv6 vector of draft-cassen-vrrp-auth-hmac.
    #[test]
    fn over_ipv6_the_checksum_covers_the_trailer() {
        let vector = 0x3133_c801_0064_a2e9_u64.to_be_bytes();
        let trailer = [
            0x0101_0000_6800_0000_u64,
            0x8000_0000_c8c5_6146,
            0xebfd_66ee_10ec_4d81,
        ];
        let (source, destination) = ("fe80::10".parse().unwrap(), "fe80::20".parse().unwrap());
        let vips = ["fe80::100".parse().unwrap()];
        let mut bytes = emit(&Outgoing {
            priority: Priority::new(200),
            source,
            destination,
            ..outgoing_v6(Version::V3, &vips)
        });
        bytes.extend(trailer.iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend_from_slice(&0x8646_1b78_u32.to_be_bytes());
        seal(&mut bytes, source, destination);
        assert_eq!(bytes[..8], vector);
        let packet = Packet {
            source,
            destination,
            hop_limit: 255,
            payload: &bytes,
        };
        let demand = demands(Version::V3, &Authentication::Trailer);
        assert_eq!(receive(&packet, &demand).unwrap().addresses, vips);
    }

    #[test]
    fn what_is_not_proven_is_not_read() {
        let vip = [IpAddr::from([10, 0, 0, 100])];
        let mut bytes = emit(&outgoing(Version::V3, &Authentication::Trailer, &vip));
        bytes[6] ^= 1;
        let demand = demands(Version::V3, &Authentication::Trailer);
        let prove = |_: &Unproven<'_>| Err(Rejected::ExtensionMissing);
        let got = receive_proven(&packet(&bytes), &demand, prove);
        assert_eq!(got.unwrap_err(), Rejected::ExtensionMissing);
    }

    #[test]
    fn v3_without_addresses_or_interval_is_discarded() {
        let none = emit(&outgoing(Version::V3, &Authentication::None, &[]));
        let demand = demands(Version::V3, &Authentication::None);
        assert_eq!(
            receive(&packet(&none), &demand).unwrap_err(),
            Rejected::NoAddresses
        );

        let mut bytes = emit(&outgoing(Version::V3, &Authentication::None, &[SOURCE]));
        bytes[4..6].copy_from_slice(&[0, 0]);
        let sum = util::checksum(&bytes, CHECKSUM_WORD).to_be_bytes();
        bytes[6..8].copy_from_slice(&sum);
        assert_eq!(
            receive(&packet(&bytes), &demand).unwrap_err(),
            Rejected::Interval
        );
    }

    #[test]
    fn reserved_bits_are_ignored_on_receipt() {
        let mut bytes = emit(&outgoing(Version::V3, &Authentication::None, &[SOURCE]));
        bytes[4] |= 0xf0;
        let sum = util::checksum(&bytes, CHECKSUM_WORD).to_be_bytes();
        bytes[6..8].copy_from_slice(&sum);
        let got = receive(
            &packet(&bytes),
            &demands(Version::V3, &Authentication::None),
        )
        .unwrap();
        assert_eq!(got.advert.interval, Interval::DEFAULT);
    }

    #[test]
    fn reserved_bits_are_zero_when_sent() {
        let mut out = outgoing(Version::V3, &Authentication::None, &[SOURCE]);
        out.interval = Interval::from_centis(4095).unwrap();
        assert_eq!(emit(&out).get(4..6), Some(&[0x0f, 0xff][..]));
    }

    #[test]
    fn v2_never_takes_a_pseudo_header_checksum() {
        let mut bytes = emit(&outgoing(Version::V2, &Authentication::None, &[SOURCE]));
        let form = ChecksumForm::PseudoHeader;
        let sum = checksum(&bytes, form, SOURCE, GROUP_V4.into());
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
        let got = receive(
            &packet(&bytes),
            &demands(Version::V2, &Authentication::None),
        );
        assert_eq!(got.unwrap_err(), Rejected::Checksum);
    }

    /// An advert over IPv6 with two addresses, worked out by hand from RFC 9568 §5.2.
    #[test]
    fn v3_over_ipv6_covers_the_pseudo_header() {
        let vips: [IpAddr; 2] = ["fe80::100".parse().unwrap(), "fd00::100".parse().unwrap()];
        let bytes = emit(&outgoing_v6(Version::V3, &vips));
        assert_eq!(bytes.len(), 8 + 2 * 16);
        assert_eq!(bytes[..6], [0x31, 0x33, 0x64, 2, 0, 100]);
        let mut sum: u32 = 112 + 40;
        let pseudo = [LINK_LOCAL.octets(), GROUP_V6.octets()].concat();
        for pair in pseudo.chunks(2).chain(bytes.chunks(2)) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "RFC 1071");
    }

    #[test]
    fn v3_over_ipv6_takes_no_other_checksum() {
        let vips = ["fe80::100".parse().unwrap()];
        let mut bytes = emit(&outgoing_v6(Version::V3, &vips));
        let sum = util::checksum(&bytes, CHECKSUM_WORD).to_be_bytes();
        bytes[6..8].copy_from_slice(&sum);
        let demand = demands(Version::V3, &Authentication::None);
        let got = receive(&packet_v6(&bytes), &demand);
        assert_eq!(got.unwrap_err(), Rejected::Checksum);
    }

    #[test]
    fn v2_over_ipv6_has_seconds_and_no_authentication_data() {
        let vips = ["fe80::100".parse().unwrap()];
        let bytes = emit(&outgoing_v6(Version::V2, &vips));
        assert_eq!(bytes.len(), 8 + 16);
        assert_eq!(bytes[..6], [0x21, 0x33, 0x64, 1, 0, 1]);
        let demand = demands(Version::V2, &Authentication::None);
        let got = receive(&packet_v6(&bytes), &demand).unwrap();
        assert_eq!(got.addresses, vips);
    }

    #[test]
    fn addresses_of_the_other_family_are_not_advertised() {
        let vips: [IpAddr; 2] = [
            "192.168.1.100".parse().unwrap(),
            "fe80::100".parse().unwrap(),
        ];
        let bytes = emit(&outgoing_v6(Version::V3, &vips));
        let demand = demands(Version::V3, &Authentication::None);
        let got = receive(&packet_v6(&bytes), &demand).unwrap();
        assert_eq!(got.addresses, vips[1..]);
    }

    /// keepalived verifies nothing with `v3_checksum_as_v2`.
    #[test]
    fn no_flipped_bit_passes_in_either_form() {
        let vip = [IpAddr::from([10, 0, 0, 100])];
        for (version, form) in [
            (Version::V2, ChecksumForm::Message),
            (Version::V3, ChecksumForm::Message),
            (Version::V3, ChecksumForm::PseudoHeader),
        ] {
            let none = Authentication::None;
            let mut out = outgoing(version, &none, &vip);
            out.checksum = form;
            let good = emit(&out);
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let got = receive(&packet(&bad), &demands(version, &none));
                assert!(got.is_err(), "{version:?} {form:?} bit {bit}");
            }
        }
    }

    #[test]
    fn room_for_addresses_is_what_the_rest_leaves() {
        let room =
            |mtu, version, authentication| most_addresses(mtu, version, Family::V4, authentication);
        let (none, trailer) = (&Authentication::None, &Authentication::Trailer);
        assert_eq!(room(1500, Version::V2, trailer), 255);
        assert_eq!(room(576, Version::V3, none), 137);
        assert_eq!(room(576, Version::V3, trailer), 130);
        assert_eq!(room(576, Version::V2, trailer), 128);
        assert_eq!(room(576, Version::V2, &Authentication::Header), 129);
        assert_eq!(room(20, Version::V2, none), 0);
        let room = |authentication| most_addresses(1500, Version::V3, Family::V6, authentication);
        assert_eq!((room(none), room(trailer)), (90, 89));
    }

    proptest! {
        #[test]
        fn what_is_emitted_over_ipv6_is_received(
            v3 in any::<bool>(), id in 1u8..=255, priority in any::<u8>(), secs in 1u8..=40,
            list in proptest::collection::vec(any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into()), 1..20),
        ) {
            let version = if v3 { Version::V3 } else { Version::V2 };
            let interval = Interval::from_secs(secs).unwrap();
            let out = Outgoing {
                vrid: Vrid::new(id).unwrap(), priority: Priority::new(priority), interval,
                ..outgoing_v6(version, &list)
            };
            let bytes = emit(&out);
            let demand = Demands { interval, ..demands(version, &Authentication::None) };
            let got = receive(&packet_v6(&bytes), &demand).unwrap();
            prop_assert_eq!(got.advert.priority, out.priority);
            prop_assert_eq!(got.advert.interval, interval);
            prop_assert_eq!(got.checksum, ChecksumForm::PseudoHeader);
            prop_assert_eq!(got.addresses, list);
        }

        #[test]
        fn what_is_emitted_is_received(
            v3 in any::<bool>(), id in 1u8..=255, priority in any::<u8>(), secs in 1u8..=40,
            list in proptest::collection::vec(any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()), 1..20),
            pass in "[a-z]{0,8}",
        ) {
            let version = if v3 { Version::V3 } else { Version::V2 };
            let auth = if v3 || pass.is_empty() { Authentication::None } else { password(&pass) };
            let interval = Interval::from_secs(secs).unwrap();
            let out = Outgoing {
                vrid: Vrid::new(id).unwrap(), priority: Priority::new(priority), interval,
                ..outgoing(version, &auth, &list)
            };
            let bytes = emit(&out);
            let demand = Demands { interval, ..demands(version, &auth) };
            prop_assert_eq!(vrid(&packet(&bytes)).unwrap(), out.vrid);
            let got = receive(&packet(&bytes), &demand).unwrap();
            prop_assert_eq!(got.advert.priority, out.priority);
            prop_assert_eq!(got.advert.interval, interval);
            prop_assert_eq!(got.addresses, list);
        }

        #[test]
        fn any_bytes_are_received_or_rejected(
            v3 in any::<bool>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            let version = if v3 { Version::V3 } else { Version::V2 };
            let _ = vrid(&packet(&bytes));
            let _ = receive(&packet(&bytes), &demands(version, &password("1234")));
            let _ = receive(&packet_v6(&bytes), &demands(version, &password("1234")));
        }
    }
}
