//! `vipd.toml`: what it means, what is said of it, and that it can say what keepalived.conf can.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that is not as it should be may end the test"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use vipd::config::convert::{Refusal, convert};
use vipd::config::diagnostic::Severity;
use vipd::config::model::{
    AntiReplay, Authentication, Command, Config, Errand, Firewall, Gaps, Globals, Hmac, HmacMode,
    InitFile, Instance, Ipvlan, IpvlanMode, Mark, Notify, OldChecksum, Pacing, PacingGroup, Peer,
    PeerHost, Precedence, Process, Reload, ScriptUser, SyncGroup, TrackFile, TrackScript, Tracked,
    TrackedInterface, TrackedScript, Transport, VirtualMac,
};
use vipd::config::source::{Disk, Memory};
use vipd::config::toml::emit;
use vipd::config::{Loaded, Options, load};
use vipd::types::{
    Broadcast, Family, InterfaceName, Interval, Priority, Scope, Secret, Version, VirtualAddress,
    Vrid,
};
use vipd::vrrp::election::Weight;
use vipd::vrrp::instance::{Announcement, InstanceConfig, RouterAdvertisement};
use vipd::wire::auth::hmac::{Key, KeyId};
use vipd::wire::ndisc::{Preference, Prefix, RouterAdvert};

fn fixture(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join("tests/toml").join(name)).unwrap()
}

fn of(text: &str) -> Loaded {
    with(&Memory::default(), text)
}

fn with(files: &Memory, text: &str) -> Loaded {
    let mut options = Options::default();
    for (name, value) in [
        ("KEY", "0123456789abcdef0123456789abcdef"),
        ("CREDENTIALS_DIRECTORY", "/run/credentials"),
    ] {
        options
            .environment
            .insert(name.to_owned(), value.to_owned());
    }
    let reader = files.clone().with("/etc/vipd/vipd.toml", text);
    load("/etc/vipd/vipd.toml", &options, &reader)
}

/// What is said, a line for each problem.
fn said(loaded: &Loaded) -> String {
    let lines = loaded.diagnostics.iter().map(|d| {
        let label = d.labels.first();
        let place = label.map(|l| loaded.sources.position(l.span));
        let (line, column) = place.unwrap_or((0, 0));
        let text = label.map(|l| l.text.as_str()).unwrap_or_default();
        let help = d.help.as_deref().unwrap_or_default();
        format!(
            "{line}:{column} {:?} {} {} [{text}] ({help})\n",
            d.severity, d.code, d.message
        )
    });
    lines.collect()
}

#[test]
fn every_key_reaches_the_model() {
    let files = Memory::default()
        .with("/etc/vipd/vipd.d/more.toml", fixture("more.toml"))
        .with("/password", "s3cret\n")
        .with("/key", format!("hex:{}\n", "0a".repeat(32)))
        .with("/run/credentials/vrrp", "f".repeat(32));
    let loaded = with(&files, &fixture("everything.toml"));
    insta::assert_snapshot!("everything-diagnostics", said(&loaded));
    insta::assert_debug_snapshot!("everything", loaded.config);
    let again = of(&emit(&loaded.config));
    assert_eq!(again.config, loaded.config, "{}", emit(&loaded.config));
}

#[test]
fn every_mistake_is_an_error_with_its_place() {
    let loaded = of(&fixture("mistakes.toml"));
    insta::assert_snapshot!("mistakes", said(&loaded));
    assert!(loaded.is_refused());
    let loaded = of(&fixture("syntax.toml"));
    insta::assert_snapshot!("syntax", said(&loaded));
    assert!(loaded.is_refused());
}

#[test]
fn defaults_hold_for_every_instance_that_says_nothing_else() {
    let defaults = "[defaults]\ninterface = \"eth0\"\nversion = 3\npriority = 150\n\
        interval = \"200ms\"\npreempt = false\nlisten_before_lead = true\n\
        track.interfaces = [\"eth1\"]\nannounce.repeat = 3\nnotify = \"/bin/all\"\n\
        unicast.peers = [\"192.0.2.2\"]\n";
    let plain = "[instance.plain]\nvrid = 1\naddresses = [\"192.0.2.10/24\"]\n";
    let other = "[instance.other]\nvrid = 2\naddresses = [\"192.0.2.11/24\"]\n\
        interface = \"eth2\"\npriority = 50\nlisten_before_lead = false\n\
        track.interfaces = [\"eth3\"]\nannounce.delay = \"2s\"\nnotify.stop = \"/bin/one\"\n\
        multicast.source = \"192.0.2.1\"\nauth.hmac = { keys = { 1 = \"hex:";
    let other = format!("{other}{}\" }}, active = 1 }}\n", "0a".repeat(32));
    let written = "interface = \"eth0\"\nversion = 3\npriority = 150\ninterval = \"200ms\"\n\
        preempt = false\nlisten_before_lead = true\ntrack.interfaces = [\"eth1\"]\n\
        announce.repeat = 3\nnotify = \"/bin/all\"\nunicast.peers = [\"192.0.2.2\"]\n";
    let same = "version = 3\ninterval = \"200ms\"\npreempt = false\nannounce.repeat = 3\n";
    let short = of(&format!("{defaults}{plain}{other}"));
    let long = of(&format!("{plain}{written}{other}{same}"));
    assert!(!short.is_refused(), "{}", said(&short));
    assert_eq!(short.config, long.config);
    // They stand before includes, too.
    let files = Memory::default().with("/etc/vipd/vipd.d/a.toml", plain);
    let included = with(&files, &format!("include = \"vipd.d/*.toml\"\n{defaults}"));
    assert_eq!(included.config.instances, short.config.instances[..1]);
    let origin = included.provenance.span("plain", "priority").unwrap();
    assert_eq!(included.sources.text(origin), "150");
}

#[test]
fn defaults_are_for_all_and_in_one_place() {
    let own = "[defaults]\nvrid = 5\naddresses = []\nipv6 = true\nexcluded = [\"192.0.2.1\"]\n";
    insta::assert_snapshot!(said(&of(own)), @r"
    1:1 Error K0504 `addresses` is an instance's own [] (write it in each `[instance.NAME]`)
    2:8 Error K0504 `vrid` is an instance's own [] (write it in each `[instance.NAME]`)
    4:8 Error K0504 `ipv6` is an instance's own [] (write it in each `[instance.NAME]`)
    5:13 Error K0504 `excluded` is an instance's own [] (write it in each `[instance.NAME]`)
    ");
    let files = Memory::default().with("/etc/vipd/vipd.d/a.toml", "[defaults]\npriority = 5\n");
    let included = with(&files, "include = \"vipd.d/*.toml\"\n");
    insta::assert_snapshot!(said(&included), @"1:1 Error K0506 a file that is included has no `[defaults]` of its own [] (write them in the file that includes it)");
    let unknown = of("[defaults]\nadvert_int = 1\n");
    insta::assert_snapshot!(said(&unknown), @"2:1 Error K0502 `advert_int` is unknown here [] (in vipd.toml it is `interval`)");
}

#[test]
fn the_shortest_file_is_the_shortest_keepalived_conf() {
    let toml =
        of("[instance.web]\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"192.0.2.10/24\"]\n");
    let conf = "vrrp_instance web {\ninterface eth0\nvirtual_router_id 51\n\
        virtual_ipaddress { 192.0.2.10/24 }\n}\n";
    let conf = load(
        "main",
        &Options::default(),
        &Memory::default().with("main", conf),
    );
    assert_eq!(toml.diagnostics, []);
    assert_eq!(toml.config, conf.config);
    assert_eq!(toml.config.instances.len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let loaded = load("none.toml", &Options::default(), &Memory::default());
    assert!(loaded.is_refused());
    let loaded = of("include = [\"vipd.d/*.toml\", \"other.toml\"]\n");
    assert_eq!(loaded.diagnostics, []);
}

/// An instance with these lines.
fn instance_of(lines: &str) -> Loaded {
    of(&format!(
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\n{lines}"
    ))
}

#[test]
fn both_versions_are_for_ipv4_and_have_no_authentication_header() {
    let four = "version = \"both\"\naddresses = [\"192.0.2.10/24\"]\n";
    let loaded = instance_of(&format!(
        "{four}interval = \"2s\"\nauth.password = \"1234\"\n"
    ));
    assert_eq!(said(&loaded), "");
    let instance = &loaded.config.instances[0];
    assert_eq!(instance.protocol.version, Version::V3);
    assert!(instance.protocol.with_version_2);
    assert!(matches!(
        instance.authentication,
        Authentication::Password(_)
    ));
    for (lines, code) in [
        (format!("{four}auth.ah = \"1234\"\n"), "K0504"),
        (
            "version = \"both\"\naddresses = [\"fe80::51/64\"]\n".to_owned(),
            "K0507",
        ),
        (
            "version = \"all\"\naddresses = [\"192.0.2.10/24\"]\n".to_owned(),
            "K0503",
        ),
    ] {
        let loaded = instance_of(&lines);
        assert!(
            loaded.is_refused() && said(&loaded).contains(code),
            "{}",
            said(&loaded)
        );
    }
}

#[test]
fn with_both_versions_a_part_of_a_second_is_named() {
    let lines = "version = \"both\"\ninterval = \"1500ms\"\naddresses = [\"192.0.2.10/24\"]\n";
    let loaded = instance_of(lines);
    let said = said(&loaded);
    assert!(
        said.contains("Advice K0508 routers that speak version 2 alone are told 2 s"),
        "{said}"
    );
    assert!(!loaded.is_refused());
}

/// RFC 9568 §6.1: advice, and an error where it is demanded of others too.
#[test]
fn a_list_of_ipv6_addresses_should_begin_with_a_link_local_one() {
    let global = "addresses = [\"fd00::100/64\", \"fe80::51/64\"]\n";
    let advice = instance_of(global);
    assert!(
        said(&advice).contains("4:14 Advice K0429"),
        "{}",
        said(&advice)
    );
    assert!(!advice.is_refused());
    let error = instance_of(&format!("{global}require_link_local = true\n"));
    assert!(
        said(&error).contains("4:14 Error K0429"),
        "{}",
        said(&error)
    );
    assert!(error.is_refused());
    let first = "addresses = [\"fe80::51/64\", \"fd00::100/64\"]\nrequire_link_local = true\n";
    let right = instance_of(first);
    assert_eq!(said(&right), "");
    assert!(right.config.instances[0].require_link_local);
    let four = instance_of("addresses = [\"192.0.2.10/24\"]\nrequire_link_local = true\n");
    assert!(
        four.is_refused() && said(&four).contains("K0507"),
        "{}",
        said(&four)
    );
}

#[test]
fn router_advertisements_have_the_defaults_of_rfc_4861() {
    let first = "addresses = [\"fe80::51/64\", \"fd00::100/64\"]\n";
    let loaded = instance_of(&format!(
        "{first}[instance.web.router_advertisement]\nprefixes = [\"2001:db8::/64\"]\n"
    ));
    assert_eq!(said(&loaded), "");
    let wanted = loaded.config.instances[0]
        .protocol
        .router_advertisement
        .clone();
    let expected = RouterAdvertisement {
        interval: Duration::from_secs(200),
        content: RouterAdvert {
            hop_limit: 64,
            lifetime: Duration::from_secs(600),
            prefixes: vec![Prefix {
                address: "2001:db8::".parse().unwrap(),
                length: 64,
                on_link: true,
                autonomous: true,
                valid_lifetime: 2_592_000,
                preferred_lifetime: 604_800,
            }],
            ..RouterAdvert::default()
        },
    };
    assert_eq!(wanted, Some(expected));
}

#[test]
fn router_advertisements_that_no_host_could_use_are_refused() {
    let six = "addresses = [\"fe80::51/64\"]\n";
    for (addresses, table, code) in [
        (six, "interval = \"3s\"", "K0503 `interval` is 4s to 1800s"),
        (six, "interval = \"1801s\"", "K0503 `interval`"),
        (six, "lifetime = \"199s\"", "K0503 `lifetime`"),
        (six, "lifetime = \"9001s\"", "K0503 `lifetime`"),
        (six, "lifetime = \"300.5s\"", "K0503 `lifetime`"),
        (six, "hop_limit = 256", "K0503 `hop_limit`"),
        (six, "mtu = 1279", "K0503 `mtu`"),
        (six, "preference = \"best\"", "K0503"),
        (six, "prefixes = [\"2001:db8::\"]", "K0503 a prefix is"),
        (six, "prefixes = [\"2001:db8::1/64\"]", "K0503 a prefix is"),
        (six, "prefixes = [\"2001:db8::/129\"]", "K0503 a prefix is"),
        (six, "prefixes = [\"fe80::/64\"]", "K0503 a prefix is"),
        (
            six,
            "prefixes = [\"2001:db8::/48\"]",
            "K0503 hosts make addresses",
        ),
        (
            six,
            "prefixes = [{ prefix = \"2001:db8::/64\", valid = \"1h\", preferred = \"2h\" }]",
            "K0503 `preferred`",
        ),
        (
            "addresses = [\"fd00::1/64\", \"fe80::51/64\"]\n",
            "",
            "K0509",
        ),
        ("ipv6 = true\naddresses = []\n", "", "K0509"),
        ("addresses = [\"192.0.2.10/24\"]\n", "", "K0507"),
    ] {
        let loaded = instance_of(&format!(
            "{addresses}router_advertisement = {{ {table} }}\n"
        ));
        let said = said(&loaded);
        assert!(
            loaded.is_refused() && said.contains(code),
            "{table}: {said}"
        );
    }
    let zero = instance_of(&format!(
        "{six}router_advertisement = {{ lifetime = \"0s\" }}\n"
    ));
    assert_eq!(said(&zero), "");
}

#[test]
fn the_origin_of_a_value_is_known() {
    let loaded = of(
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\npriority = 150\n\
        addresses = [\"192.0.2.10/24\"]\n",
    );
    let origin = |keyword| {
        let span = loaded.provenance.span("web", keyword).unwrap();
        loaded.sources.text(span)
    };
    assert_eq!(origin("priority"), "150");
    assert_eq!(origin("vrrp_instance"), "web");
    assert_eq!(origin("192.0.2.10/24"), "\"192.0.2.10/24\"");
}

/// The configurations that the tests have, and those of other people where they are at hand.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![
        root.join("tests/config"),
        root.join("examples"),
        root.join("../shared/corpus/keepalived"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "conf") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_keepalived_conf_says_can_be_said_in_toml() {
    let mut instances = 0;
    let files = files();
    for path in &files {
        let conf = load(path.to_str().unwrap(), &Options::default(), &Disk);
        let text = emit(&conf.config);
        let toml = of(&text);
        assert_eq!(toml.config, conf.config, "{}\n{text}", path.display());
        let errors: Vec<_> = toml.diagnostics.iter().collect();
        let errors = errors.iter().filter(|d| d.severity == Severity::Error);
        assert_eq!(errors.count(), 0, "{}\n{}", path.display(), said(&toml));
        instances += conf.config.instances.len();
    }
    assert!(files.len() >= 6 && instances >= 6);
    println!("{} files with {instances} instances", files.len());
}

prop_compose! {
    fn user()(user in "[a-z0-9_.-]{1,8}", group in option::of("[a-z0-9_.-]{1,8}")) -> ScriptUser {
        ScriptUser { user, group, all_groups: false }
    }
}

prop_compose! {
    fn command()(
        program in "/[a-z/ ]{0,8}[a-z]", words in vec("\\PC{0,8}|[ \t\"'\\\\x#!$a-z]{0,8}", 0..4),
        user in option::of(user())
    ) -> Command {
        let argv = std::iter::once(program).chain(words).collect();
        Command { argv, user }
    }
}

fn weight() -> impl Strategy<Value = Weight> {
    (-253_i16..=253, any::<bool>()).prop_map(|(points, reverse)| Weight { points, reverse })
}

prop_compose! {
    fn script(name: String)(
        command in command(), interval in 1_u64..100_000, timeout in 1_u64..100_000,
        weight in weight(), rise in 1_u32..1000, fall in 1_u32..1000, init_fail: bool
    ) -> TrackScript {
        TrackScript {
            name: name.clone(), command, weight, rise, fall, init_fail,
            interval: Duration::from_millis(interval), timeout: Duration::from_millis(timeout),
        }
    }
}

prop_compose! {
    fn file(name: String)(
        path in "/[a-z é\"#{}$]{1,9}", points in -254_i16..=254, reverse: bool,
        init in option::of((any::<i32>(), any::<bool>()))
    ) -> TrackFile {
        TrackFile {
            name: name.clone(),
            path: path.into(),
            weight: Weight { points, reverse },
            init: init.map(|(value, overwrite)| InitFile { value, overwrite }),
        }
    }
}

/// Names of trackers with the weights that they have here.
fn tracked(names: Vec<String>, most: i16) -> impl Strategy<Value = Vec<Tracked>> {
    let weight = (-most..=most, any::<bool>());
    vec(weight, names.len()).prop_map(move |weights| {
        let weights = weights.into_iter();
        let weights = weights.map(|(points, reverse)| Weight { points, reverse });
        let names = names.iter().cloned();
        names
            .zip(weights)
            .map(|(name, weight)| Tracked { name, weight })
            .collect()
    })
}

fn group_notify() -> impl Strategy<Value = Notify> {
    vec(option::of(command()), 5).prop_map(|programs| {
        let mut programs = programs.into_iter();
        let mut next = || programs.next().flatten();
        Notify {
            any: next(),
            active: next(),
            backup: next(),
            fault: next(),
            stop: next(),
            ..Notify::default()
        }
    })
}

fn notify() -> impl Strategy<Value = Notify> {
    let more = (option::of(command()), option::of(command()), any::<bool>());
    (group_notify(), more).prop_map(|(notify, (deleted, heard_lower_priority, says))| Notify {
        says_deleted: says || deleted.is_some(),
        deleted,
        heard_lower_priority,
        ..notify
    })
}

fn interface() -> impl Strategy<Value = InterfaceName> {
    "[a-z][a-z0-9.]{0,6}[a-z0-9]"
        .prop_filter("no virtual router runs on it", |name| name != "lo")
        .prop_map(|name| InterfaceName::new(&name).unwrap())
}

fn address4() -> impl Strategy<Value = VirtualAddress> {
    let ip = || any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits)));
    let scope = select(vec![
        Scope::Global,
        Scope::Site,
        Scope::Link,
        Scope::Host,
        Scope::Nowhere,
        Scope::Other(7),
    ]);
    let broadcast = prop_oneof![
        Just(Broadcast::HostBitsSet),
        Just(Broadcast::HostBitsClear),
        any::<u32>().prop_map(|bits| Broadcast::Address(bits.into())),
    ];
    let what = (
        ip(),
        1_u8..=30,
        scope,
        option::of("[a-z:0-9]{1,15}"),
        option::of(broadcast),
    );
    let options = (
        option::of(ip()),
        any::<bool>(),
        any::<bool>(),
        any::<(bool, bool)>(),
    );
    (what, options, option::of(interface())).prop_map(|(what, options, interface)| {
        let (ip, length, scope, label, broadcast) = what;
        let (peer, no_prefix_route, autojoin, (untracked, virtual_mac)) = options;
        VirtualAddress {
            interface,
            scope,
            label,
            broadcast,
            no_prefix_route,
            autojoin,
            untracked,
            virtual_mac,
            peer: peer.map(|peer| (peer, length)),
            ..VirtualAddress::new(ip, length)
        }
    })
}

fn address6() -> impl Strategy<Value = VirtualAddress> {
    let flags = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<(bool, bool)>(),
    );
    let life = option::of(prop_oneof![Just(u32::MAX), any::<u32>()]);
    (any::<u128>(), 1_u8..=128, flags, life).prop_map(|(ip, length, flags, life)| {
        let (home, duplicate_detection, manage_temporary, last) = flags;
        let (no_prefix_route, virtual_mac) = last;
        VirtualAddress {
            home,
            duplicate_detection,
            manage_temporary,
            no_prefix_route,
            virtual_mac,
            preferred_lifetime: life,
            ..VirtualAddress::new(Ipv6Addr::from(ip).into(), length)
        }
    })
}

fn transport() -> impl Strategy<Value = Transport> {
    let ip = || any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits)));
    let host = prop_oneof![
        3 => ip().prop_map(PeerHost::Address),
        1 => "[a-z][a-z0-9]{0,5}(\\.[a-z]{2,3})?".prop_map(PeerHost::Name),
    ];
    let peer = (host, any::<u8>(), any::<u8>()).prop_map(|(host, a, b)| Peer {
        host,
        min_hop_limit: a.min(b),
        max_hop_limit: a.max(b),
    });
    let group = any::<u8>().prop_map(|last| IpAddr::from([224, 0, 0, last]));
    prop_oneof![
        (group, option::of(ip()))
            .prop_map(|(group, source)| Transport::Multicast { group, source }),
        (
            option::of(ip()),
            vec(peer, 0..4),
            any::<u8>(),
            any::<bool>(),
            prop_oneof![
                Just(OldChecksum::Answer),
                Just(OldChecksum::Always),
                Just(OldChecksum::Never)
            ],
        )
            .prop_map(|(source, mut peers, ttl, check, old_checksum)| {
                let mut seen = std::collections::BTreeSet::new();
                peers.retain(|p| seen.insert(p.host.clone()));
                let ranged = |p: &Peer| *p != Peer::new(p.host.clone());
                let check_source = check || peers.iter().any(ranged);
                Transport::Unicast {
                    source,
                    peers,
                    ttl,
                    check_source,
                    old_checksum,
                }
            }),
    ]
}

/// The same with addresses of the other family.
fn over_ipv6(transport: Transport) -> Transport {
    let six = |ip: IpAddr| match ip {
        IpAddr::V4(four) if four.is_multicast() => {
            IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, u16::from(four.octets()[3])])
        }
        IpAddr::V4(four) => four.to_ipv6_mapped().into(),
        six => six,
    };
    match transport {
        Transport::Multicast { group, source } => Transport::Multicast {
            group: six(group),
            source: source.map(six),
        },
        Transport::Unicast {
            source,
            peers,
            ttl,
            check_source,
            old_checksum,
        } => Transport::Unicast {
            source: source.map(six),
            peers: peers
                .into_iter()
                .map(|peer| Peer {
                    host: match peer.host {
                        PeerHost::Address(address) => six(address).into(),
                        name @ PeerHost::Name(_) => name,
                    },
                    ..peer
                })
                .collect(),
            ttl,
            check_source,
            old_checksum,
        },
    }
}

prop_compose! {
    fn virtual_mac()(
        own: bool, tail: [u8; 5], device in option::of(interface()),
        group in option::of("[a-z0-9]{1,8}"), advertise_from_base: bool
    ) -> VirtualMac {
        let [a, b, c, d, e] = tail;
        let mac = [if own { 2 } else { 0 }, a, b, c, d, e];
        VirtualMac { mac, device, group, advertise_from_base }
    }
}

prop_compose! {
    fn ipvlan()(
        device in option::of(interface()), group in option::of("[a-z0-9]{1,8}"),
        mode in prop::sample::select(vec![IpvlanMode::Bridge, IpvlanMode::Private, IpvlanMode::Vepa]),
        address in option::of(any::<u32>()), length in 0_u8..=32
    ) -> Ipvlan {
        let address = address.map(|ip| (IpAddr::V4(ip.into()), length));
        Ipvlan { device, address, mode, group }
    }
}

/// Nothing, or at least a millisecond.
fn long() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 1_000_u64..4_000_000_000].prop_map(Duration::from_micros)
}

fn pacing() -> impl Strategy<Value = Pacing> {
    let gaps = || (long(), long()).prop_map(|(arp, ndisc)| Gaps { arp, ndisc });
    let groups = vec((vec(interface(), 1..3), gaps()), 0..3);
    (gaps(), groups).prop_map(|(default, groups)| {
        let mut seen = std::collections::BTreeSet::new();
        let groups = groups.into_iter().map(|(mut interfaces, gaps)| {
            interfaces.retain(|i| seen.insert(i.clone()));
            PacingGroup { interfaces, gaps }
        });
        let groups = groups.filter(|g| !g.interfaces.is_empty()).collect();
        Pacing { default, groups }
    })
}

fn firewall() -> impl Strategy<Value = Firewall> {
    ("[a-z]{1,8}", any::<i32>(), any::<bool>()).prop_map(|(table, priority, counters)| Firewall {
        table,
        priority,
        counters,
    })
}

prop_compose! {
    fn precedence()(
        nice in option::of(-20_i8..20),
        real_time in option::of(1_u8..100),
        ceiling in option::of(0_u8..100),
        limit_micros in option::of(2_u32..),
        processors in proptest::collection::btree_set(0_u16..1024, 0..4),
    ) -> Precedence {
        let processors = processors.into_iter().collect();
        Precedence { nice, real_time, ceiling, limit_micros, processors }
    }
}

prop_compose! {
    fn errand()(command in command(), seconds in 1_u64..1000) -> Errand {
        Errand { command, timeout: Duration::from_secs(seconds) }
    }
}

fn path() -> impl Strategy<Value = PathBuf> {
    "/[a-z /]{0,8}[a-z]".prop_map(PathBuf::from)
}

fn reload() -> impl Strategy<Value = Reload> {
    let mark = prop_oneof![Just(Mark::Usual), path().prop_map(Mark::At)];
    let report = prop_oneof![
        Just((false, None)),
        Just((true, None)),
        path().prop_map(|path| (true, Some(path)))
    ];
    (
        option::of(path()),
        any::<bool>(),
        option::of(mark),
        report,
        option::of(path()),
    )
        .prop_map(
            |(time_file, daily, mark, (strict, report), archive)| Reload {
                time_file,
                daily,
                mark,
                strict,
                report,
                archive,
            },
        )
}

fn process() -> impl Strategy<Value = Process> {
    let name = || option::of("[a-zé ]{1,7}");
    (
        (
            option::of("[a-z]{1,8}"),
            option::of("[a-z]{1,8}"),
            any::<bool>(),
        ),
        (name(), name(), precedence()),
        (
            option::of(0_u32..0o1000),
            option::of(errand()),
            option::of(errand()),
        ),
        (reload(), any::<bool>()),
    )
        .prop_map(|(identity, names, files, rest)| Process {
            namespace: identity.0,
            instance: identity.1,
            pid_folder: identity.2,
            name: names.0,
            engine_name: names.1,
            precedence: names.2,
            umask: files.0,
            startup: files.1,
            shutdown: files.2,
            reload: rest.0,
            log_strangers: rest.1,
        })
}

fn announcement() -> impl Strategy<Value = Announcement> {
    let time = || option::of((1_u64..4_000).prop_map(Duration::from_secs));
    let times = (time(), time(), time(), time());
    (times, 1_u32..100, 1_u32..100, 0_u32..100).prop_map(
        |(times, repeat, refresh_repeat, lower_priority_repeat)| {
            let (delay, refresh, lower_priority_delay, elsewhere) = times;
            Announcement {
                repeat,
                delay,
                refresh,
                refresh_repeat,
                lower_priority_repeat,
                lower_priority_delay,
                elsewhere,
                elsewhere_devices_only: elsewhere.is_some() && repeat % 2 == 0,
            }
        },
    )
}

fn hmac() -> impl Strategy<Value = Hmac> {
    let key = vec(any::<u8>(), 32..=64).prop_map(|bytes| Key::new(&bytes).unwrap());
    let id = (1_u8..=255).prop_map(|id| KeyId::new(id).unwrap());
    let keys = proptest::collection::btree_map(id, key, 1..4);
    let modes = select(vec![
        HmacMode::Enforce,
        HmacMode::Permissive,
        HmacMode::ReceiveOnly,
    ]);
    let replay = select(vec![AntiReplay::Time, AntiReplay::Monotonic]);
    (keys, 1_u64..=300, replay, modes).prop_map(|(keys, window, anti_replay, mode)| {
        let active = *keys.keys().next().unwrap();
        Hmac {
            keys,
            active,
            window: Duration::from_secs(window),
            anti_replay,
            mode,
        }
    })
}

fn router_advertisement() -> impl Strategy<Value = RouterAdvertisement> {
    let prefix = (
        any::<u64>(),
        0_u8..=64,
        any::<[bool; 2]>(),
        any::<[u32; 2]>(),
    )
        .prop_map(|(bits, length, [on_link, autonomous], [a, b])| {
            let length = if autonomous { 64 } else { length };
            let beyond = u128::MAX.checked_shr(length.into()).unwrap_or(0);
            // Unique local, so neither link-local nor multicast.
            let bits = (0xfd << 120) | (u128::from(bits) << 56);
            Prefix {
                address: Ipv6Addr::from_bits(bits & !beyond),
                length,
                on_link,
                autonomous,
                valid_lifetime: a.max(b),
                preferred_lifetime: a.min(b),
            }
        });
    let preference = select(vec![Preference::Low, Preference::Medium, Preference::High]);
    let mtu = option::of(1280_u32..=65535);
    let rest = (any::<[bool; 3]>(), any::<u8>(), mtu, preference);
    (4_000_u64..=1_800_000, 0_u64..=7200, vec(prefix, 0..3), rest).prop_map(
        |(interval, more, prefixes, ([managed, other, none], hop_limit, mtu, preference))| {
            let lifetime = if none {
                0
            } else {
                interval.div_ceil(1000) + more
            };
            RouterAdvertisement {
                interval: Duration::from_millis(interval),
                content: RouterAdvert {
                    hop_limit,
                    managed,
                    other,
                    preference,
                    lifetime: Duration::from_secs(lifetime),
                    mtu,
                    prefixes,
                    ..RouterAdvert::default()
                },
            }
        },
    )
}

prop_compose! {
    fn protocol()(
        v3: bool, priority in 1_u8..=255, interval in 1_u16..=4095, preempt_mode: bool,
        delay in 0_u64..2_000_000, start_active: bool, down in 1_u8..=100, lower: bool,
        higher: bool, announcement in announcement(), hears: bool, late in option::of(1_u8..=254),
        listen: bool, both: bool
    ) -> InstanceConfig {
        let version = if v3 { Version::V3 } else { Version::V2 };
        let owner = priority == 255;
        let preempt_mode = preempt_mode || owner;
        let centis = if v3 { interval } else { interval % 255 * 100 + 100 };
        InstanceConfig {
            version, preempt_mode, announcement,
            with_version_2: both && v3,
            priority: Priority::new(priority),
            advertisement_interval: Interval::from_centis(centis).unwrap(),
            preempt_delay: Duration::from_micros(if preempt_mode { delay } else { 0 }),
            start_active: owner && start_active,
            down_timer_adverts: down,
            answer_lower_priority: lower,
            answer_higher_priority: higher,
            owner_hears_adverts: hears || !owner,
            late_timer_priority: late.filter(|_| !preempt_mode).map(Priority::new),
            listen_before_lead: listen,
            ..InstanceConfig::new(Vrid::new(1).unwrap())
        }
    }
}

prop_compose! {
    fn instance(name: String, vrid: u8, scripts: Vec<String>, files: Vec<String>)(
        interface in interface(), mut protocol in protocol(), transport in transport(),
        mut addresses in vec(address4(), 0..5), mut excluded in vec(prop_oneof![address4(), address6()], 0..3),
        password in option::of("\\PC{1,2}"), header: bool, hmac in option::of(hmac()),
        checksum: bool, ignore: bool, weights in vec(weight(), scripts.len()),
        interfaces in vec((self::interface(), weight()), 0..3), notify in notify(),
        virtual_mac in option::of(virtual_mac()), accept: bool,
        ipvlan in option::of(ipvlan()), vrf in option::of(self::interface()), promote_secondaries: bool,
        track_source: bool, skip_address_check: bool, link_local: bool, routed: bool,
        files in tracked(files, 254),
        own6 in option::of(vec(address6(), 0..4)), routes in option::of(router_advertisement())
    ) -> Instance {
        protocol.vrid = Vrid::new(vrid).unwrap();
        let mut transport = transport;
        let password = password.filter(|_| own6.is_none());
        if let Some(own6) = own6 {
            protocol.family = Family::V6;
            protocol.with_version_2 = false;
            addresses = own6;
            if link_local {
                addresses.insert(0, VirtualAddress::new("fe80::51".parse().unwrap(), 64));
            }
            transport = over_ipv6(transport);
        }
        let has_source = matches!(&transport, Transport::Unicast { source: Some(_), peers, .. } if !peers.is_empty());
        let mut ipvlan = ipvlan.filter(|_| virtual_mac.is_none());
        if let Some((IpAddr::V4(ip), length)) = ipvlan.as_ref().and_then(|own| own.address)
            && protocol.family == Family::V6
        {
            ipvlan.as_mut().unwrap().address = Some((IpAddr::V6(ip.to_ipv6_mapped()), length));
        }
        // No other device may be on the interface of an ipvlan.
        let interface = match &ipvlan {
            Some(_) => InterfaceName::new(&format!("ipvlan-{vrid}")).unwrap(),
            None => interface,
        };
        let device = virtual_mac.is_some() || ipvlan.is_some();
        let interface = Some(interface).filter(|_| !(routed && has_source && !device));
        let vrf = vrf.filter(|_| interface.is_none());
        if interface.is_none() {
            for address in addresses.iter_mut().chain(&mut excluded) {
                address.interface.get_or_insert(InterfaceName::new("eth0").unwrap());
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut fresh = |a: &VirtualAddress| seen.insert((a.address, a.interface.clone()));
        addresses.retain(&mut fresh);
        excluded.retain(&mut fresh);
        let owner = protocol.priority == Priority::OWNER;
        let settle = |mut weight: Weight| {
            weight.points = if owner { 0 } else { weight.points };
            weight
        };
        let old = protocol.version == Version::V2 || protocol.with_version_2;
        let header = header && protocol.version == Version::V2;
        let begins = |a: &VirtualAddress| matches!(a.address, IpAddr::V6(ip) if ip.is_unicast_link_local());
        protocol.router_advertisement = routes.filter(|_| addresses.first().is_some_and(begins));
        let require_link_local = link_local && addresses.first().is_some_and(begins);
        let authentication = match (hmac, password) {
            (Some(hmac), _) => Authentication::Hmac(hmac),
            (None, Some(text)) if old => {
                let secret = Secret::new(text.as_bytes());
                if header { Authentication::Header(secret) } else { Authentication::Password(secret) }
            }
            _ => Authentication::None,
        };
        let mut seen: std::collections::BTreeSet<_> = interface.iter().cloned().collect();
        let track_interfaces = interfaces.into_iter().filter(|i| seen.insert(i.0.clone()));
        let track_interfaces = track_interfaces
            .map(|(interface, weight)| TrackedInterface { interface, weight: settle(weight) })
            .collect();
        let track_scripts = scripts.iter().cloned().zip(weights)
            .map(|(script, weight)| TrackedScript { script, weight: settle(weight) })
            .collect();
        let unicast = matches!(&transport, Transport::Unicast { .. });
        let track_files = files.into_iter()
            .map(|mut tracked| {
                tracked.weight = settle(tracked.weight);
                tracked
            })
            .collect();
        let virtual_mac = virtual_mac.map(|mut own| {
            own.advertise_from_base |= unicast;
            if own.mac[0] != 2 {
                own.mac = VirtualMac::address(protocol.family, protocol.vrid);
            }
            own
        });
        // Addresses that are on the instance's own device need not ask for one.
        let family = protocol.family;
        let here = |a: &VirtualAddress| {
            Family::of(&a.address) == family && (a.interface.is_none() || a.interface == interface)
        };
        // Nor may they ask for one beside an ipvlan.
        let beside = |a: &VirtualAddress| ipvlan.is_some() && (a.interface.is_none() || a.interface == interface);
        let asks = |a: &mut VirtualAddress| {
            a.virtual_mac &= !beside(a) && (virtual_mac.is_none() || !here(a));
        };
        addresses.iter_mut().chain(&mut excluded).for_each(asks);
        if virtual_mac.is_some() {
            protocol.handover_overlap = Duration::ZERO;
        }
        Instance {
            name: name.clone(), interface, vrf, ipvlan, promote_secondaries, protocol, authentication, transport, addresses, excluded,
            checksum_without_pseudo_header: checksum,
            require_link_local,
            accept_mode: accept || owner, virtual_mac, track_source, skip_address_check,
            ignore_own_interface: ignore, track_scripts, track_files, track_interfaces, notify,
        }
    }
}

fn config() -> impl Strategy<Value = Config> {
    let names = || proptest::collection::btree_set("[a-zA-Z_.é \"\\\\-]{1,8}", 0..4);
    (
        names(),
        names(),
        option::of("\\PC{0,6}"),
        option::of(user()),
        any::<bool>(),
        (
            firewall(),
            (option::of("[a-z]{1,8}"), option::of("[a-z]{1,8}")),
            [long(), long()],
            pacing(),
            process(),
            [any::<bool>(), any::<bool>()],
        ),
    )
        .prop_flat_map(
            |(
                scripts,
                instances,
                router_id,
                script_user,
                script_security,
                (
                    firewall,
                    prefixes,
                    [startup_delay, delay_after_boot],
                    pacing,
                    process,
                    [all_groups, follow_links],
                ),
            )| {
                let (device_prefix, address_device_prefix) = prefixes;
                let globals = Globals {
                    router_id,
                    script_user,
                    script_security,
                    firewall,
                    device_prefix,
                    address_device_prefix,
                    startup_delay,
                    delay_after_boot,
                    process,
                    all_groups,
                    follow_links,
                };
                let names: Vec<String> = scripts.into_iter().map(|s| format!("s{s}")).collect();
                let scripts: Vec<_> = names.iter().cloned().map(script).collect();
                let files: Vec<String> = names.iter().take(2).cloned().collect();
                let trackers = files.iter().cloned().map(file).collect::<Vec<_>>();
                let instances = instances.into_iter().zip(1..);
                let instances: Vec<_> = instances
                    .map(|(name, vrid)| instance(name, vrid, names.clone(), files.clone()))
                    .collect();
                (scripts, trackers, instances, group_notify(), any::<bool>()).prop_map(
                    move |(scripts, files, instances, notify, grouped)| {
                        let members = instances.iter().map(|i| i.name.clone()).collect();
                        let mut groups = vec![SyncGroup {
                            name: "g".to_owned(),
                            members,
                            notify,
                        }];
                        groups.retain(|g| grouped && !g.members.is_empty());
                        Config {
                            globals: globals.clone(),
                            pacing: pacing.clone(),
                            scripts,
                            files,
                            instances,
                            groups,
                        }
                    },
                )
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read_again(config in config()) {
        let text = emit(&config);
        let loaded = of(&text);
        prop_assert_eq!(&loaded.config, &config, "{}\n{}", text, said(&loaded));
    }

    /// What keepalived cannot say is refused or named; everything else is the same model.
    #[test]
    fn what_is_written_for_keepalived_is_read_again(config in config()) {
        let reader = Memory::default().with("vipd.toml", emit(&config));
        match convert("vipd.toml", &Options::default(), &reader, |_| Vec::new()) {
            Ok(converted) => {
                let reader = Memory::default().with("keepalived.conf", converted.text.as_str());
                let conf = load("keepalived.conf", &Options::default(), &reader).config;
                let mut wanted = config;
                for instance in &mut wanted.instances {
                    let protocol = &mut instance.protocol;
                    let routes = protocol.router_advertisement.take().is_some();
                    for (key, is_there) in [
                        ("listen_before_lead", std::mem::take(&mut protocol.listen_before_lead)),
                        ("require_link_local", std::mem::take(&mut instance.require_link_local)),
                        ("router_advertisement", routes),
                    ] {
                        let name = &instance.name;
                        let line = format!("`{key}` of {name} has no place here and is left out");
                        prop_assert_eq!(is_there, converted.left_out.contains(&line));
                    }
                }
                prop_assert_eq!(conf, wanted, "{}", converted.text);
            }
            Err(Refusal::Inexpressible(why)) => {
                // The words of a line have no way to hold these.
                let text = format!("{config:?}");
                let both = text.contains("with_version_2: true");
                let odd = both || text.contains("\\\"") || text.contains("\\\\") || text.len() > 3000;
                prop_assert!(odd, "{why:?}");
            }
            Err(Refusal::Wrong(loaded)) => prop_assert!(false, "{}", said(&loaded)),
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(\\PC|\n|[\\[\\]{}=\"'.#0-9]|instance|vrid|addresses|track){0,40}") {
        let loaded = of(&text);
        for diagnostic in &loaded.diagnostics {
            for label in &diagnostic.labels {
                prop_assert!(loaded.sources.position(label.span).0 > 0);
            }
        }
    }

    #[test]
    fn a_file_with_a_piece_cut_out_never_panics(at in 0_usize..3000, length in 0_usize..200) {
        let text = fixture("everything.toml");
        let cut: String = text.chars().take(at).chain(text.chars().skip(at + length)).collect();
        let loaded = of(&cut);
        prop_assert!(loaded.exit_status() <= 6);
    }
}
