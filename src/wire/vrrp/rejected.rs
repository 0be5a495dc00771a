//! Why packets are not taken.

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
    /// The first IPv6 address is not link-local, and that is demanded. RFC 9568 §7.1.
    FirstAddress,
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
    pub const ALL: [Self; 26] = [
        Self::NotVrrp,
        Self::Truncated,
        Self::Length,
        Self::HopLimit,
        Self::Version,
        Self::Type,
        Self::Checksum,
        Self::NoAddresses,
        Self::FirstAddress,
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
            Self::FirstAddress => "the first address is not link-local",
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
            Self::Destination => {
                "sent to a group, but we have peers, or to us, but we have a group"
            }
            Self::UnknownVrid => "unknown virtual router id",
            Self::OwnPacket => "own packet came back",
        }
    }
}
