//! A network of routers under seeds: the real core, simulated packets, time and accidents.
//!
//! `VIPD_SIM_SEEDS=1000000 cargo test --release --test sim` runs more of them, from
//! `VIPD_SIM_FIRST` on, and `VIPD_SIM_SEED=42` one alone, with its story. A seed that fails is
//! shrunk to the few accidents that it takes.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and says why"
)]

#[path = "sim/mod.rs"]
mod simulator;

use std::collections::BTreeSet;
use std::time::Duration;

use simulator::network::{Outcome, run};
use simulator::node::Sabotage;
use simulator::scenario::{Accident, Scenario};
use simulator::shrink::shrink;
use vipd::vrrp::instance::HANDOVER_OVERLAP;

/// Ordinary runs of every test, in all 10,000 and more.
const SINGLE: u64 = 6_000;
const PAIRS: u64 = 3_000;
const THREES: u64 = 1_500;

#[test]
fn routers_agree_on_one_active_whatever_happened_before() {
    assert!(
        HANDOVER_OVERLAP < Duration::from_millis(100),
        "the bound leaves room for it"
    );
    simulate(1, SINGLE);
}

#[test]
fn sync_groups_of_two_agree_on_one_node_and_are_never_split() {
    simulate(2, PAIRS);
}

#[test]
fn sync_groups_of_three_agree_on_one_node_and_are_never_split() {
    simulate(3, THREES);
}

/// Whoever proves something must be able to fail: each of these lies is found, and what is left
/// of the accidents is short enough to read.
#[test]
fn a_broken_rule_is_found_and_shrunk_to_a_few_accidents() {
    let lies = [
        (Sabotage::DeafToHigher, 1, "one host of a network is Active"),
        (
            Sabotage::LiesAboutPriority,
            1,
            "an Active Router advertises its priority",
        ),
        (Sabotage::LosesFaults, 1, "no fault is lost"),
        (
            Sabotage::SwallowsNotices,
            1,
            "others are told of every state",
        ),
        (Sabotage::KeepsAddresses, 1, "addresses are there exactly"),
        (
            Sabotage::WakesLate,
            1,
            "a takeover comes neither early nor late",
        ),
        (
            Sabotage::ForgetsGroup,
            2,
            "members of a sync group stand alike",
        ),
    ];
    for (sabotage, members, expected) in lies {
        let mut rules = BTreeSet::new();
        let found = (0..300)
            .map(|seed| Scenario::of_seed(seed, members))
            .find(|scenario| {
                let violation = run(scenario, sabotage, false).violation;
                violation.is_some_and(|v| {
                    rules.insert(v.rule.clone());
                    v.rule.starts_with(expected) && scenario.accidents.len() > 5
                })
            });
        let found = found.unwrap_or_else(|| panic!("{sabotage:?} is not found, but {rules:?}"));
        let rule = run(&found, sabotage, false).violation.unwrap().rule;
        let before = found.accidents.len();
        let short = shrink(found, &rule, sabotage);
        println!(
            "{sabotage:?}: seed {}, {before} accidents shrink to {}: {rule}\n{}",
            short.seed,
            short.accidents.len(),
            short.describe()
        );
        assert!(short.accidents.len() <= 3, "{}", short.describe());
        assert!(run(&short, Sabotage::None, false).violation.is_none());
    }
}

#[test]
fn a_run_depends_on_its_seed_alone() {
    let story = |seed| run(&Scenario::of_seed(seed, 2), Sabotage::None, true).story;
    assert!((0..20).all(|seed| story(seed) == story(seed)));
    assert_ne!(story(1), story(2));
}

#[test]
fn every_kind_of_accident_happens() {
    let kind = |accident: &Accident| std::mem::discriminant(accident);
    let scenarios = (0..200).map(|seed| Scenario::of_seed(seed, 2));
    let kinds: Vec<_> = scenarios
        .flat_map(|s| s.accidents)
        .map(|(_, a)| kind(&a))
        .collect();
    let mut distinct = Vec::new();
    for kind in kinds {
        if !distinct.contains(&kind) {
            distinct.push(kind);
        }
    }
    assert_eq!(distinct.len(), 18, "all of `Accident`");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn simulate(members: u32, seeds: u64) {
    // A core that panics is a rule broken, and shrinks like any other: its message is told then.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let simulated = info
            .location()
            .is_some_and(|at| at.file().starts_with("src/"));
        if !simulated {
            hook(info);
        }
    }));
    if let Some(seed) = number("VIPD_SIM_SEED") {
        let scenario = Scenario::of_seed(seed, members);
        let outcome = run(&scenario, Sabotage::None, true);
        println!("{}{}", scenario.describe(), outcome.story.join("\n"));
        if outcome.violation.is_some() {
            fail(scenario, &outcome);
        }
        return;
    }
    let first = number("VIPD_SIM_FIRST").unwrap_or(0);
    let seeds = number("VIPD_SIM_SEEDS").unwrap_or(seeds);
    let (mut events, mut judged) = (0, 0);
    for seed in first..first + seeds {
        let scenario = Scenario::of_seed(seed, members);
        let outcome = run(&scenario, Sabotage::None, false);
        if outcome.violation.is_some() {
            fail(scenario, &outcome);
        }
        events += outcome.events;
        judged += outcome.judged;
    }
    println!(
        "{seeds} seeds with {members} instances on each node: {events} events, all hosts judged \
         together {judged} times, no rule broken"
    );
}

fn fail(scenario: Scenario, outcome: &Outcome) -> ! {
    let violation = outcome.violation.as_ref().unwrap();
    let (seed, members) = (scenario.seed, scenario.members);
    println!(
        "seed {seed} fails: {}: {}",
        violation.rule, violation.detail
    );
    let before = scenario.accidents.len();
    let short = shrink(scenario, &violation.rule, Sabotage::None);
    let again = run(&short, Sabotage::None, true);
    println!(
        "{before} accidents shrink to {}:\n{}\nits story:\n{}",
        short.accidents.len(),
        short.describe(),
        again.story.join("\n")
    );
    if let Some(violation) = again.violation {
        println!("then: {}: {}", violation.rule, violation.detail);
    }
    panic!("seed {seed} with {members} instances fails; VIPD_SIM_SEED={seed} tells its story");
}
