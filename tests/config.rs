//! Whole configurations: what they mean, and what is said of them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use vipd::config::diagnostic::{Code, Diagnostic};
use vipd::config::model::{Peer, Transport};
use vipd::config::source::{Disk, Memory, SourceMap};
use vipd::config::{Loaded, Options, load};

fn loaded(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(name);
    let options = Options {
        config_id: "node1".to_owned(),
        ..Options::default()
    };
    load(path.to_str().expect("the path is UTF-8"), &options, &Disk)
}

fn of(text: &str) -> Loaded {
    let reader = Memory::default().with("main", text);
    load("main", &Options::default(), &reader)
}

/// Diagnostics as plain text, a line for each place.
fn text(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in diagnostics {
        writeln!(
            out,
            "{:?} {} {:?}: {}",
            d.severity, d.code, d.class, d.message
        )
        .expect("writing to a string works");
        for label in &d.labels {
            let (line, column) = sources.position(label.span);
            let place = sources.text(label.span).replace('\n', "⏎");
            writeln!(out, "    {line}:{column} `{place}` {}", label.text)
                .expect("writing to a string works");
        }
        if let Some(help) = &d.help {
            writeln!(out, "    help: {help}").expect("writing to a string works");
        }
    }
    out
}

fn said(loaded: &Loaded) -> String {
    text(&loaded.sources, &loaded.diagnostics)
}

fn names(loaded: &Loaded) -> Vec<&str> {
    let instances = loaded.config.instances.iter();
    instances.map(|i| i.name.as_str()).collect()
}

#[test]
fn everything_that_works_reaches_the_model() {
    let loaded = loaded("everything.conf");
    insta::assert_snapshot!("everything-diagnostics", said(&loaded));
    insta::assert_debug_snapshot!("everything", loaded.config);
    assert_eq!(loaded.exit_status(), 0);
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let loaded = loaded("mistakes.conf");
    insta::assert_snapshot!("mistakes", said(&loaded));
    assert_eq!(names(&loaded), ["B"]);
    assert!(loaded.is_refused());
}

#[test]
fn an_ipv6_instance_has_its_own_family_version_and_group() {
    let loaded = loaded("ipv6.conf");
    insta::assert_snapshot!("ipv6-diagnostics", said(&loaded));
    let shown: Vec<_> = loaded
        .config
        .instances
        .iter()
        .map(|instance| {
            let protocol = &instance.protocol;
            let addresses: Vec<_> = instance.all_addresses().map(ToString::to_string).collect();
            format!(
                "{} {:?} {:?} {:?} {:?} {addresses:?}",
                instance.name,
                protocol.family,
                protocol.version,
                protocol.advertisement_interval,
                instance.transport
            )
        })
        .collect();
    insta::assert_snapshot!("ipv6", shown.join("\n"));
}

#[test]
fn what_does_not_work_yet_says_so_and_the_rest_runs() {
    let loaded = loaded("later.conf");
    insta::assert_snapshot!("later", said(&loaded));
    assert_eq!(names(&loaded), ["ONE"]);
    assert!(!loaded.is_refused());
}

#[test]
fn a_sync_group_gives_its_trackers_to_its_members() {
    let loaded = loaded("groups.conf");
    insta::assert_snapshot!("groups-diagnostics", said(&loaded));
    insta::assert_debug_snapshot!("groups", loaded.config.groups);
    let tracked = |i: &vipd::config::model::Instance| {
        let scripts = i.track_scripts.iter();
        let scripts = scripts.map(|t| format!("{} {}", t.script, t.weight.points));
        let interfaces = i.track_interfaces.iter();
        let interfaces = interfaces.map(|t| format!("{} {}", t.interface, t.weight.points));
        let all: Vec<_> = scripts.chain(interfaces).collect();
        format!("{}: {}", i.name, all.join(", "))
    };
    let tracked: Vec<_> = loaded.config.instances.iter().map(tracked).collect();
    // INSIDE's own weight is taken away, then the script comes back as the group's.
    let expected = [
        "OUTSIDE: well -20, eth9 0",
        "INSIDE: well -20, eth2 0, eth9 0",
        "HEAVY: well 5",
    ];
    assert_eq!(tracked, expected);
}

#[test]
fn templates_expand_to_instances() {
    let loaded = loaded("templates.conf");
    insta::assert_snapshot!("templates-diagnostics", said(&loaded));
    let brief: Vec<_> = loaded
        .config
        .instances
        .iter()
        .map(|i| {
            let addresses: Vec<_> = i.addresses.iter().map(ToString::to_string).collect();
            format!(
                "{} {} {} {}",
                i.name,
                i.protocol.vrid,
                i.protocol.priority,
                addresses.join(" ")
            )
        })
        .collect();
    insta::assert_debug_snapshot!(brief, @r#"
    [
        "VI_1 1 150 10.20.0.1/24",
        "VI_2 2 150 10.20.0.2/24",
        "LIST 9 100 10.20.1.7/32 10.20.1.8/32",
    ]
    "#);
}

#[test]
fn the_founding_pair_loads() {
    for (name, priority) in [
        ("keepalived-master.conf", 100),
        ("keepalived-backup.conf", 99),
    ] {
        let loaded = loaded(name);
        let [instance] = loaded.config.instances.as_slice() else {
            panic!("{name}")
        };
        assert_eq!(instance.protocol.priority.get(), priority);
        assert_eq!(instance.addresses[0].to_string(), "192.168.1.100/32");
        assert!(!loaded.is_refused());
    }
}

#[test]
fn the_origin_of_a_value_is_known() {
    let loaded = loaded("everything.conf");
    let origin = |block, keyword| {
        let span = loaded.provenance.span(block, keyword).unwrap();
        loaded.sources.text(span)
    };
    assert_eq!(origin("OUTSIDE", "priority"), "priority 150");
    assert_eq!(origin("OUTSIDE", "vrrp_instance"), "vrrp_instance OUTSIDE");
    assert_eq!(origin("OUTSIDE", "disk"), "disk weight 7 noreverse");
    assert_eq!(origin("OUTSIDE", "eth1"), "eth1 weight -20");
    assert_eq!(
        origin("OUTSIDE", "192.0.2.11/24"),
        "192.0.2.11/24 no_track noprefixroute"
    );
    assert_eq!(origin("proxy", "fall"), "fall 3");
    assert_eq!(origin("global_defs", "router_id"), "router_id edge-1");
    let interfaces: Vec<_> = loaded.interfaces.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(
        interfaces,
        ["eth0", "eth0", "eth1", "eth2", "eth1", "eth1", "eth1"]
    );
}

#[test]
fn globals_count_from_where_they_stand() {
    let instance = |name: &str, vrid: u8| {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n\
             virtual_ipaddress {{\n10.0.0.{vrid}\n}}\n}}\n"
        )
    };
    let text = instance("A", 1) + "global_defs {\nvrrp_version 3\n}\n" + &instance("B", 2);
    let versions: Vec<_> = of(&text)
        .config
        .instances
        .iter()
        .map(|i| i.protocol.version.number())
        .collect();
    assert_eq!(versions, [2, 3]);
}

#[test]
fn strict_mode_turns_off_what_the_standard_has_not() {
    let loaded = of(
        "global_defs {\nvrrp_strict\n}\nvrrp_instance V {\nstate MASTER\ninterface eth0\n\
        virtual_router_id 1\npriority 100\npreempt_delay 3\nauthentication {\nauth_type PASS\n\
        auth_pass x\n}\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n",
    );
    insta::assert_snapshot!(said(&loaded));
    let instance = &loaded.config.instances[0];
    assert_eq!(instance.protocol.preempt_delay, Duration::ZERO);
    assert_eq!(instance.protocol.announcement.lower_priority_repeat, 0);
    assert!(!instance.protocol.answer_lower_priority);
}

#[test]
fn no_priority_with_state_master_means_the_owner() {
    let text = "vrrp_instance V {\nstate MASTER\ninterface eth0\nvirtual_router_id 1\n\
        virtual_ipaddress {\n10.0.0.1\n}\n}\n";
    let protocol = of(text).config.instances[0].protocol.clone();
    assert_eq!(
        (protocol.priority.get(), protocol.start_active),
        (255, true)
    );
}

#[test]
fn two_virtual_routers_may_share_a_number_on_different_interfaces() {
    let text = |second: &str| {
        format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}\n\
             vrrp_instance B {{\ninterface {second}\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.2\n}}\n}}\n"
        )
    };
    assert_eq!(of(&text("eth1")).exit_status(), 0);
    assert_eq!(of(&text("eth0")).exit_status(), 4);
}

#[test]
fn ten_thousand_lines_load_at_once() {
    let mut text = String::new();
    for i in 0..1000 {
        let (high, low, vrid) = (i / 250, i % 250 + 1, i % 255 + 1);
        write!(
            text,
            "vrrp_instance VI_{i} {{\n    interface eth{}\n    virtual_router_id {vrid}\n    \
             priority 100\n    advert_int 1\n    virtual_ipaddress {{\n        10.0.{high}.{low}/24\n\
             \u{20}   }}\n}}\n\n",
            i / 255
        )
        .unwrap();
    }
    assert_eq!(text.lines().count(), 10_000);
    #[expect(clippy::disallowed_methods, reason = "the test measures real time")]
    let runs = (0..5).map(|_| {
        let begin = Instant::now();
        let loaded = of(&text);
        (begin.elapsed(), loaded)
    });
    let (took, loaded) = runs.min_by_key(|(took, _)| *took).unwrap();
    println!("10,000 lines in {took:?}");
    assert_eq!(loaded.config.instances.len(), 1000);
    assert_eq!(loaded.diagnostics, []);
    assert!(took < Duration::from_millis(500), "{took:?}");
}

/// Words that make text look like a configuration.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "\n",
            "{",
            "}",
            " ",
            "\"",
            "'",
            "\\",
            "#",
            "!",
            "$",
            "${",
            "@",
            "~SEQ(",
            "~LST(",
            ")",
            ",",
            "$A=",
            "$A",
            "${A}",
            "${_RANDOM 1 2}",
            "include main",
            "global_defs",
            "vrrp_instance V",
            "vrrp_script s",
            "virtual_ipaddress",
            "track_script",
            "priority",
            "10.0.0.1/24",
            "dev",
            "weight",
            "authentication",
            "auth_pass",
            "advert_int 0.1",
            "interface eth0",
            "virtual_router_id 1",
            "\0",
            "\r\n",
            "\u{feff}",
            "255",
            "-1",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_text_never_panics(parts in proptest::collection::vec(fragment(), 0..60)) {
        let loaded = of(&parts.concat());
        prop_assert!(loaded.exit_status() <= 6);
        for diagnostic in &loaded.diagnostics {
            for label in &diagnostic.labels {
                prop_assert!(loaded.sources.position(label.span).0 > 0);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let loaded = load("main", &Options::default(), &Memory::default().with("main", bytes));
        prop_assert!(loaded.exit_status() <= 6);
    }
}

#[test]
fn a_unicast_instance_without_peers_is_in_fault_or_uses_multicast() {
    let with = |keyword: &str| {
        of(&format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\n{keyword}\n\
             virtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"
        ))
    };
    let transport = |keyword| with(keyword).config.instances[0].transport.clone();
    assert!(matches!(
        transport("unicast_peer {\n}\nunicast_fault_no_peer"),
        Transport::Unicast { peers, .. } if peers.is_empty()
    ));
    for keyword in ["unicast_peer {\n}", "check_unicast_src"] {
        assert!(matches!(transport(keyword), Transport::Multicast { .. }));
        assert_eq!(with(keyword).diagnostics[0].code, Code(423));
    }
}

#[test]
fn a_range_of_ttls_checks_the_source_too() {
    let peers = |entry: &str| {
        let loaded = of(&format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nunicast_peer {{\n{entry}\n\
             10.0.0.2\n10.0.0.3\n10.0.0.2\n}}\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"
        ));
        let codes: Vec<_> = loaded.diagnostics.iter().map(|d| d.code.0).collect();
        match &loaded.config.instances[0].transport {
            Transport::Unicast {
                peers,
                check_source,
                ..
            } => (peers.len(), peers[0].clone(), *check_source, codes),
            Transport::Multicast { .. } => panic!("multicast"),
        }
    };
    let address: std::net::IpAddr = "10.0.0.9".parse().unwrap();
    let (count, peer, checked, codes) = peers("10.0.0.9 min_ttl 254");
    assert_eq!((count, checked), (3, true));
    assert_eq!((peer.min_hop_limit, peer.max_hop_limit), (254, 255));
    assert_eq!(codes, [404], "a peer counts once");
    assert!(!peers("10.0.0.9").2);
    let (_, peer, _, codes) = peers("10.0.0.9 min_ttl 255 max_ttl 1");
    assert_eq!((peer, codes), (Peer::new(address), vec![203, 404]));
}

#[test]
fn an_instance_without_an_interface_says_what_it_lacks() {
    let with = |source: &str, peer: &str, more: &str| {
        of(&format!(
            "vrrp_instance A {{\nvirtual_router_id 1\n{source}\nunicast_peer {{\n{peer}\n}}\n\
             {more}\n}}\n"
        ))
    };
    let four = "virtual_ipaddress {\n10.0.0.1 dev eth1\n10.0.0.2\n}";
    let six = "virtual_ipaddress {\nfe80::1 dev eth1\n}";
    let loaded = with("unicast_src_ip 192.0.2.1", "192.0.2.2", four);
    assert_eq!(
        said(&loaded),
        "Warning K0441 Silent: `A` has no interface, so 10.0.0.2 goes to eth0, the default one\n    \
         9:1 `10.0.0.2` \n    help: write `dev eth0` behind it if this is meant\n"
    );
    let instance = &loaded.config.instances[0];
    let carriers: Vec<_> = instance
        .all_addresses()
        .map(|a| a.interface.clone())
        .collect();
    let name = |text| vipd::types::InterfaceName::new(text);
    assert_eq!(carriers, [name("eth1"), name("eth0")]);
    assert_eq!(instance.interface, None);
    for (source, peer, more, complaint) in [
        ("", "192.0.2.2", four, "`A` has no interface\n"),
        (
            "unicast_src_ip fe80::9",
            "fd00::2",
            six,
            "which link-local addresses need",
        ),
        (
            "unicast_src_ip fd00::9",
            "fe80::2",
            six,
            "which link-local addresses need",
        ),
        (
            "unicast_src_ip 192.0.2.1\nuse_vmac",
            "192.0.2.2",
            four,
            "which a device with an address of its own needs",
        ),
    ] {
        let loaded = with(source, peer, more);
        assert!(said(&loaded).contains("Error K0412"), "{}", said(&loaded));
        assert!(said(&loaded).contains(complaint), "{}", said(&loaded));
        assert!(loaded.config.instances.is_empty());
    }
}

#[test]
fn a_peer_may_be_a_name_and_a_mistyped_address_is_none() {
    let text = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nunicast_peer {\n\
                LB2.example.net min_ttl 254\n192.0.2.300\nlb2.example.net\n}\n\
                virtual_ipaddress {\n10.0.0.1\n}\n}\n";
    let loaded = of(text);
    let codes: Vec<_> = loaded.diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, [442, 206, 442, 404], "{}", said(&loaded));
    let names: Vec<_> = loaded.config.instances[0].peer_names().collect();
    assert_eq!(names, ["lb2.example.net"]);
}

#[test]
fn an_instance_on_all_interfaces_clashes_with_one_on_any() {
    let instance = |name: &str, interface: &str| {
        format!(
            "vrrp_instance {name} {{\n{interface}\nvirtual_router_id 1\nunicast_src_ip 192.0.2.1\n\
             unicast_peer {{\n192.0.2.2\n}}\nvirtual_ipaddress {{\n10.0.0.1 dev eth0\n}}\n}}\n"
        )
    };
    let both = |a, b| {
        of(&(instance("A", a) + &instance("B", b)))
            .config
            .instances
            .len()
    };
    assert_eq!(both("interface eth0", ""), 1);
    assert_eq!(both("interface eth0", "interface eth1"), 2);
}
