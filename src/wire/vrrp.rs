//! VRRP messages, version 2 (RFC 3768) and 3 (RFC 9568), over IPv4.

use std::net::{IpAddr, Ipv4Addr};

use ctutils::CtEq;
use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::util;

use super::auth::hmac::{EXTENSION_TYPE, TRAILER_LEN};
use super::ip::{HOP_LIMIT, PROTOCOL, Packet};
use crate::types::{Interval, Priority, Secret, Version, Vrid};

const TYPE_ADVERTISEMENT: u8 = 1;
const FIXED_LEN: usize = 8;
const ADDRESS_LEN: usize = 4;
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

/// What the checksum of a VRRPv3 message over IPv4 covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChecksumForm {
    /// The message alone: RFC 9568 §5.2.8, and every VRRPv2 message.
    Message,
    /// The message and a pseudo-header: keepalived's default.
    PseudoHeader,
}

impl ChecksumForm {
    /// For an operator: what it covers.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Message => "without pseudo-header",
            Self::PseudoHeader => "with pseudo-header",
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
    /// TTL or hop limit is not 255. RFC 9568 §5.1.1.3.
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
    let (message, trailer) = split_trailer(packet.payload, fixed, demands)?;
    prove(&Unproven {
        source: packet.source,
        message,
        trailer,
    })?;
    if fixed[0] & 0x0f != TYPE_ADVERTISEMENT {
        return Err(Rejected::Type);
    }
    let count = usize::from(fixed[3]);
    let packet = &Packet {
        payload: message,
        ..*packet
    };
    let checksum = checksum_form(packet, demands.version).ok_or(Rejected::Checksum)?;
    if demands.version == Version::V2 {
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
        addresses: addresses(message, count),
        checksum,
    })
}

/// Cuts a payload where the message must end.
fn split_trailer<'a>(
    payload: &'a [u8],
    fixed: &[u8; FIXED_LEN],
    demands: &Demands<'_>,
) -> Result<(&'a [u8], Option<&'a [u8]>), Rejected> {
    let authentication = match demands.version {
        Version::V2 => AUTHENTICATION_LEN,
        Version::V3 => 0,
    };
    let length = FIXED_LEN + usize::from(fixed[3]) * ADDRESS_LEN + authentication;
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

fn addresses(message: &[u8], count: usize) -> Vec<IpAddr> {
    let list = message.get(FIXED_LEN..).unwrap_or_default();
    let (chunks, _) = list.as_chunks::<ADDRESS_LEN>();
    chunks
        .iter()
        .take(count)
        .map(|octets| Ipv4Addr::from(*octets).into())
        .collect()
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
    if stated == util::checksum(message, CHECKSUM_WORD) {
        return Some(ChecksumForm::Message);
    }
    let with_header = with_pseudo_header(message, packet.source, packet.destination)?;
    (version == Version::V3 && stated == with_header).then_some(ChecksumForm::PseudoHeader)
}

fn with_pseudo_header(message: &[u8], source: IpAddr, destination: IpAddr) -> Option<u16> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
        return None;
    };
    let protocol = IpNextHeaderProtocol(PROTOCOL);
    Some(util::ipv4_checksum(
        message,
        CHECKSUM_WORD,
        &[],
        &source,
        &destination,
        protocol,
    ))
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
    /// Addresses in configured order; the first 255 count.
    pub addresses: &'a [Ipv4Addr],
    /// VRRPv2 authentication.
    pub authentication: &'a Authentication,
    /// Form of a VRRPv3 checksum.
    pub checksum: ChecksumForm,
    /// Source of the IP packet.
    pub source: Ipv4Addr,
    /// Destination of the IP packet.
    pub destination: Ipv4Addr,
}

/// The VRRP message of an advert, without the IP header.
#[must_use]
pub fn emit(advert: &Outgoing<'_>) -> Vec<u8> {
    let count = u8::try_from(advert.addresses.len()).unwrap_or(u8::MAX);
    let (byte4, byte5) = match advert.version {
        Version::V2 => (advert.authentication.kind(), advert.interval.whole_secs()),
        Version::V3 => {
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
    for address in advert.addresses.iter().take(usize::from(count)) {
        message.extend_from_slice(&address.octets());
    }
    if advert.version == Version::V2 {
        message.extend_from_slice(&advert.authentication.data());
    }
    let pseudo = (advert.version == Version::V3 && advert.checksum == ChecksumForm::PseudoHeader)
        .then(|| with_pseudo_header(&message, advert.source.into(), advert.destination.into()))
        .flatten();
    let checksum = pseudo.unwrap_or_else(|| util::checksum(&message, CHECKSUM_WORD));
    if let Some(field) = message.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ip::GROUP_V4;
    use proptest::prelude::*;

    const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    fn outgoing<'a>(
        version: Version,
        auth: &'a Authentication,
        list: &'a [Ipv4Addr],
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
            destination: GROUP_V4,
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
            source: SOURCE.into(),
            destination: GROUP_V4.into(),
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
        let (auth, vip) = (password("1234"), [Ipv4Addr::new(192, 168, 1, 100)]);
        assert_eq!(emit(&outgoing(Version::V2, &auth, &vip)), KEEPALIVED_V2);
    }

    #[test]
    fn each_check_gives_its_own_reason() {
        let (auth, vip) = (password("1234"), [Ipv4Addr::new(192, 168, 1, 100)]);
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
        let vip = [Ipv4Addr::new(10, 0, 0, 100)];
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
        let vip = [Ipv4Addr::new(10, 0, 0, 100)];
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

    #[test]
    fn what_is_not_proven_is_not_read() {
        let vip = [Ipv4Addr::new(10, 0, 0, 100)];
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
        let sum = with_pseudo_header(&bytes, SOURCE.into(), GROUP_V4.into()).unwrap();
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
        let got = receive(
            &packet(&bytes),
            &demands(Version::V2, &Authentication::None),
        );
        assert_eq!(got.unwrap_err(), Rejected::Checksum);
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_received(
            v3 in any::<bool>(), id in 1u8..=255, priority in any::<u8>(), secs in 1u8..=40,
            list in proptest::collection::vec(any::<u32>().prop_map(Ipv4Addr::from), 1..20),
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
            prop_assert_eq!(got.addresses, list.into_iter().map(IpAddr::from).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_received_or_rejected(
            v3 in any::<bool>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            let version = if v3 { Version::V3 } else { Version::V2 };
            let _ = vrid(&packet(&bytes));
            let _ = receive(&packet(&bytes), &demands(version, &password("1234")));
        }
    }
}
