//! Both versions, both families, byte for byte.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::types::Vrid;
use crate::wire::auth::hmac::EXTENSION_TYPE;
use crate::wire::ip::{GROUP_V4, GROUP_V6, Packet};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn outgoing<'a>(version: Version, auth: &'a Authentication, list: &'a [IpAddr]) -> Outgoing<'a> {
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
        interval: Some(Interval::DEFAULT),
        link_local_first: false,
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
    0x21, 0x33, 0x64, 0x01, 0x01, 0x01, 0x53, 0x57, 192, 168, 1, 100, b'1', b'2', b'3', b'4', 0, 0,
    0, 0,
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

#[test]
fn v2_adverts_of_any_interval_are_taken_where_none_is_demanded() {
    let vip = [IpAddr::from([192, 168, 1, 100])];
    let slow = Outgoing {
        interval: Interval::from_secs(7).unwrap(),
        ..outgoing(Version::V2, &Authentication::None, &vip)
    };
    let bytes = emit(&slow);
    let demands = Demands {
        interval: None,
        ..demands(Version::V2, &Authentication::None)
    };
    let got = receive(&packet(&bytes), &demands).unwrap().advert;
    assert_eq!((got.interval.centis(), got.version), (700, Version::V2));
}

#[test]
fn a_list_that_begins_with_a_global_address_is_discarded_where_that_is_demanded() {
    let global = [IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 0x100])];
    let both = [LINK_LOCAL.into(), global[0]];
    let answer = |list: &[IpAddr], link_local_first| {
        let bytes = emit(&outgoing_v6(Version::V3, list));
        let demands = Demands {
            link_local_first,
            ..demands(Version::V3, &Authentication::None)
        };
        receive(&packet_v6(&bytes), &demands).map(|_| ())
    };
    assert_eq!(answer(&global, true), Err(Rejected::FirstAddress));
    assert_eq!(answer(&global, false), Ok(()));
    assert_eq!(answer(&both, true), Ok(()));
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
        let demand = Demands { interval: Some(interval), ..demands(version, &Authentication::None) };
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
        let demand = Demands { interval: Some(interval), ..demands(version, &auth) };
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
