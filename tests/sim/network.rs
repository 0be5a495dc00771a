//! The network between the hosts, the time that all share, and what must be true of all together.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use vipd::control::recording::Entry;
use vipd::types::{InstanceId, Instant, Priority};
use vipd::vrrp::instance::{Effect, Fault, Input};
use vipd::vrrp::router::{Event, InstanceEffect};
use vipd::wire::vrrp::Advert;

use super::node::{Node, SCRIPT, Sabotage, Standstill, eth1};
use super::oracle::{Broken, broken};
use super::scenario::{Accident, Scenario};

/// More events in a second than any sane network of four has.
const STORM: u32 = 20_000;
/// Time from the end of a script's run to its next one.
const SCRIPT_PERIOD: Duration = Duration::from_secs(2);
/// Longest way of a packet on a network that is well.
const SHORT_WAY: u64 = 10;

/// A rule that a run has broken.
#[derive(Debug, Clone)]
pub struct Violation {
    pub rule: String,
    pub detail: String,
    pub at: Instant,
}

pub struct Outcome {
    pub violation: Option<Violation>,
    pub story: Vec<String>,
    pub events: u64,
    /// How often all hosts together were judged.
    pub judged: u64,
}

/// Runs a scenario until everything has been mended and is at rest, or a rule is broken.
pub fn run(scenario: &Scenario, sabotage: Sabotage, tell: bool) -> Outcome {
    let mut network = Network::new(scenario, sabotage, tell);
    let result = catch_unwind(AssertUnwindSafe(|| network.run()));
    let broken = match result {
        Ok(Ok(())) => None,
        Ok(Err(broken)) => Some((broken.rule.to_owned(), broken.detail)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(("no panic".to_owned(), text.unwrap_or_default().to_owned()))
        }
    };
    Outcome {
        violation: broken.map(|(rule, detail)| Violation {
            rule,
            detail,
            at: network.now,
        }),
        story: network.story.unwrap_or_default(),
        events: network.events,
        judged: network.judged,
    }
}

/// Runs a scenario and returns what the core of one host was told and did since its last start.
pub fn record(scenario: &Scenario, node: usize) -> (Option<Violation>, Vec<Entry>) {
    let (sender, entries) = std::sync::mpsc::channel();
    let mut network = Network::new(scenario, Sabotage::None, false);
    network.nodes[node].recording = Some(sender);
    let result = network.run();
    let violation = result.err().map(|Broken { rule, detail }| Violation {
        rule: rule.to_owned(),
        detail,
        at: network.now,
    });
    let entries: Vec<(u32, Entry)> = entries.try_iter().collect();
    let last = entries.last().map(|(boot, _)| *boot);
    let of_last = entries.into_iter().filter(|(boot, _)| Some(*boot) == last);
    (violation, of_last.map(|(_, entry)| entry).collect())
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Accident(usize),
    Deliver {
        to: usize,
        from: usize,
        packet: usize,
    },
    Thaw {
        node: usize,
        clock_runs: bool,
        millis: u64,
    },
    Wake {
        node: usize,
    },
    ScriptStarts {
        node: usize,
        boot: u32,
    },
    ScriptEnds {
        node: usize,
        boot: u32,
        success: bool,
    },
    Mend,
    Judge,
}

struct Network<'a> {
    scenario: &'a Scenario,
    now: Instant,
    nodes: Vec<Node>,
    queue: BinaryHeap<Reverse<(Instant, u64, What)>>,
    sequence: u64,
    packets: Vec<(InstanceId, Advert)>,
    cuts: BTreeSet<(usize, usize)>,
    loss: u64,
    delay: u64,
    duplicates: u64,
    bound: Duration,
    /// Since when nothing has happened to the network, the hosts or a packet.
    calm_since: Instant,
    /// Something changed since all hosts were judged.
    unjudged: bool,
    story: Option<Vec<String>>,
    events: u64,
    judged: u64,
}

impl<'a> Network<'a> {
    fn new(scenario: &'a Scenario, sabotage: Sabotage, tell: bool) -> Self {
        let nodes = scenario.nodes.iter().enumerate();
        let mut nodes: Vec<_> = nodes.map(|(n, plan)| Node::new(n, plan.clone())).collect();
        nodes[0].sabotage = sabotage;
        let mut network = Self {
            scenario,
            now: Instant::default(),
            nodes,
            queue: BinaryHeap::new(),
            sequence: 0,
            packets: Vec::new(),
            cuts: BTreeSet::new(),
            loss: 0,
            delay: SHORT_WAY,
            duplicates: 0,
            bound: scenario.bound(),
            calm_since: Instant::default(),
            unjudged: true,
            story: tell.then(Vec::new),
            events: 0,
            judged: 0,
        };
        for (index, (at, _)) in scenario.accidents.iter().enumerate() {
            network.schedule(*at, What::Accident(index));
        }
        network.schedule(scenario.chaos, What::Mend);
        network.schedule(Duration::from_secs(1), What::Judge);
        network
    }

    fn run(&mut self) -> Result<(), Broken> {
        for node in 0..self.nodes.len() {
            self.start(node)?;
        }
        let end = Instant::default() + self.scenario.chaos + self.bound * 2;
        let mut in_second = 0;
        while let Some(Reverse((at, _, what))) = self.queue.pop() {
            if at > end {
                break;
            }
            let second = |at: Instant| at.as_nanos() / 1_000_000_000;
            in_second = if second(at) == second(self.now) {
                in_second + 1
            } else {
                0
            };
            if in_second > STORM {
                return broken("no storm", format!("{in_second} events in one second"));
            }
            self.now = at;
            self.events += 1;
            self.happen(what)?;
            self.judge()?;
        }
        Ok(())
    }

    fn happen(&mut self, what: What) -> Result<(), Broken> {
        match what {
            What::Deliver { to, from, packet } => self.deliver(to, from, packet),
            What::Wake { node } => {
                self.nodes[node].wakes_at.take_if(|at| *at <= self.now);
                match self.nodes[node].standstill {
                    // It notices when it goes on.
                    Some(_) => Ok(()),
                    None => self.feed(node, Event::Deadline),
                }
            }
            What::Accident(index) => {
                let accident = self.scenario.accidents[index].1.clone();
                self.tell(|| accident.to_string());
                self.disturb();
                self.accident(&accident)
            }
            What::Thaw {
                node,
                clock_runs,
                millis,
            } => self.thaw(node, clock_runs, millis),
            What::ScriptStarts { node, boot } => {
                let Node {
                    service_up: success,
                    script_takes,
                    ..
                } = self.nodes[node];
                if self.nodes[node].boot == boot {
                    self.schedule(
                        script_takes,
                        What::ScriptEnds {
                            node,
                            boot,
                            success,
                        },
                    );
                }
                Ok(())
            }
            What::ScriptEnds {
                node,
                boot,
                success,
            } => {
                if self.nodes[node].boot != boot || self.nodes[node].router.is_none() {
                    return Ok(());
                }
                self.schedule(SCRIPT_PERIOD, What::ScriptStarts { node, boot });
                let before = self.nodes[node].oracle.script_up();
                let result = Event::TrackResult {
                    tracker: SCRIPT,
                    success,
                };
                self.command(node, result)?;
                if before != self.nodes[node].oracle.script_up() {
                    self.tell(|| format!("the script of node {node} says {success}"));
                    self.disturb();
                }
                Ok(())
            }
            What::Mend => self.mend(),
            What::Judge => {
                self.schedule(Duration::from_secs(1), What::Judge);
                Ok(())
            }
        }
    }

    fn accident(&mut self, accident: &Accident) -> Result<(), Broken> {
        match accident {
            Accident::PowerLoss(node) => {
                self.end(*node);
                // The kernel of a host that lost its power holds nothing.
                self.nodes[*node].installed.clear();
            }
            Accident::Kill(node) => self.end(*node),
            Accident::Stop(node) => self.stop(*node)?,
            Accident::Start(node) => self.start(*node)?,
            Accident::Side(node, side) => self.nodes[*node].side = *side,
            Accident::Cut(from, to) => {
                self.cuts.insert((*from, *to));
            }
            Accident::Joined => self.join(),
            Accident::Loss { percent } => self.loss = *percent,
            Accident::Delay { millis } => self.delay = *millis,
            Accident::Duplicates { percent } => self.duplicates = *percent,
            Accident::Service(node, up) => self.nodes[*node].service_up = *up,
            Accident::SlowScript(node, millis) => {
                self.nodes[*node].script_takes = Duration::from_millis(*millis);
            }
            Accident::Link(node, up) => self.link(*node, *up)?,
            Accident::Fault {
                node,
                member,
                raised,
            } => self.fault(*node, *member, *raised)?,
            Accident::Freeze(node, millis) => {
                self.stand_still(*node, Standstill::Process, *millis, true);
            }
            Accident::Pause {
                node,
                millis,
                clock_runs,
            } => {
                self.stand_still(*node, Standstill::Host, *millis, *clock_runs);
            }
            Accident::Jump(node, millis) => {
                let host = &mut self.nodes[*node];
                host.clock += millis * 1_000_000;
                host.oracle.excused_until = host.local(self.now);
                host.wakes_at = None;
                self.schedule(Duration::ZERO, What::Wake { node: *node });
            }
            Accident::Reload(node, change) => {
                // A process that stands still reads no file.
                if self.nodes[*node].standstill.is_none() {
                    let effects = self.nodes[*node].reload(self.now, change)?;
                    self.perform(*node, effects);
                }
            }
        }
        Ok(())
    }

    fn join(&mut self) {
        self.cuts.clear();
        for node in &mut self.nodes {
            node.side = 0;
        }
    }

    fn mend(&mut self) -> Result<(), Broken> {
        self.tell(|| "everything is mended".to_owned());
        self.disturb();
        self.join();
        (self.loss, self.delay, self.duplicates) = (0, SHORT_WAY, 0);
        for node in 0..self.nodes.len() {
            self.nodes[node].service_up = true;
            self.nodes[node].script_takes = Duration::from_millis(10);
            if self.nodes[node].stopping {
                self.end(node);
            }
            if self.nodes[node].standstill.is_some() {
                self.thaw(node, true, 0)?;
            }
            self.link(node, true)?;
            for id in self.nodes[node].ids() {
                self.fault(node, id.0, false)?;
            }
            let effects = self.nodes[node].restore(self.now)?;
            self.perform(node, effects);
            self.start(node)?;
        }
        Ok(())
    }

    fn link(&mut self, node: usize, up: bool) -> Result<(), Broken> {
        // The kernel knows at once, a process that stands still does not.
        if self.nodes[node].standstill.is_some() || self.nodes[node].link_up == up {
            return Ok(());
        }
        self.nodes[node].link_up = up;
        self.feed(
            node,
            Event::Link {
                interface: eth1(),
                up,
            },
        )
    }

    /// The interface of one member fails, or works again.
    fn fault(&mut self, node: usize, member: u32, raised: bool) -> Result<(), Broken> {
        let host = &mut self.nodes[node];
        if host.standstill.is_some() || host.down.contains(&member) == raised {
            return Ok(());
        }
        let input = if raised {
            host.down.insert(member);
            Input::FaultRaised(Fault::Interface)
        } else {
            host.down.remove(&member);
            Input::FaultCleared(Fault::Interface)
        };
        self.feed(node, Event::Instance(InstanceId(member), input))
    }

    fn end(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        host.router = None;
        host.stopping = false;
        host.boot += 1;
        host.standstill = None;
        host.waiting_packets.clear();
        host.waiting_commands.clear();
    }

    fn start(&mut self, node: usize) -> Result<(), Broken> {
        if self.nodes[node].router.is_some() {
            return Ok(());
        }
        let effects = self.nodes[node].start(self.now, self.scenario.hold)?;
        self.perform(node, effects);
        let boot = self.nodes[node].boot;
        self.schedule(Duration::ZERO, What::ScriptStarts { node, boot });
        Ok(())
    }

    fn stop(&mut self, node: usize) -> Result<(), Broken> {
        let host = &mut self.nodes[node];
        if host.router.is_none() || host.standstill.is_some() {
            return Ok(());
        }
        host.stopping = true;
        for id in host.ids() {
            self.feed(node, Event::Instance(id, Input::Shutdown))?;
        }
        Ok(())
    }

    fn stand_still(&mut self, node: usize, how: Standstill, millis: u64, clock_runs: bool) {
        let host = &mut self.nodes[node];
        if host.router.is_none() || host.standstill.is_some() {
            return;
        }
        host.standstill = Some(how);
        let time = Duration::from_millis(millis);
        self.schedule(
            time,
            What::Thaw {
                node,
                clock_runs,
                millis,
            },
        );
    }

    /// Waiting packets first, then commands, then time: as the engine does after a stall.
    fn thaw(&mut self, node: usize, clock_runs: bool, millis: u64) -> Result<(), Broken> {
        let host = &mut self.nodes[node];
        if host.standstill.take().is_none() {
            return Ok(());
        }
        if !clock_runs {
            host.clock -= millis * 1_000_000;
        }
        host.oracle.excused_until = host.local(self.now);
        host.wakes_at = None;
        let packets = std::mem::take(&mut host.waiting_packets);
        let commands = std::mem::take(&mut host.waiting_commands);
        self.tell(|| format!("node {node} goes on"));
        self.disturb();
        for (stamp, event) in packets {
            let at = stamp.unwrap_or(self.nodes[node].local(self.now));
            let effects = self.nodes[node].feed_at(at, event)?;
            self.perform(node, effects);
        }
        for event in commands {
            self.feed(node, event)?;
        }
        self.feed(node, Event::Deadline)
    }

    fn command(&mut self, node: usize, event: Event) -> Result<(), Broken> {
        match self.nodes[node].hold_back(self.now, event, false) {
            Some(event) => self.feed(node, event),
            None => Ok(()),
        }
    }

    fn feed(&mut self, node: usize, event: Event) -> Result<(), Broken> {
        let effects = self.nodes[node].feed(self.now, event)?;
        self.perform(node, effects);
        Ok(())
    }

    fn perform(&mut self, node: usize, effects: Vec<InstanceEffect>) {
        for (id, effect) in effects {
            match effect {
                Effect::SendAdvert(priority) => self.send(node, id, priority),
                Effect::InstallAddresses | Effect::RemoveAddresses => self.unjudged = true,
                Effect::AnnounceAddresses { .. }
                | Effect::AnnounceElsewhere
                | Effect::AdvertiseRouter { .. }
                | Effect::HeardLowerPriority
                | Effect::NotifyGroup(..) => {}
                Effect::Notify(transition) => {
                    self.unjudged = true;
                    self.tell(|| format!("member {id} of node {node} is {transition:?}"));
                }
            }
        }
        self.wake_in_time(node);
        let host = &self.nodes[node];
        let over =
            |r: &vipd::control::recording::Recorded| r.instances().all(|(_, i)| i.is_finished());
        if host.stopping && host.router.as_ref().is_some_and(over) {
            self.tell(|| format!("the daemon of node {node} has ended"));
            self.end(node);
            self.disturb();
        }
    }

    fn wake_in_time(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        let Some(due) = host.router.as_ref().and_then(|r| r.deadline()) else {
            return;
        };
        let mut wait = due.saturating_since(host.local(self.now));
        if host.sabotage == Sabotage::WakesLate {
            wait += Duration::from_millis(50);
        }
        let at = self.now + wait;
        if host.wakes_at.is_none_or(|planned| at < planned) {
            host.wakes_at = Some(at);
            self.schedule(wait, What::Wake { node });
        }
    }

    fn send(&mut self, from: usize, id: InstanceId, priority: Priority) {
        let host = &self.nodes[from];
        let advert = Advert {
            source: host.address,
            priority,
            interval: host.config(id).advertisement_interval,
            version: host.config(id).version,
        };
        let packet = self.packets.len();
        self.packets.push((id, advert));
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let mut fate = Fate::of(self.scenario.seed, from, to, packet);
            if fate.percent() < self.loss {
                self.disturb();
                continue;
            }
            let copies = if fate.percent() < self.duplicates {
                2
            } else {
                1
            };
            for _ in 0..copies {
                let delay = Duration::from_micros(fate.below(self.delay * 1_000));
                if self.delay > SHORT_WAY || copies > 1 {
                    self.calm_since = self.calm_since.max(self.now + delay);
                }
                self.schedule(delay, What::Deliver { to, from, packet });
            }
        }
    }

    fn deliver(&mut self, to: usize, from: usize, packet: usize) -> Result<(), Broken> {
        let joined = self.nodes[to].side == self.nodes[from].side;
        if !joined || self.cuts.contains(&(from, to)) {
            return Ok(());
        }
        let (id, advert) = self.packets[packet];
        let event = Event::Instance(id, Input::Advert(advert));
        match self.nodes[to].hold_back(self.now, event, true) {
            Some(event) => self.feed(to, event),
            None => Ok(()),
        }
    }

    fn schedule(&mut self, after: Duration, what: What) {
        self.sequence += 1;
        self.queue
            .push(Reverse((self.now + after, self.sequence, what)));
    }

    fn disturb(&mut self) {
        self.calm_since = self.calm_since.max(self.now);
        self.unjudged = true;
    }

    /// What is true of all hosts together once they have had time to agree.
    fn judge(&mut self) -> Result<(), Broken> {
        let calm = self.now.saturating_since(self.calm_since) > self.bound;
        // Where one hears another that does not hear it, no protocol can agree.
        let undecided = !self.cuts.is_empty() || self.nodes.iter().any(|n| n.standstill.is_some());
        if !calm || undecided || !self.unjudged {
            return Ok(());
        }
        self.unjudged = false;
        self.judged += 1;
        for side in 0..2 {
            let nodes: Vec<&Node> = self.nodes.iter().filter(|n| n.side == side).collect();
            self.judge_side(&nodes, side)?;
        }
        Ok(())
    }

    fn judge_side(&self, nodes: &[&Node], side: u8) -> Result<(), Broken> {
        // A group that one host has and another has not is a mistake of the operator.
        if nodes
            .iter()
            .any(|n| self.scenario.members > 1 && !n.is_grouped())
        {
            return Ok(());
        }
        let eligible = nodes.iter().filter(|n| n.is_well()).count();
        let expected = eligible.min(1);
        for id in (1..=self.scenario.members).map(InstanceId) {
            let active: Vec<usize> = nodes
                .iter()
                .filter(|n| n.is_active(id))
                .map(|n| n.number)
                .collect();
            if active.len() != expected {
                return broken(
                    "one host of a network is Active for an address, and one only",
                    format!("{id} on side {side}: {active:?} of {eligible} that can be"),
                );
            }
            let holds = |n: &&&Node| n.router.is_some() && n.installed.contains(&id);
            let holding: Vec<usize> = nodes.iter().filter(holds).map(|n| n.number).collect();
            if holding != active {
                return broken(
                    "one host of a network has an address, and one only",
                    format!("{id} on side {side}: {holding:?} have it, {active:?} Active"),
                );
            }
        }
        let whole = |n: &&&Node| n.ids().all(|id| n.is_active(id));
        if nodes.iter().filter(whole).count() != expected {
            return broken(
                "no sync group is split between hosts",
                format!(
                    "side {side}: {:?}",
                    nodes.iter().map(|n| n.states()).collect::<Vec<_>>()
                ),
            );
        }
        self.judge_rank(nodes)
    }

    /// Whoever preempts and is well is not outranked by the Active Router in vain.
    fn judge_rank(&self, nodes: &[&Node]) -> Result<(), Broken> {
        let id = InstanceId(1);
        let priority = |n: &Node| n.router.as_ref().unwrap().instance(id).unwrap().priority();
        let Some(active) = nodes.iter().find(|n| n.is_active(id)) else {
            return Ok(());
        };
        let better = |n: &&&Node| {
            let config = n.config(id);
            n.is_well() && config.preempt_mode && priority(n) > priority(active)
        };
        match nodes.iter().find(better) {
            None => Ok(()),
            Some(better) => broken(
                "the best host preempts",
                format!(
                    "node {} with {} is Active, not node {} with {}",
                    active.number,
                    priority(active),
                    better.number,
                    priority(better)
                ),
            ),
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let millis = self.now.as_nanos() / 1_000_000;
            story.push(format!(
                "{:>5}.{:03} s  {}",
                millis / 1_000,
                millis % 1_000,
                line()
            ));
        }
    }
}

/// Numbers that depend on a packet alone (SplitMix64).
struct Fate(u64);

impl Fate {
    const fn of(seed: u64, from: usize, to: usize, packet: usize) -> Self {
        let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ ((from as u64) << 60 | (to as u64) << 56 | packet as u64);
        Self(mixed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    const fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    const fn percent(&mut self) -> u64 {
        self.below(100)
    }
}
