//! The engine: a thread that drives the protocol and waits for nothing but packets and time.
//!
//! It never touches disk, netlink, scripts or a log file: addresses are the executor's, logs are
//! written by another thread, everything else is told through a channel.

mod change;
mod look;
mod receive;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use super::breath::Breath;
use super::clock;
use super::command::{Command, Handle, Report, Reporter};
use super::executor::{Action, Chain, Job, Lane, Pace, Placement, Work};
use super::links::{LinkState, Links};
use super::member::{Complaint, Member};
use super::peers::Names;
use super::pool::{Members, Pool};
use crate::config::model::{Gaps, Pacing};
use crate::control::recording::{Recorded, Sink};
use crate::control::{statistics, vocabulary};
use crate::sys::socket::{self, Waker};
use crate::types::{InstanceId, Instant, InterfaceName, Priority, Vrid};
use crate::vrrp::group::GroupId;
use crate::vrrp::instance::{Effect, Input, Instance, Transition};
use crate::vrrp::router::{Event, InstanceEffect};
use crate::wire::vrrp::Rejected;

/// Packets taken from one socket before timers have their turn: more than wait in any full
/// buffer of a sane network, and few enough that a flood costs no advert.
const BATCH: usize = 512;
/// Largest VRRP packet: 60 bytes of IP header, 8 and 255 × 4, 8 of authentication, and to spare.
const PACKET_LEN: usize = 2048;
/// A timer that is late by more than this share of the interval is worth a line.
const LATE_SHARE: u32 = 4;
/// How long before a takeover engine and executor stay awake.
const HEAD_START: Duration = Duration::from_micros(200);
/// Longest wait for a device that is being made again.
const REPAIR: Duration = Duration::from_millis(250);
/// Addresses that are installed in so short a time that an advert may wait for them.
const FEW: usize = 32;
/// Time until a socket that could not be opened is tried again.
const SOCKET_RETRY: Duration = Duration::from_secs(1);

/// The engine. See the module.
pub struct Driver {
    router: Recorded,
    members: Members,
    pool: Pool,
    /// The host's interfaces.
    host: Links,
    /// The same, with devices that are being made again as they were.
    links: Links,
    /// Until when such devices are waited for.
    vanished: BTreeMap<InterfaceName, Instant>,
    /// Those that are there again, while instances are told of it.
    returned: BTreeSet<InterfaceName>,
    commands: Receiver<Command>,
    waker: Arc<Waker>,
    jobs: Sender<Work>,
    batch: Vec<Job>,
    reporter: Reporter,
    effects: Vec<InstanceEffect>,
    last_now: Instant,
    retry_at: Option<Instant>,
    strangers: BTreeMap<Rejected, u64>,
    /// Addresses of peers that are named.
    names: Names,
    /// Whose adverts are for nobody here, where that is logged: each is named once.
    log_strangers: bool,
    named_strangers: BTreeSet<(Option<InterfaceName>, Vrid, IpAddr)>,
    pacing: Pacing,
    /// Instances that come are held back until then.
    held_until: Option<Instant>,
    /// Names of the sync groups.
    groups: BTreeMap<GroupId, Arc<str>>,
    /// Instances that a reload took away and that still hand over.
    leaving: BTreeSet<InstanceId>,
    stopping: bool,
    aborted: bool,
    /// The executor has ended, so no address can be installed or removed.
    helpless: bool,
    /// There is a processor to stay awake on.
    alert: bool,
    breath: Breath,
}

impl Driver {
    /// An engine without instances on a host with `links`, whose decisions `record` writes down.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn new(
        links: Links,
        jobs: Sender<Work>,
        reporter: Reporter,
        record: Option<Sink>,
    ) -> io::Result<(Self, Handle)> {
        let (handle, commands, waker) = Handle::new()?;
        let driver = Self {
            router: Recorded::new(record),
            members: BTreeMap::new(),
            pool: Pool::default(),
            host: Links::new(),
            links: Links::new(),
            vanished: BTreeMap::new(),
            returned: BTreeSet::new(),
            commands,
            waker,
            jobs,
            batch: Vec::new(),
            reporter,
            effects: Vec::new(),
            last_now: clock::now(),
            retry_at: None,
            strangers: BTreeMap::new(),
            names: Names::new(),
            log_strangers: false,
            named_strangers: BTreeSet::new(),
            pacing: Pacing::default(),
            held_until: None,
            groups: BTreeMap::new(),
            leaving: BTreeSet::new(),
            stopping: false,
            aborted: false,
            helpless: false,
            alert: std::thread::available_parallelism().is_ok_and(|n| n.get() > 1),
            breath: Breath::new(),
        };
        handle.send(Command::Links(links));
        Ok((driver, handle))
    }

    /// Runs until it has been shut down and every instance has let go.
    ///
    /// # Errors
    /// When waiting for packets fails, which no network and no file can cause.
    pub fn run(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; PACKET_LEN];
        let mut ready = Vec::new();
        while !self.finished() {
            let began = clock::now();
            self.wait(&mut ready)?;
            self.breath.waited(began);
            self.breath.take_if_due();
            self.complain_if_late();
            self.read_packets(&ready, &mut buffer);
            if ready.first() == Some(&true) {
                self.waker.reset();
                self.obey_commands();
            }
            self.let_time_pass();
            if self.helpless {
                return Err(io::Error::other(
                    "the thread that installs addresses has ended",
                ));
            }
        }
        Ok(())
    }

    /// Sends priority 0 and has every address removed: for the end after a panic.
    pub fn give_up(&mut self) {
        let active: Vec<_> = self
            .router
            .instances()
            .filter(|(_, instance)| instance.holds_addresses())
            .map(|(id, _)| id)
            .collect();
        for id in active {
            self.send_advert(id, Priority::RELEASE);
        }
        let all: Vec<_> = self.members.keys().copied().collect();
        for id in all {
            self.enqueue(id, Action::Remove);
        }
        self.flush();
    }

    fn finished(&self) -> bool {
        let done = || {
            self.router
                .instances()
                .all(|(_, instance)| instance.is_finished())
        };
        self.aborted || (self.stopping && done())
    }

    /// Waits for packets, commands or time. Shortly before a takeover it stays awake, and so does
    /// the executor: waking up costs more than everything else that a takeover takes.
    fn wait(&self, ready: &mut Vec<bool>) -> io::Result<()> {
        let mut fds = vec![self.waker.as_fd()];
        fds.extend(self.pool.descriptors());
        let due = [self.router.deadline(), self.retry_at]
            .into_iter()
            .flatten()
            .min();
        let takeover = self
            .router
            .takeover_due()
            .filter(|at| self.alert && Some(*at) == due);
        let until = takeover.map(|at| at - HEAD_START).or(due);
        let timeout = until.map(|at| at.saturating_since(clock::now()));
        socket::wait_readable(&fds, timeout, ready)?;
        let Some(at) = takeover else { return Ok(()) };
        if clock::now() + HEAD_START >= at && !ready.contains(&true) {
            // An executor that has ended is noticed when there is work for it.
            let _ = self.jobs.send(Work::Expect {
                until: at + HEAD_START,
            });
            while clock::now() < at && !ready.contains(&true) {
                socket::wait_readable(&fds, Some(Duration::ZERO), ready)?;
            }
        }
        Ok(())
    }

    fn obey_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Links(links) => {
                    self.host = links;
                    self.send_paces();
                    self.settle_all();
                }
                Command::AddressesGone(addresses) => self.restore(&addresses),
                Command::InstallFailed(id) => self.refuse(id),
                Command::TrackResult { tracker, success } => {
                    self.handle(clock::now(), Event::TrackResult { tracker, success });
                }
                Command::TrackValue { tracker, value } => {
                    self.handle(clock::now(), Event::TrackValue { tracker, value });
                }
                Command::PeerFound { name, addresses } => self.peer_found(name, addresses),
                Command::LinkProved(interface) => self.link_proved(&interface),
                Command::Reload(changes) => self.reload(*changes),
                Command::Confirm(reply) => {
                    // The asker may have lost patience.
                    let _ = reply.send(());
                }
                Command::Shutdown => self.shut_down(),
                Command::Abort => {
                    self.give_up();
                    self.report_all_stopped();
                    self.aborted = true;
                }
                Command::Leave => {
                    self.report_all_stopped();
                    self.aborted = true;
                }
                Command::Look(reply) => {
                    // The asker may have lost patience.
                    let _ = reply.send(self.look());
                }
                Command::ClearStatistics => {
                    for member in self.members.values_mut() {
                        member.statistics = statistics::Statistics::default();
                    }
                }
            }
        }
    }

    /// Leaves the addresses to a peer when the kernel takes none of them here.
    fn refuse(&mut self, id: InstanceId) {
        let holds = self
            .router
            .instance(id)
            .is_some_and(Instance::holds_addresses);
        if let Some(member) = self.members.get_mut(&id).filter(|_| holds) {
            let first = member.placements.first();
            member.refused_on = member.footing.ifindex.or(first.map(|p| p.ifindex));
            self.settle(id);
        }
    }

    /// Has addresses put back that are to be here and that the kernel has removed: somebody else
    /// did it, or it is an old piece of news, which does no harm.
    fn restore(&mut self, addresses: &BTreeSet<IpAddr>) {
        let gone = |p: &Placement| !p.address.untracked && addresses.contains(&p.address.address);
        let lacks = |id: &InstanceId| {
            let member = self.members.get(id);
            member.is_some_and(|m| m.placements.iter().any(gone))
        };
        let holders = self.router.instances().filter(|(_, i)| i.holds_addresses());
        let ids: Vec<_> = holders.map(|(id, _)| id).filter(lacks).collect();
        for id in ids {
            self.enqueue(id, Action::Restore);
        }
        self.flush();
    }

    fn link_proved(&mut self, interface: &InterfaceName) {
        let members = self.members.iter();
        let concerned = members.filter(|(_, m)| m.config.interface.as_ref() == Some(interface));
        let ids: Vec<_> = concerned.map(|(id, _)| *id).collect();
        for id in ids {
            self.handle(clock::now(), Event::Instance(id, Input::LinkProved));
        }
    }

    /// Says to the executor how fast it may announce on each interface there is.
    fn send_paces(&mut self) {
        let pace = |(name, link): (&InterfaceName, &LinkState)| {
            let (group, gaps) = self.pacing.of(name);
            let lane = group.map_or(Lane::Interface(link.index), Lane::Group);
            (gaps != Gaps::default()).then_some((link.index, Pace { lane, gaps }))
        };
        let paces = self.links.iter().filter_map(pace).collect();
        self.helpless |= self.jobs.send(Work::Pace(paces)).is_err();
    }

    fn shut_down(&mut self) {
        self.stopping = true;
        let ids: Vec<_> = self.members.keys().copied().collect();
        for id in ids {
            self.handle(clock::now(), Event::Instance(id, Input::Shutdown));
        }
    }

    fn report_all_stopped(&self) {
        for (id, member) in &self.members {
            self.report(*id, member, Transition::Stopped);
        }
    }

    fn let_time_pass(&mut self) {
        let now = clock::now();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.settle_all();
        }
        if self.router.deadline().is_some_and(|at| at <= now) {
            self.handle(now, Event::Deadline);
        }
    }

    /// A host that is late by much of an interval makes its peers take over from it: the operator
    /// must hear of it. RFC 9568 §2.5.
    fn complain_if_late(&mut self) {
        let Some((at, id)) = self.router.next_due() else {
            return;
        };
        let late = clock::now().saturating_since(at);
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let interval = member.config.protocol.advertisement_interval;
        if late > interval.duration() / LATE_SHARE && member.complain(Complaint::Late) {
            tracing::warn!(
                instance = &*member.name,
                "({}) a timer came {late:.1?} late: this host is too busy for adverts every \
                 {interval} s",
                member.name
            );
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        self.last_now = now.max(self.last_now);
        let mut effects = std::mem::take(&mut self.effects);
        self.router.handle(self.last_now, event, &mut effects);
        self.perform_all(&mut effects);
        self.effects = effects;
        self.flush();
        self.drop_finished();
    }

    /// In exactly that order, save for one thing: an advert from a virtual MAC address makes the
    /// switch send the clients here at once, so it leaves when the addresses are there. It is the
    /// last to leave, because a peer that still has the addresses answers announcements of them,
    /// from the same MAC address, until it hears the advert.
    fn perform_all(&mut self, effects: &mut Vec<InstanceEffect>) {
        let mut rest = effects.drain(..).peekable();
        while let Some((id, effect)) = rest.next() {
            let Effect::SendAdvert(priority) = effect else {
                self.perform(id, effect);
                continue;
            };
            let install = (id, Effect::InstallAddresses);
            if self.moves_clients(id) && rest.next_if_eq(&install).is_some() {
                self.perform(id, Effect::InstallAddresses);
                let announces = |(of, e): &InstanceEffect| {
                    *of == id && matches!(e, Effect::AnnounceAddresses { .. })
                };
                if let Some((id, announce)) = rest.next_if(announces) {
                    self.perform(id, announce);
                }
                self.enqueue_advert(id, priority);
            } else {
                self.perform(id, effect);
            }
        }
    }

    fn moves_clients(&self, id: InstanceId) -> bool {
        let few = |member: &Member| member.placements.len() <= FEW;
        self.members
            .get(&id)
            .is_some_and(|member| member.moves_mac() && few(member))
    }

    /// Has the executor send an advert after what it has to do before.
    fn enqueue_advert(&mut self, id: InstanceId, priority: Priority) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let Some(ifindex) = member.footing.ifindex else {
            return;
        };
        member.count_sent(priority);
        let frames = member.advert_frames(priority, clock::since_epoch()).into();
        self.enqueue(id, Action::Transmit { ifindex, frames });
    }

    fn perform(&mut self, id: InstanceId, effect: Effect) {
        match effect {
            Effect::SendAdvert(priority) => self.send_advert(id, priority),
            Effect::InstallAddresses => self.enqueue(id, Action::Install),
            Effect::RemoveAddresses => self.enqueue(id, Action::Remove),
            Effect::AnnounceAddresses { repeat } => self.enqueue(id, Action::Announce { repeat }),
            Effect::AnnounceElsewhere => self.announce_elsewhere(id),
            Effect::AdvertiseRouter { last } => self.advertise_router(id, last),
            Effect::HeardLowerPriority => self.tell_of_lower_priority(id),
            Effect::Notify(transition) => {
                // The address does not wait for a line of log.
                self.flush();
                self.tell(id, transition);
            }
            Effect::NotifyGroup(group, transition) => self.tell_of_group(group, transition),
        }
    }

    fn enqueue(&mut self, id: InstanceId, action: Action) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        self.batch.push(Job {
            id,
            name: Arc::clone(&member.name),
            placements: Arc::clone(&member.placements),
            action,
        });
    }

    /// Announces what is not on the instance's own interface.
    fn announce_elsewhere(&mut self, id: InstanceId) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        self.batch.push(Job {
            id,
            name: Arc::clone(&member.name),
            placements: member.elsewhere(),
            action: Action::Announce { repeat: 1 },
        });
    }

    /// Has the executor send a router advertisement after what it has to do before.
    fn advertise_router(&mut self, id: InstanceId, last: bool) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        if !last && member.routes_in_vain() && member.complain(Complaint::NoForwarding) {
            let name = &*member.name;
            tracing::warn!(
                instance = name,
                "({name}) hosts are told that this is a router, but it does not forward IPv6"
            );
        }
        let Some((ifindex, frame)) = member.router_advert(last) else {
            return;
        };
        let frames = Arc::from([frame]);
        self.enqueue(id, Action::Transmit { ifindex, frames });
    }

    fn tell_of_lower_priority(&self, id: InstanceId) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let name = Arc::clone(&member.name);
        tracing::info!(
            instance = &*name,
            "({name}) Received advert of lower priority"
        );
        (self.reporter)(Report::HeardLowerPriority { id, name });
    }

    /// Hands all jobs of one event over at once: one wake-up, and the first announcement follows
    /// its address without waiting for anything else.
    fn flush(&mut self) {
        if !self.batch.is_empty() {
            let jobs = Work::Jobs(std::mem::take(&mut self.batch));
            self.helpless |= self.jobs.send(jobs).is_err();
        }
    }

    fn send_advert(&mut self, id: InstanceId, priority: Priority) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        member.count_sent(priority);
        let packets = member.adverts(priority, clock::since_epoch());
        if member.numbers_used_up() && member.complain(Complaint::NumbersUsedUp) {
            let name = &*member.name;
            tracing::error!(instance = name, "({name}) AH sequence numbers are used up");
        }
        for (destination, packet) in packets {
            let Err(error) = self.pool.send(member, destination, &packet) else {
                continue;
            };
            if member.complain(Complaint::SendFailed(destination)) {
                tracing::warn!(
                    instance = &*member.name,
                    "({}) {}",
                    member.name,
                    Chain(&error)
                );
            }
        }
    }

    fn tell(&mut self, id: InstanceId, transition: Transition) {
        let leaves = transition == Transition::Stopped && self.leaving.contains(&id);
        let transition = match self.members.get(&id) {
            // keepalived: an instance that a reload takes away is at fault unless asked for more.
            Some(m) if leaves && m.config.notify.says_deleted => Transition::Deleted,
            Some(_) if leaves && !self.stopping => Transition::Fault,
            _ => transition,
        };
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        member.forget_complaints();
        member.since = clock::since_epoch();
        match transition {
            Transition::Active => {
                member.statistics.became_active += 1;
            }
            Transition::Backup | Transition::Fault | Transition::Stopped | Transition::Deleted => {
                member.end_term();
                let counted = &mut member.statistics;
                counted.released_active = counted.became_active;
            }
        }
        let Some(member) = self.members.get(&id) else {
            return;
        };
        self.log_transition(id, member, transition);
        self.report(id, member, transition);
    }

    fn tell_of_group(&self, group: GroupId, transition: Transition) {
        let Some(name) = self.groups.get(&group).map(Arc::clone) else {
            return;
        };
        let word = vocabulary::transition(transition);
        tracing::info!(
            group = &*name,
            "VRRP_Group({name}) Syncing instances to {word} state"
        );
        (self.reporter)(Report::GroupTransition {
            id: group,
            name,
            transition,
        });
    }

    fn log_transition(&self, id: InstanceId, member: &Member, transition: Transition) {
        let name = &*member.name;
        let word = vocabulary::transition(transition);
        let instance = self.router.instance(id);
        match transition {
            Transition::Deleted => tracing::info!(instance = name, "({name}) deleted"),
            Transition::Stopped => tracing::info!(instance = name, "({name}) stopped"),
            Transition::Fault => {
                let faults = instance.map(|i| i.faults().clone()).unwrap_or_default();
                if faults.is_empty() {
                    // What scripts are told as a fault when a reload takes an instance away.
                    tracing::info!(instance = name, "({name}) is gone");
                    return;
                }
                tracing::warn!(instance = name, ?faults, "({name}) Entering {word} STATE");
            }
            Transition::Active | Transition::Backup => {
                let priority = instance.map(|i| i.priority().get());
                tracing::info!(instance = name, priority, "({name}) Entering {word} STATE");
            }
        }
    }

    fn report(&self, id: InstanceId, member: &Member, transition: Transition) {
        let priority = self
            .router
            .instance(id)
            .map_or(Priority::RELEASE, |i| i.priority());
        let name = Arc::clone(&member.name);
        (self.reporter)(Report::Transition {
            id,
            name,
            transition,
            priority,
        });
    }
}
