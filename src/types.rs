//! Values that cannot be wrong: each is checked once, when it is made.

use std::fmt;
use std::net::IpAddr;
use std::ops::{Add, Sub};
use std::time::Duration;

use ctutils::CtEq;
use zeroize::Zeroizing;

/// A point in time, in nanoseconds since an arbitrary origin that never moves.
///
/// `std::time::Instant` cannot be made from a number, so a recorded or simulated run could not
/// be replayed with it. The daemon reads `CLOCK_MONOTONIC`; tests count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

/// Virtual Router Identifier, 1–255. RFC 9568 §5.2.3. keepalived: `virtual_router_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(u8);

impl Vrid {
    /// `None` for 0, which no virtual router may use.
    #[must_use]
    pub const fn new(id: u8) -> Option<Self> {
        if id == 0 { None } else { Some(Self(id)) }
    }

    /// The number on the wire, 1–255.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Priority of a router for a virtual router, 0–255; higher wins. RFC 9568 §5.2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// Sent by an Active Router that steps down; never configured.
    pub const RELEASE: Self = Self(0);
    /// The address owner's, and nobody else's.
    pub const OWNER: Self = Self(255);
    /// The default of a router that does not own the addresses.
    pub const DEFAULT: Self = Self(100);

    /// Any value, as it stands on the wire.
    #[must_use]
    pub const fn new(value: u8) -> Self {
        Self(value)
    }

    /// The number on the wire, 0–255.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Version of the protocol on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// RFC 3768: IPv4 only, whole seconds. keepalived's default for IPv4.
    #[default]
    V2,
    /// RFC 9568: IPv4 and IPv6, centiseconds.
    V3,
}

impl Version {
    /// The version number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// Address family of a virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Family {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Family of `address`.
    #[must_use]
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// An advertisement interval: never zero, kept to the hundredth of a second.
///
/// VRRPv2 carries 1–255 whole seconds, VRRPv3 1–4095 centiseconds. RFC 9568 §5.2.7.
/// keepalived: `advert_int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(u16);

impl Interval {
    /// One second, the default of every version.
    pub const DEFAULT: Self = Self(100);

    /// From centiseconds, 1–25500 (255 s, the longest that VRRPv2 can carry).
    #[must_use]
    pub const fn from_centis(centis: u16) -> Option<Self> {
        if centis == 0 || centis > 25_500 {
            None
        } else {
            Some(Self(centis))
        }
    }

    /// From whole seconds, 1–255.
    #[must_use]
    pub const fn from_secs(secs: u8) -> Option<Self> {
        Self::from_centis(secs as u16 * 100)
    }

    /// In centiseconds, as VRRPv3 carries it.
    #[must_use]
    pub const fn centis(self) -> u16 {
        self.0
    }

    /// In whole seconds as VRRPv2 carries it, rounded up.
    #[must_use]
    pub const fn whole_secs(self) -> u8 {
        let secs = self.0.div_ceil(100);
        if secs > 255 {
            255
        } else {
            secs.to_le_bytes()[0]
        }
    }

    /// As a length of time.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, centis) = (self.0 / 100, self.0 % 100);
        match centis {
            0 => write!(f, "{secs}"),
            c if c % 10 == 0 => write!(f, "{secs}.{}", c / 10),
            c => write!(f, "{secs}.{c:02}"),
        }
    }
}

/// Names one virtual router of this daemon for as long as it lives, also across reloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u32);

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Name of a network interface: 1–15 bytes without white space or `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// `None` if the kernel could have no interface of that name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=15).contains(&name.len()) && name != "." && name != "..";
        let clean = !name
            .bytes()
            .any(|b| b == b'/' || b == 0 || b.is_ascii_whitespace());
        (fits && clean).then(|| Self(name.to_owned()))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether `text` can be the name of a host: RFC 952 and RFC 1123, with underscores. What consists
/// of numbers is a mistyped address, and no name.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let clean = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(clean)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let mut labels = name.rsplit('.');
    let last = labels.next().unwrap_or_default();
    name.len() <= 253
        && label(last)
        && last.bytes().any(|b| b.is_ascii_alphabetic())
        && labels.all(label)
}

/// Scope of an IPv4 address. keepalived: `scope` of an address; rt_scopes(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Scope {
    /// Valid everywhere (0), the default.
    #[default]
    Global,
    /// Valid on this site (200).
    Site,
    /// Valid on this link (253).
    Link,
    /// Valid on this host (254).
    Host,
    /// Valid nowhere (255).
    Nowhere,
    /// Any other number.
    Other(u8),
}

impl Scope {
    /// The kernel's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Global => 0,
            Self::Site => 200,
            Self::Link => 253,
            Self::Host => 254,
            Self::Nowhere => 255,
            Self::Other(n) => n,
        }
    }
}

/// Broadcast address of an IPv4 virtual address. keepalived: `broadcast`, `brd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Broadcast {
    /// All host bits set (`brd +`).
    HostBitsSet,
    /// All host bits clear (`brd -`).
    HostBitsClear,
    /// As written.
    Address(std::net::Ipv4Addr),
}

/// An address that moves between hosts, with everything the kernel is told about it.
///
/// keepalived: one entry of `virtual_ipaddress` or `virtual_ipaddress_excluded`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length; 32 or 128 when none was written.
    pub prefix_len: u8,
    /// Interface that carries it; the instance's own when `None`. keepalived: `dev`.
    pub interface: Option<InterfaceName>,
    /// IPv4 scope. keepalived: `scope`.
    pub scope: Scope,
    /// IPv4 label, at most 15 bytes. keepalived: `label`.
    pub label: Option<String>,
    /// IPv4 broadcast address. keepalived: `brd`, `broadcast`.
    pub broadcast: Option<Broadcast>,
    /// Other end of a point-to-point link with its prefix length. keepalived: `peer`.
    pub peer: Option<(IpAddr, u8)>,
    /// IPv6 mobile home address. keepalived: `home`.
    pub home: bool,
    /// IPv6 duplicate address detection stays on. keepalived: `-nodad`.
    pub duplicate_detection: bool,
    /// Template for privacy addresses. keepalived: `mngtmpaddr`.
    pub manage_temporary: bool,
    /// The kernel makes no prefix route. keepalived: `noprefixroute`.
    pub no_prefix_route: bool,
    /// Joins the multicast group on Ethernet level. keepalived: `autojoin`.
    pub autojoin: bool,
    /// Removal by somebody else is not acted on. keepalived: `no_track`.
    pub untracked: bool,
    /// It is on a device with a virtual MAC address on its interface. keepalived: `use_vmac`,
    /// `use_vmac_addr`.
    pub virtual_mac: bool,
    /// IPv6 preferred life time in seconds; `None` is the family's default, `u32::MAX` for ever.
    /// keepalived: `preferred_lft`.
    pub preferred_lifetime: Option<u32>,
}

impl VirtualAddress {
    /// `address/prefix_len` with every option at its default.
    #[must_use]
    pub const fn new(address: IpAddr, prefix_len: u8) -> Self {
        Self {
            address,
            prefix_len,
            interface: None,
            scope: Scope::Global,
            label: None,
            broadcast: None,
            peer: None,
            home: false,
            duplicate_detection: false,
            manage_temporary: false,
            no_prefix_route: false,
            autojoin: false,
            untracked: false,
            virtual_mac: false,
            preferred_lifetime: None,
        }
    }
}

impl fmt::Display for VirtualAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// Text that must not be printed: a password or key.
///
/// It is compared in constant time and overwritten with zeros when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes in.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes, for the wire alone.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).to_bool()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        assert_eq!(format!("{:?}", Secret::new(b"1234")), "Secret(********)");
    }

    #[test]
    fn a_secret_is_wiped_when_it_is_dropped() {
        // Memory that is gone cannot be looked at: the type must promise it.
        fn promises<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        promises(&Secret::new(b"1234").0);
    }

    #[test]
    fn intervals_print_as_an_operator_writes_them() {
        let text = |c| Interval::from_centis(c).map(|i| i.to_string());
        assert_eq!(text(100).as_deref(), Some("1"));
        assert_eq!(text(50).as_deref(), Some("0.5"));
        assert_eq!(text(105).as_deref(), Some("1.05"));
        assert_eq!(text(0), None);
        assert_eq!(text(25_501), None);
    }

    #[test]
    fn a_host_name_is_no_mistyped_address() {
        for good in [
            "lb2",
            "lb2.example.net",
            "a_b.example.net.",
            "4.pool.example",
        ] {
            assert!(is_host_name(good), "{good:?}");
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            ".",
            "192.0.2.256",
            "192.0.2",
            "2001:db8::g",
            "-a",
            "a-",
            "a..b",
            "a/b",
            "{{ip}}",
            long.as_str(),
        ] {
            assert!(!is_host_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_interface_name_is_what_the_kernel_takes() {
        assert!(InterfaceName::new("eth0.100").is_some());
        for bad in ["", "sixteen-bytes-xx", "a b", "a/b", ".", ".."] {
            assert!(InterfaceName::new(bad).is_none(), "{bad:?}");
        }
    }
}
