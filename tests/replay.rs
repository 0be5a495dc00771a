//! Recorded runs, fed to the core again: every decision is the same to the byte.
//!
//! `VIPD_RERECORD=1 cargo test --test replay` writes the recordings of the simulated runs anew;
//! look at the difference before you commit it. `VIPD_REPLAY=/path/NAME` replays a recording from
//! the field, `NAME.inputs` and `NAME.effects`; see docs/recording.md.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;
#[path = "sim/mod.rs"]
mod simulator;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{Folder, Instance, SOON, VIP, has, host, lab, no_errors, wait_for};
use simulator::network::record;
use simulator::scenario::{Accident, Change, Plan, Scenario};
use vipd::control::recording::format::Writer;
use vipd::control::recording::replay::{effects, first_difference};
use vipd::types::{Interval, Priority, Version, Vrid};
use vipd::vrrp::instance::InstanceConfig;

/// A host that has no weights and no links to track.
fn plan(version: Version, priority: u8, members: u8) -> Plan {
    let config = |member| InstanceConfig {
        version,
        priority: Priority::new(priority),
        advertisement_interval: Interval::DEFAULT,
        ..InstanceConfig::new(Vrid::new(50 + member).unwrap())
    };
    Plan {
        configs: (1..=members).map(config).collect(),
        weight: 5,
        link_weight: None,
        rise: 1,
        fall: 1,
    }
}

fn scenario(version: Version, members: u8, accidents: &[(u64, Accident)]) -> Scenario {
    let accidents = accidents.iter().cloned();
    let accidents = accidents.map(|(secs, what)| (Duration::from_secs(secs), what));
    Scenario {
        seed: 1,
        nodes: [200, 100].map(|p| plan(version, p, members)).into(),
        members: members.into(),
        hold: Duration::ZERO,
        accidents: accidents.collect(),
        chaos: Duration::from_secs(30),
    }
}

/// Each with the host whose core is recorded.
fn runs() -> Vec<(&'static str, usize, Scenario)> {
    let death = [(8, Accident::PowerLoss(0))];
    let split = [(8, Accident::Side(0, 1)), (20, Accident::Side(0, 0))];
    let fault = |node, raised| Accident::Fault {
        node,
        member: 1,
        raised,
    };
    let faults = [(8, fault(0, true)), (18, fault(0, false))];
    let outage = [(8, Accident::PowerLoss(0)), (18, Accident::Start(0))];
    let mut returned = scenario(Version::V3, 1, &outage);
    for config in returned.nodes.iter_mut().flat_map(|n| &mut n.configs) {
        config.preempt_mode = false;
    }
    let mut delayed = scenario(Version::V3, 1, &[]);
    delayed.hold = Duration::from_secs(5);
    let reloads = [
        (8, Accident::Reload(0, Change::Priority(80))),
        (14, Accident::Reload(1, Change::Interval(50))),
        (20, Accident::Reload(1, Change::NewAddress)),
    ];
    let two = scenario(Version::V2, 1, &death);
    vec![
        ("takeover", 1, scenario(Version::V3, 1, &death)),
        ("takeover-v2", 1, two),
        ("preemption", 1, scenario(Version::V3, 1, &outage)),
        ("split-and-heal", 0, scenario(Version::V3, 1, &split)),
        ("sync-group-fault", 0, scenario(Version::V3, 2, &faults)),
        ("nopreempt-return", 0, returned),
        ("startup-delay", 0, delayed),
        ("reload", 1, scenario(Version::V3, 1, &reloads)),
    ]
}

#[test]
fn simulated_runs_replay_to_the_recorded_effects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
    let again = std::env::var_os("VIPD_RERECORD").is_some();
    for (name, node, scenario) in runs() {
        let beside = |end: &str| folder.join(format!("{name}.{end}"));
        if again {
            let (inputs, effects) = texts(&scenario, node);
            fs::write(beside("inputs"), inputs).unwrap();
            fs::write(beside("effects"), effects).unwrap();
        }
        replays(&beside("inputs"), &beside("effects"));
    }
}

/// A recording of the last start of one host: what it was told since then, and what it did.
fn texts(scenario: &Scenario, node: usize) -> (String, String) {
    let (violation, entries) = record(scenario, node);
    assert!(violation.is_none(), "{violation:?}");
    let (mut inputs, mut effects) = (Writer::head(), String::new());
    let mut writer = Writer::default();
    for entry in entries {
        inputs += &Writer::input(entry.at, &entry.call);
        effects += &writer.effects(entry.at, &entry.effects, entry.wakes_at);
    }
    (inputs, effects)
}

fn replays(inputs: &Path, recorded: &Path) {
    let text = fs::read_to_string(inputs).unwrap();
    let replayed = effects(&text).unwrap_or_else(|e| panic!("{}: {e}", inputs.display()));
    let recorded = fs::read_to_string(recorded).unwrap();
    if let Some(difference) = first_difference(&recorded, &replayed) {
        panic!("{}: {difference}", inputs.display());
    }
}

#[test]
fn a_changed_decision_is_noticed() {
    let (inputs, recorded) = texts(&scenario(Version::V3, 1, &[]), 0);
    assert_eq!(effects(&inputs).unwrap(), recorded);
    let other = inputs.replacen("\"priority\":200", "\"priority\":201", 1);
    assert_ne!(inputs, other);
    let replayed = effects(&other).unwrap();
    assert!(first_difference(&recorded, &replayed).is_some());
}

#[test]
fn a_recording_from_the_field_replays() {
    let Some(path) = std::env::var_os("VIPD_REPLAY") else {
        println!("skipped: VIPD_REPLAY names no recording");
        return;
    };
    let beside = |end: &str| {
        let mut path = path.clone();
        path.push(end);
        PathBuf::from(path)
    };
    replays(&beside(".inputs"), &beside(".effects"));
}

/// A daemon takes over, reloads and stops while it records itself.
#[test]
fn a_daemons_recording_replays_and_holds_no_secret() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let instance = |priority| Instance {
        priority,
        password: Some("geheim42"),
        ..Instance::default()
    };
    let file = folder.write("node1.conf", &instance(200).text());
    let recording = folder.0.join("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    command
        .env("RUNTIME_DIRECTORY", &folder.0)
        .env("VIPD_RECORD", &recording)
        .args(["run", "-f"])
        .arg(&file);
    let mut daemon = node.spawn(&mut command).unwrap();
    wait_for("the address", SOON, || has(&node, VIP));
    folder.write("node1.conf", &instance(150).text());
    daemon.signal(libc::SIGHUP);
    daemon
        .wait_for_line("Reload complete", SOON)
        .expect("a reload");
    daemon.signal(libc::SIGTERM);
    assert!(daemon.wait(SOON).expect("it ends").success());
    no_errors(&daemon);
    let beside = |end| recording.with_extension(end);
    replays(&beside("inputs"), &beside("effects"));
    let inputs = fs::read_to_string(beside("inputs")).unwrap();
    let done = fs::read_to_string(beside("effects")).unwrap();
    assert!(!inputs.contains("geheim"), "{inputs}");
    assert!(inputs.contains("reconfigure"), "{inputs}");
    for expected in ["notify MASTER", "install addresses", "notify STOP"] {
        assert!(done.contains(expected), "{expected} in {done}");
    }
}
