//! Kernel work on a thread of its own: addresses are installed, removed and announced.
//!
//! Jobs of one instance never overtake each other; large ones are cut into pieces, so that the
//! addresses of one instance do not wait for thousands of another's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::breath::Breath;
use super::clock;
use super::command::{Command, Handle};
use crate::config::model::Gaps;
use crate::link::rules;
use crate::sys::firewall::{self, Element, Elements, Set};
use crate::sys::netlink::{self, Change, Netlink};
use crate::sys::socket::PacketSocket;
use crate::types::{Family, InstanceId, Instant, VirtualAddress};
use crate::wire::arp::{self, Mac};
use crate::wire::ndisc;

/// Addresses handled before another instance has its turn.
const PIECE: usize = 128;
/// Attempts to install, the first included.
const ATTEMPTS: u32 = 6;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// Longest wait until the kernel takes packets for new IPv6 addresses: a fraction of a millisecond
/// as a rule, and more where others hold the kernel's lock for network changes.
const LOCAL_ROUTE: Duration = Duration::from_millis(50);
/// The kernel's worker needs a processor meanwhile, which a real-time thread must leave to it.
const LOCAL_ROUTE_POLL: Duration = Duration::from_micros(50);

/// Where an address goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement {
    /// Interface that carries it.
    pub ifindex: u32,
    /// Hardware address it is announced with; `None` where there is no ARP.
    pub mac: Option<Mac>,
    /// The interface forwards IPv6: neighbours are told that this is a router.
    pub router: bool,
    /// The address.
    pub address: VirtualAddress,
    /// The firewall's table in which its traffic is dropped; `None` in accept mode.
    pub dropped_in: Option<Arc<str>>,
}

/// Addresses of one instance, shared between engine and executor.
pub type Placements = Arc<[Placement]>;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// See to it that all are there.
    Install,
    /// See to it that none is there.
    Remove,
    /// Send gratuitous ARP or an unsolicited neighbour advert for each, in so many rounds.
    Announce {
        /// Rounds over all addresses.
        repeat: u32,
    },
    /// Send these frames on an interface, now that the addresses are there.
    Transmit {
        /// The interface.
        ifindex: u32,
        /// Whole frames.
        frames: Arc<[Vec<u8>]>,
    },
    /// Put back what somebody else has removed.
    Restore,
    /// Read back what was installed.
    Verify {
        /// Attempts so far.
        attempt: u32,
    },
}

/// One piece of work for one instance.
#[derive(Debug, Clone)]
pub struct Job {
    /// Whose.
    pub id: InstanceId,
    /// Its name, for the log.
    pub name: Arc<str>,
    /// The addresses.
    pub placements: Placements,
    /// What to do with them.
    pub action: Action,
}

/// Whose announcements wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Those of one interface.
    Interface(u32),
    /// Those of all interfaces of one group.
    Group(usize),
}

/// How fast addresses are announced on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// With whom it takes turns.
    pub lane: Lane,
    /// Least time between two announcements in the lane.
    pub gaps: Gaps,
}

/// What the engine sends.
#[derive(Debug)]
pub enum Work {
    /// How fast to announce, by interface; those not named are not limited.
    Pace(BTreeMap<u32, Pace>),
    /// Everything that follows from one event.
    Jobs(Vec<Job>),
    /// A takeover is likely before `until`: stay awake.
    Expect {
        /// End of the wait.
        until: Instant,
    },
}

#[derive(Debug)]
struct Progress {
    job: Job,
    done: usize,
}

type Place = (u32, IpAddr);

/// Announcements that wait for their turn, and when it comes.
#[derive(Debug, Default)]
struct Queue {
    next_at: Instant,
    waiting: VecDeque<(Job, Placement)>,
}

/// Longest queue of a lane: refreshes that come faster than its gap allows must not pile up.
const LONGEST_QUEUE: usize = 65_536;

/// Does the work. See the module.
#[derive(Debug)]
pub struct Executor {
    netlink: Netlink,
    packets: PacketSocket,
    /// Hears of what cannot be done.
    engine: Handle,
    /// Opened when it is needed.
    elements: Option<Elements>,
    queues: BTreeMap<InstanceId, VecDeque<Progress>>,
    turn: Option<InstanceId>,
    holders: BTreeMap<Place, BTreeSet<InstanceId>>,
    retries: BTreeMap<InstanceId, (Instant, Job)>,
    paces: BTreeMap<u32, Pace>,
    /// ARP and neighbour advertisements of a lane do not wait for each other.
    lanes: BTreeMap<(Lane, Family), Queue>,
    /// Awake until then: waking up costs a takeover more than the address does.
    expecting: Instant,
    breath: Breath,
}

impl Executor {
    /// Opens what it needs in the namespace of the calling thread.
    #[must_use]
    pub fn new(netlink: Netlink, packets: PacketSocket, engine: Handle) -> Self {
        Self {
            netlink,
            packets,
            engine,
            elements: None,
            queues: BTreeMap::new(),
            turn: None,
            holders: BTreeMap::new(),
            retries: BTreeMap::new(),
            paces: BTreeMap::new(),
            lanes: BTreeMap::new(),
            expecting: Instant::default(),
            breath: Breath::new(),
        }
    }

    /// Works until the sender is gone and everything is done.
    pub fn run(mut self, work: &Receiver<Work>) {
        loop {
            match self.next(work) {
                Ok(Some(Work::Jobs(jobs))) => jobs.into_iter().for_each(|job| self.accept(job)),
                Ok(Some(Work::Expect { until })) => self.expecting = until,
                Ok(Some(Work::Pace(paces))) => self.paces = paces,
                Ok(None) => {
                    self.requeue_due();
                    self.announce_waiting();
                    self.work();
                    self.breath.take_if_due();
                }
                Err(Finished) => return,
            }
        }
    }

    /// What the engine sends next; `None` when there is other work to do first.
    fn next(&self, work: &Receiver<Work>) -> Result<Option<Work>, Finished> {
        if !self.queues.is_empty() {
            return match work.try_recv() {
                Ok(found) => Ok(Some(found)),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
            };
        }
        while clock::now() < self.expecting {
            match work.try_recv() {
                Ok(found) => return Ok(Some(found)),
                Err(TryRecvError::Empty) => std::hint::spin_loop(),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        let retries = self.retries.values().map(|(at, _)| *at);
        let lanes = self.lanes.values().filter(|lane| !lane.waiting.is_empty());
        let Some(due) = retries.chain(lanes.map(|lane| lane.next_at)).min() else {
            return work.recv().map(Some).map_err(|_| Finished);
        };
        match work.recv_timeout(due.saturating_since(clock::now())) {
            Ok(found) => Ok(Some(found)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Finished),
        }
    }

    fn accept(&mut self, job: Job) {
        // What the instance wants now replaces what it wanted when the attempt failed.
        if matches!(job.action, Action::Install | Action::Remove) {
            self.retries.remove(&job.id);
        }
        if job.action == Action::Remove {
            for lane in self.lanes.values_mut() {
                lane.waiting.retain(|(waiting, _)| waiting.id != job.id);
            }
        }
        let queue = self.queues.entry(job.id).or_default();
        enqueue(queue, job);
    }

    fn requeue_due(&mut self) {
        let now = clock::now();
        let due: Vec<_> = self
            .retries
            .iter()
            .filter(|(_, (at, _))| *at <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if let Some((_, job)) = self.retries.remove(&id) {
                self.queues
                    .entry(id)
                    .or_default()
                    .push_back(Progress { job, done: 0 });
            }
        }
    }

    /// One piece of the next instance's oldest job.
    fn work(&mut self) {
        let after = self.turn;
        let next = self
            .queues
            .keys()
            .find(|id| after.is_none_or(|last| **id > last));
        let Some(id) = next.or_else(|| self.queues.keys().next()).copied() else {
            return;
        };
        self.turn = Some(id);
        let Some(mut progress) = self.queues.get_mut(&id).and_then(VecDeque::pop_front) else {
            self.queues.remove(&id);
            return;
        };
        let finished = self.piece(&mut progress);
        let queue = self.queues.entry(id).or_default();
        if finished {
            if progress.job.action == Action::Install {
                progress.job.action = Action::Verify { attempt: 1 };
                queue.push_back(Progress {
                    job: progress.job,
                    done: 0,
                });
            }
        } else {
            queue.push_front(progress);
        }
        if queue.is_empty() {
            self.queues.remove(&id);
        }
    }

    /// Does one piece of a job and says whether that was the last.
    fn piece(&mut self, progress: &mut Progress) -> bool {
        let Progress { job, done } = progress;
        let total = job.placements.len();
        match &job.action {
            Action::Install => {
                let piece = job
                    .placements
                    .get(*done..total.min(*done + PIECE))
                    .unwrap_or_default();
                self.install(job, piece);
                *done += piece.len();
                *done >= total
            }
            Action::Remove => {
                let piece = job
                    .placements
                    .get(*done..total.min(*done + PIECE))
                    .unwrap_or_default();
                self.remove(job, piece);
                *done += piece.len();
                *done >= total
            }
            Action::Announce { repeat } => {
                let rounds = usize::try_from(*repeat).unwrap_or(usize::MAX);
                let last = total.saturating_mul(rounds);
                let end = last.min(done.saturating_add(PIECE));
                for at in *done..end {
                    let placement = at.checked_rem(total).and_then(|i| job.placements.get(i));
                    if let Some(placement) = placement {
                        self.announce_in_turn(job, placement);
                    }
                }
                *done = end;
                *done >= last
            }
            Action::Transmit { ifindex, frames } => {
                for frame in frames.iter() {
                    if let Err(error) = self.packets.send(*ifindex, frame) {
                        tracing::warn!(instance = &*job.name, "{}", Chain(&error));
                    }
                }
                true
            }
            Action::Restore => {
                self.restore(job);
                true
            }
            Action::Verify { attempt } => {
                self.verify(job, *attempt);
                true
            }
        }
    }

    fn install(&mut self, job: &Job, piece: &[Placement]) {
        for placement in piece {
            self.holders
                .entry(place(placement))
                .or_default()
                .insert(job.id);
            self.filter(job, placement, true);
        }
        let wanted: Vec<_> = piece
            .iter()
            .map(|p| (p.ifindex, p.address.clone()))
            .collect();
        let results = self.netlink.add_addresses(&wanted);
        let each = results.iter().flatten().zip(piece);
        let new = each.filter(|(result, _)| matches!(result, Ok(Change::Done)));
        let new: Vec<_> = new.map(|(_, placement)| placement).collect();
        report(job, results);
        self.await_local_routes(job, &new);
    }

    /// The kernel takes packets for a new IPv6 address a moment after it has added it: a worker
    /// of its own makes the local route. Nobody is to be told of the address before.
    /// RFC 9568 §8.2.2.
    fn await_local_routes(&mut self, job: &Job, new: &[&Placement]) {
        let end = clock::now() + LOCAL_ROUTE;
        for placement in new {
            let IpAddr::V6(address) = placement.address.address else {
                continue;
            };
            while let Ok(false) = self.netlink.is_local(placement.ifindex, address) {
                if clock::now() >= end {
                    let name = &*job.name;
                    tracing::info!(
                        instance = name,
                        %address,
                        "({name}) the kernel takes no packets for {address} yet"
                    );
                    return;
                }
                std::thread::sleep(LOCAL_ROUTE_POLL);
            }
        }
    }

    fn remove(&mut self, job: &Job, piece: &[Placement]) {
        let mut unwanted = Vec::with_capacity(piece.len());
        for placement in piece {
            let place = place(placement);
            if let Some(holders) = self.holders.get_mut(&place) {
                holders.remove(&job.id);
                // Another instance has the same address: it stays.
                if !holders.is_empty() {
                    continue;
                }
                self.holders.remove(&place);
            }
            unwanted.push((placement.ifindex, placement.address.clone()));
        }
        report(job, self.netlink.remove_addresses(&unwanted));
        for placement in piece {
            if !self.holders.contains_key(&place(placement)) {
                self.filter(job, placement, false);
            }
        }
    }

    /// Has traffic to an address without accept mode dropped, before it is there and until it is
    /// gone. RFC 9568 §6.4.3 (650).
    fn filter(&mut self, job: &Job, placement: &Placement, drop: bool) {
        let Some(table) = &placement.dropped_in else {
            return;
        };
        if let Err(error) = self.change_filter(table, placement, drop) {
            tracing::warn!(instance = &*job.name, "{}", Chain(&error));
        }
    }

    fn change_filter(
        &mut self,
        table: &str,
        placement: &Placement,
        drop: bool,
    ) -> Result<(), firewall::Error> {
        let address = placement.address.address;
        let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let name = if link_local {
            rules::LINK_LOCAL_ADDRESSES
        } else {
            rules::ADDRESSES
        };
        let set = Set { table, name };
        let element = Element {
            address,
            ifindex: link_local.then_some(placement.ifindex),
        };
        if self.elements.is_none() {
            self.elements = Some(Elements::open()?);
        }
        match &mut self.elements {
            Some(elements) if drop => elements.add(&set, element),
            Some(elements) => elements.remove(&set, element),
            None => Ok(()),
        }
    }

    /// Announces at once, or when the interface's lane is free.
    fn announce_in_turn(&mut self, job: &Job, placement: &Placement) {
        let Some((key, gap)) = self.turn_of(placement) else {
            return self.announce(job, placement);
        };
        let now = clock::now();
        let lane = self.lanes.entry(key).or_default();
        if !lane.waiting.is_empty() || now < lane.next_at {
            if lane.waiting.len() < LONGEST_QUEUE {
                lane.waiting.push_back((job.clone(), placement.clone()));
            }
            return;
        }
        lane.next_at = now + gap;
        self.announce(job, placement);
    }

    fn announce_waiting(&mut self) {
        let now = clock::now();
        let due = self
            .lanes
            .iter_mut()
            .filter(|(_, lane)| lane.next_at <= now);
        let due: Vec<_> = due
            .filter_map(|(key, lane)| Some((*key, lane.waiting.pop_front()?)))
            .collect();
        for (key, (job, placement)) in due {
            let gap = self.turn_of(&placement).map_or(Duration::ZERO, |t| t.1);
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.next_at = now + gap;
            }
            self.announce(&job, &placement);
        }
    }

    fn turn_of(&self, placement: &Placement) -> Option<((Lane, Family), Duration)> {
        let pace = self.paces.get(&placement.ifindex)?;
        let family = Family::of(&placement.address.address);
        let gap = match family {
            Family::V4 => pace.gaps.arp,
            Family::V6 => pace.gaps.ndisc,
        };
        (!gap.is_zero()).then_some(((pace.lane, family), gap))
    }

    fn announce(&self, job: &Job, placement: &Placement) {
        let Placement {
            ifindex,
            mac: Some(mac),
            router,
            address,
            ..
        } = placement
        else {
            return;
        };
        let frame = match address.address {
            IpAddr::V4(v4) => arp::gratuitous(*mac, v4),
            IpAddr::V6(v6) => ndisc::unsolicited(*mac, v6, *router),
        };
        if let Err(error) = self.packets.send(*ifindex, &frame) {
            tracing::warn!(instance = &*job.name, address = %address.address, "{}", Chain(&error));
        }
    }

    /// Puts back addresses that are gone although nobody here removed them.
    fn restore(&mut self, job: &Job) {
        if let Ok(missing) = self.missing(job)
            && let Some(first) = missing.first()
        {
            tracing::warn!(
                instance = &*job.name,
                address = %first.address,
                missing = missing.len(),
                "({}) virtual addresses were removed by somebody else and are put back",
                job.name
            );
            self.verify(job, 1);
        }
    }

    /// Reads back what the kernel has and tries again what is missing.
    fn verify(&mut self, job: &Job, attempt: u32) {
        let missing = match self.missing(job) {
            Ok(missing) => missing,
            Err(error) => {
                tracing::warn!(
                    instance = &*job.name,
                    "cannot read back addresses: {}",
                    Chain(&error)
                );
                return;
            }
        };
        let Some(first) = missing.first() else { return };
        if attempt >= ATTEMPTS {
            tracing::error!(
                instance = &*job.name,
                address = %first.address,
                missing = missing.len(),
                "virtual addresses could not be installed"
            );
            // A node with some of them serves those; one with none must leave them to a peer.
            if missing.len() == job.placements.len() {
                self.engine.send(Command::InstallFailed(job.id));
            }
            return;
        }
        let wanted: Vec<_> = missing
            .iter()
            .map(|p| (p.ifindex, p.address.clone()))
            .collect();
        report(job, self.netlink.add_addresses(&wanted));
        let mut job = job.clone();
        job.action = Action::Verify {
            attempt: attempt + 1,
        };
        let backoff = FIRST_BACKOFF * 2_u32.saturating_pow(attempt - 1);
        self.retries.insert(job.id, (clock::now() + backoff, job));
    }

    fn missing(&mut self, job: &Job) -> Result<Vec<Placement>, netlink::Error> {
        let indices: BTreeSet<u32> = job.placements.iter().map(|p| p.ifindex).collect();
        let mut present = BTreeSet::new();
        for index in indices {
            let addresses = self.netlink.addresses(Some(index))?;
            present.extend(addresses.into_iter().map(|a| (a.ifindex, a.address)));
        }
        let still_ours = |p: &&Placement| {
            self.holders
                .get(&place(p))
                .is_some_and(|holders| holders.contains(&job.id))
        };
        let missing = job
            .placements
            .iter()
            .filter(|p| !present.contains(&place(p)));
        Ok(missing.filter(still_ours).cloned().collect())
    }
}

struct Finished;

/// Adds a job. Announcements that no longer matter go, so that no stream of adverts makes the
/// queue grow, or an address stay because of what waits before its removal.
fn enqueue(queue: &mut VecDeque<Progress>, job: Job) {
    let announces = |action: &Action| matches!(action, Action::Announce { .. });
    let same_addresses = |p: &Progress| Arc::ptr_eq(&p.job.placements, &job.placements);
    match &job.action {
        Action::Remove => queue.retain(|p| !(announces(&p.job.action) && same_addresses(p))),
        Action::Announce { repeat } => {
            let last = queue
                .back_mut()
                .filter(|p| p.done == 0 && same_addresses(p));
            if let Some(Progress { job: waiting, .. }) = last
                && let Action::Announce { repeat: rounds } = &mut waiting.action
            {
                *rounds = (*repeat).max(*rounds);
                return;
            }
        }
        Action::Install | Action::Transmit { .. } | Action::Verify { .. } | Action::Restore => {}
    }
    queue.push_back(Progress { job, done: 0 });
}

const fn place(placement: &Placement) -> Place {
    (placement.ifindex, placement.address.address)
}

fn report(job: &Job, answer: Result<Vec<Result<netlink::Change, netlink::Error>>, netlink::Error>) {
    let errors = match answer {
        Ok(results) => results.into_iter().filter_map(Result::err).collect(),
        Err(error) => vec![error],
    };
    if let Some(error) = errors.first() {
        tracing::warn!(
            instance = &*job.name,
            failed = errors.len(),
            "{}",
            Chain(error)
        );
    }
}

/// An error with all its causes on one line.
pub(super) struct Chain<'a>(pub(super) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
