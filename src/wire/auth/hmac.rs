//! The trailer of `auth_hmac`: HMAC-SHA256, cut to 128 bits, over an advert of either version.
//!
//! keepalived 2.4.2 and later; draft-cassen-vrrp-auth-hmac.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::types::Secret;
use crate::wire::vrrp::Rejected;

/// Bytes after the VRRP message.
pub const TRAILER_LEN: usize = HEAD_LEN + TAG_LEN;

const HEAD_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// HMAC-SHA256-128.
pub(crate) const EXTENSION_TYPE: u8 = 1;
const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Names a key on the wire, 1–255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(u8);

impl KeyId {
    /// `None` for 0.
    #[must_use]
    pub const fn new(id: u8) -> Option<Self> {
        if id == 0 { None } else { Some(Self(id)) }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key of 32 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(Secret);

impl Key {
    /// `None` if it is too short or too long.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (32..=64)
            .contains(&bytes.len())
            .then(|| Self(Secret::new(bytes)))
    }

    /// The bytes, for a file that only its owner reads.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// A place in the order of a sender's adverts: seconds, fraction and counter, 64 bits.
///
/// Compared by serial number arithmetic (RFC 1982), so it has no natural order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence(u64);

impl Sequence {
    /// From its 64 bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The first one of the moment `since_epoch`, the time since 1970 in UTC.
    #[must_use]
    pub fn at(since_epoch: Duration) -> Self {
        let fraction = (u64::from(since_epoch.subsec_nanos()) << 16) / NANOS_PER_SEC;
        Self(since_epoch.as_secs() << 32 | fraction << 16)
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Whether it comes after `other`. RFC 1982 §3.2.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 63
    }

    /// Whole seconds between the two, whichever is first.
    #[must_use]
    pub const fn seconds_from(self, other: Self) -> u64 {
        let whole = (self.0 >> 32).wrapping_sub(other.0 >> 32);
        // Seconds wrap around at 32 bits.
        ((whole << 32).cast_signed() >> 32).unsigned_abs()
    }
}

/// A trailer that was found, and is not verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Key that it says it was made with; 0 is nobody's.
    pub key_id: u8,
    /// When it was made.
    pub sequence: Sequence,
    head: [u8; HEAD_LEN],
    tag: [u8; TAG_LEN],
}

impl Trailer {
    /// Reads a trailer.
    ///
    /// # Errors
    /// [`Rejected::ExtensionMalformed`] if type or reserved bits are not ours.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejected> {
        let malformed = || Rejected::ExtensionMalformed;
        let (head, tag) = bytes
            .split_first_chunk::<HEAD_LEN>()
            .ok_or_else(malformed)?;
        let [kind, key_id, high, low, a, b, c, d, e, f, g, h] = *head;
        let tag = tag.try_into().map_err(|_| malformed())?;
        if kind != EXTENSION_TYPE || (high, low) != (0, 0) {
            return Err(malformed());
        }
        Ok(Self {
            key_id,
            sequence: Sequence(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            head: *head,
            tag,
        })
    }

    /// Whether `key` made it for this message of this sender; takes the same time in any case.
    #[must_use]
    pub fn is_authentic(&self, key: &Key, source: IpAddr, message: &[u8]) -> bool {
        tag(key, source, message, &self.head)
            .verify_truncated_left(&self.tag)
            .is_ok()
    }
}

/// The trailer of `message`, sent from `source`. The message's checksum does not count.
#[must_use]
pub fn sign(
    key: &Key,
    id: KeyId,
    sequence: Sequence,
    source: IpAddr,
    message: &[u8],
) -> [u8; TRAILER_LEN] {
    let [a, b, c, d, e, f, g, h] = sequence.0.to_be_bytes();
    let head = [EXTENSION_TYPE, id.get(), 0, 0, a, b, c, d, e, f, g, h];
    let full = tag(key, source, message, &head).finalize().into_bytes();
    let mut trailer = [0; TRAILER_LEN];
    let bytes = head.into_iter().chain(full);
    trailer
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = from);
    trailer
}

fn tag(key: &Key, source: IpAddr, message: &[u8], head: &[u8; HEAD_LEN]) -> Hmac<Sha256> {
    let (family, address) = match source {
        IpAddr::V4(v4) => (4, &v4.octets()[..]),
        IpAddr::V6(v6) => (6, &v6.octets()[..]),
    };
    let byte = |at: usize| message.get(at).copied().unwrap_or_default();
    let mut pseudo = [0; 20];
    let start = [family, byte(0) >> 4, byte(1), 0];
    let fields = start.into_iter().chain(address.iter().copied());
    pseudo
        .iter_mut()
        .zip(fields)
        .for_each(|(to, from)| *to = from);
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.0.expose()).expect("HMAC takes keys of every length");
    mac.update(&pseudo);
    mac.update(message.get(..6).unwrap_or_default());
    mac.update(&[0; 2]);
    mac.update(message.get(8..).unwrap_or_default());
    mac.update(head);
    mac.update(&[0; TAG_LEN]);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V4: &str = "3133c80100644402c0000264010100006800000080000000\
        1b84bc4e8e43892dc6d98448f8ee2265";
    const V6: &str = "3133c8010064a2e9fe800000000000000000000000000100\
        010100006800000080000000c8c56146ebfd66ee10ec4d8186461b78";
    const SEQUENCE: Sequence = Sequence(0x6800_0000_8000_0000);

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    fn key() -> Key {
        Key::new(&(0..32).collect::<Vec<u8>>()).unwrap()
    }

    fn vectors() -> [(IpAddr, Vec<u8>); 2] {
        [
            ("198.51.100.10".parse().unwrap(), bytes(V4)),
            ("fe80::10".parse().unwrap(), bytes(V6)),
        ]
    }

    fn verdict(source: IpAddr, packet: &[u8]) -> Result<bool, Rejected> {
        let (message, trailer) = packet.split_at(packet.len() - TRAILER_LEN);
        let trailer = Trailer::parse(trailer)?;
        if trailer.key_id != 1 {
            return Err(Rejected::ExtensionUnknownKey);
        }
        Ok(trailer.is_authentic(&key(), source, message))
    }

    #[test]
    fn a_key_and_its_number_are_given_back() {
        let id = KeyId::new(7).unwrap();
        assert_eq!((id.get(), id.to_string().as_str()), (7, "7"));
        assert_eq!(key().expose(), (0..32).collect::<Vec<u8>>());
    }

    /// RFC 1982 §3.2: which comes first of two that are half of all numbers apart is undefined.
    #[test]
    fn neither_of_two_opposite_numbers_comes_after_the_other() {
        let half = Sequence(1 << 63);
        assert!(!half.is_after(Sequence(0)) && !Sequence(0).is_after(half));
        assert!(Sequence((1 << 63) - 1).is_after(Sequence(0)));
    }

    #[test]
    fn both_vectors_are_signed_and_verified() {
        for (source, packet) in vectors() {
            let (message, trailer) = packet.split_at(packet.len() - TRAILER_LEN);
            let id = KeyId::new(1).unwrap();
            assert_eq!(sign(&key(), id, SEQUENCE, source, message), trailer);
            assert_eq!(verdict(source, &packet), Ok(true));
            assert_eq!(Trailer::parse(trailer).unwrap().sequence, SEQUENCE);
        }
    }

    #[test]
    fn every_bit_counts_but_the_checksums() {
        for (source, packet) in vectors() {
            let start = packet.len() - TRAILER_LEN;
            for bit in 0..packet.len() * 8 {
                let mut bad = packet.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let expected = match bit / 8 {
                    6 | 7 => Ok(true),
                    at if at == start || at == start + 2 || at == start + 3 => {
                        Err(Rejected::ExtensionMalformed)
                    }
                    at if at == start + 1 => Err(Rejected::ExtensionUnknownKey),
                    _ => Ok(false),
                };
                assert_eq!(verdict(source, &bad), expected, "byte {}", bit / 8);
            }
        }
    }

    #[test]
    fn another_source_or_key_does_not_fit() {
        let [(_, v4), (_, v6)] = vectors();
        assert_eq!(verdict("198.51.100.11".parse().unwrap(), &v4), Ok(false));
        assert_eq!(verdict("fe80::11".parse().unwrap(), &v6), Ok(false));
        // The four bytes of an IPv4 address, read as the beginning of an IPv6 one.
        assert_eq!(verdict("c633:640a::".parse().unwrap(), &v4), Ok(false));
    }

    #[test]
    fn a_key_has_32_to_64_bytes() {
        let usable = |length| Key::new(&vec![1; length]).is_some();
        assert!([32, 64].into_iter().all(usable));
        assert!(![0, 31, 65].into_iter().any(usable));
        assert_eq!(format!("{:?}", key()), "Key(Secret(********))");
    }

    #[test]
    fn the_clock_gives_seconds_and_fraction() {
        let at = Sequence::at(Duration::new(0x6800_0000, 500_000_000));
        assert_eq!(at, SEQUENCE);
        assert_eq!(at.next(), Sequence(0x6800_0000_8000_0001));
        let later = Sequence::at(Duration::from_secs(0x6800_0003));
        assert_eq!((later.seconds_from(at), at.seconds_from(later)), (3, 3));
    }

    proptest! {
        #[test]
        fn order_is_serial(start in any::<u64>(), ahead in 1u64..1 << 63) {
            let (first, second) = (Sequence(start), Sequence(start.wrapping_add(ahead)));
            prop_assert!(second.is_after(first));
            prop_assert!(!first.is_after(second));
            prop_assert!(!first.is_after(first));
        }

        #[test]
        fn any_bytes_parse_or_are_malformed(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(trailer) = Trailer::parse(&bytes) {
                prop_assert_eq!(bytes.len(), TRAILER_LEN);
                prop_assert!(!trailer.is_authentic(&key(), [1, 1, 1, 1].into(), &bytes));
            }
        }
    }
}
