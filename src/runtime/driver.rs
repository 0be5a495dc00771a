//! The engine: a thread that drives the protocol and waits for nothing but packets and time.
//!
//! It never touches disk, netlink, scripts or a log file: addresses are the executor's, logs are
//! written by another thread, everything else is told through a channel.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use super::authenticator::Proven;
use super::breath::Breath;
use super::clock;
use super::command::{Assignment, Changes, Command, Handle, Report, Reporter, SyncedGroup};
use super::executor::{Action, Chain, Job, Lane, Pace, Placement, Placements, Work};
use super::links::{LinkState, Links};
use super::member::{Complaint, Footing, Member};
use super::pool::{Key, Members, Pool};
use crate::config::model::{Gaps, Pacing};
use crate::control::statistics;
use crate::control::vocabulary;
use crate::sys::socket::{self, Datagram, Waker};
use crate::types::{InstanceId, Instant, InterfaceName, Priority};
use crate::vrrp::group::GroupId;
use crate::vrrp::instance::{Effect, Fault, Input, Instance, Transition};
use crate::vrrp::router::{Event, InstanceEffect, Router};
use crate::wire::auth::ah;
use crate::wire::ip::{Packet, Protocol};
use crate::wire::vrrp::{self, Received, Rejected};

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
    router: Router,
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
    /// An engine without instances on a host with `links`.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn new(links: Links, jobs: Sender<Work>, reporter: Reporter) -> io::Result<(Self, Handle)> {
        let (handle, commands, waker) = Handle::new()?;
        let driver = Self {
            router: Router::new(),
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

    /// Waiting packets come before expired timers: a host that stalled must not take over from
    /// a live peer.
    fn read_packets(&mut self, ready: &[bool], buffer: &mut [u8]) {
        let readable = self
            .pool
            .keys()
            .zip(ready.iter().skip(1))
            .filter(|(_, ready)| **ready);
        let keys: Vec<Key> = readable.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.read_socket(&key, buffer);
        }
    }

    fn read_socket(&mut self, key: &Key, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            match self.pool.receive(key, buffer) {
                Ok(Some(datagram)) => {
                    let at = clock::received_at(datagram.received);
                    self.take_packet(key, at, &datagram);
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(interface = %key.0, "{}, reopening", Chain(&error));
                    self.pool.close(key);
                    self.settle_all();
                    return;
                }
            }
        }
    }

    fn take_packet(&mut self, key: &Key, at: Instant, datagram: &Datagram<'_>) {
        let length = datagram.bytes().len();
        tracing::trace!(interface = %key.0, length, "packet received");
        let parsed = match key.2 {
            Protocol::Vrrp => datagram.packet().map(|packet| (packet, None)),
            Protocol::AuthenticationHeader => {
                ah::parse(datagram.bytes()).map(|(packet, header)| (packet, Some(header)))
            }
        };
        let found = parsed.and_then(|(packet, header)| Ok((packet, header, vrrp::vrid(&packet)?)));
        let (packet, header, vrid) = match found {
            Ok(found) => found,
            Err(reason) => return self.count_stranger(reason),
        };
        let Some(id) = self.pool.addressee(key, vrid, packet.source, &self.members) else {
            return self.count_stranger(Rejected::UnknownVrid);
        };
        self.take_advert(id, at, &packet, header.as_ref());
    }

    fn count_stranger(&mut self, reason: Rejected) {
        *self.strangers.entry(reason).or_default() += 1;
    }

    fn take_advert(
        &mut self,
        id: InstanceId,
        at: Instant,
        packet: &Packet<'_>,
        header: Option<&ah::Header<'_>>,
    ) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        match member.receive(packet, header, clock::since_epoch()) {
            Ok((received, proven)) => {
                self.compare(id, &received);
                self.compare_clocks(id, packet.source, proven);
                self.handle(at, Event::Instance(id, Input::Advert(received.advert)));
            }
            Err(reason) => {
                if member.complain(Complaint::Rejected(packet.source, reason)) {
                    tracing::warn!(
                        instance = &*member.name,
                        source = %packet.source,
                        "({}) advert from {} discarded: {}",
                        member.name,
                        packet.source,
                        reason.describe()
                    );
                }
            }
        }
    }

    /// Complains of what peers should agree on and need not. RFC 9568 §7.1.
    fn compare(&mut self, id: InstanceId, received: &Received) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let source = received.advert.source;
        let known = self.router.instance(id).and_then(Instance::active_router);
        let skipped = member.config.skip_address_check && known.is_some_and(|k| k.0 == source);
        if !skipped && !member.lists_same_addresses(received) {
            member.statistics.address_list_differs += 1;
            if member.complain(Complaint::AddressList(source)) {
                tracing::warn!(
                    instance = &*member.name,
                    %source,
                    theirs = ?received.addresses,
                    "({}) {source} advertises other addresses than ours",
                    member.name
                );
            }
        }
        if !received.lists_link_local_first() && member.complain(Complaint::FirstAddress(source)) {
            // Whoever wrote the list heard it from the check of the file: no warning each time.
            tracing::info!(
                instance = &*member.name,
                %source,
                "({}) the first address that {source} advertises is not link-local (RFC 9568 §5.2.9)",
                member.name
            );
        }
        let (ours, theirs) = (member.checksum_form(), received.checksum);
        if ours != theirs && member.complain(Complaint::Checksum(source, theirs)) {
            tracing::warn!(
                instance = &*member.name,
                %source,
                "({}) {source} sends checksums {}, we {}; keepalived takes its own form only",
                member.name,
                theirs.describe(),
                ours.describe()
            );
        }
        let interval = member.config.protocol.advertisement_interval;
        let differs = received.advert.interval != interval;
        if differs && member.complain(Complaint::Interval(source)) {
            tracing::warn!(
                instance = &*member.name,
                %source,
                "({}) {source} advertises every {} s, we every {interval} s",
                member.name,
                received.advert.interval
            );
        }
    }

    /// Complains of a clock that is on its way out of the window of `auth_hmac`.
    fn compare_clocks(&mut self, id: InstanceId, source: IpAddr, proven: Proven) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let far = member.skew_limit().is_some_and(|limit| proven.skew > limit);
        if far && member.complain(Complaint::Skew(source)) {
            let seconds = proven.skew.as_secs();
            tracing::warn!(
                instance = &*member.name,
                %source,
                "({}) the clock of {source} is {seconds} s from ours, over half of time_window",
                member.name
            );
        }
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
                Command::Statistics(reply) => {
                    // The asker may have lost patience.
                    let _ = reply.send(self.statistics());
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
            member.refused_on = member.footing.ifindex;
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
        let concerned = members.filter(|(_, m)| m.config.interface == *interface);
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
        member.statistics.adverts_sent += 1;
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
        let own = member.footing.ifindex;
        let placements = member.placements.iter();
        let elsewhere = placements.filter(|p| Some(p.ifindex) != own).cloned();
        self.batch.push(Job {
            id,
            name: Arc::clone(&member.name),
            placements: elsewhere.collect(),
            action: Action::Announce { repeat: 1 },
        });
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
        member.statistics.adverts_sent += 1;
        if priority == Priority::RELEASE {
            member.statistics.releases_sent += 1;
        }
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

    /// Applies what the host's interfaces are now to every instance.
    fn settle_all(&mut self) {
        self.links = self.bridge_over(self.host.clone());
        let names: BTreeSet<InterfaceName> = self.tracked_names();
        for interface in names {
            let up = self.links.get(&interface).is_some_and(|link| link.up);
            self.handle(clock::now(), Event::Link { interface, up });
        }
        let ids: Vec<_> = self.members.keys().copied().collect();
        for id in ids {
            let before = self.members.get(&id).map(|m| Arc::clone(&m.placements));
            self.settle(id);
            if let Some(before) = before {
                self.follow(id, &before);
            }
        }
        self.pool.tidy(&self.members);
    }

    /// A device with a virtual MAC address that somebody has deleted is made again in a moment:
    /// to wait for it costs clients less than a takeover.
    fn bridge_over(&mut self, mut links: Links) -> Links {
        let now = clock::now();
        let missing = self.members.values().filter_map(|member| {
            let device = member.missing_device(&links)?;
            let before = self.links.get(device).filter(|link| link.up)?;
            let until = self.vanished.get(device).copied();
            let until = until.unwrap_or(now + REPAIR);
            (now < until).then(|| (device.clone(), before.clone(), until))
        });
        let missing: Vec<_> = missing.collect();
        let before = std::mem::take(&mut self.vanished).into_keys();
        self.returned = before
            .filter(|name| !missing.iter().any(|m| m.0 == *name))
            .collect();
        for (device, before, until) in missing {
            self.retry_at = Some(self.retry_at.map_or(until, |at| at.min(until)));
            links.insert(device.clone(), before);
            self.vanished.insert(device, until);
        }
        links
    }

    /// Interfaces of addresses that are installed have changed under them.
    fn follow(&mut self, id: InstanceId, before: &Placements) {
        let (Some(member), Some(instance)) = (self.members.get(&id), self.router.instance(id))
        else {
            return;
        };
        let place = |p: &Placement| (p.ifindex, p.mac, p.address.address);
        let old: BTreeSet<_> = before.iter().map(place).collect();
        let moved = member.placements.iter().any(|p| !old.contains(&place(p)));
        // Its addresses may have gone with it.
        let returned = member
            .device
            .as_ref()
            .is_some_and(|d| self.returned.contains(d));
        if (moved || returned) && instance.holds_addresses() {
            let repeat = instance.config().announcement.repeat;
            self.enqueue(id, Action::Install);
            self.enqueue(id, Action::Announce { repeat });
            self.flush();
        }
    }

    /// Interfaces seen so far or now: one that is gone is down.
    fn tracked_names(&self) -> BTreeSet<InterfaceName> {
        let tracked = self
            .members
            .values()
            .flat_map(|m| &m.config.track_interfaces);
        tracked.map(|t| t.interface.clone()).collect()
    }

    fn settle(&mut self, id: InstanceId) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let before = std::mem::take(&mut member.footing);
        let placements = Arc::clone(&member.placements);
        member.settle(&self.links);
        let mut now = member.footing.clone();
        if !now.faults.contains(&Fault::Interface)
            && let Err(error) = self.join_pool(id)
        {
            if !before.faults.contains(&Fault::Socket) {
                tracing::warn!("{}", Chain(&error));
            }
            self.retry_at = Some(clock::now() + SOCKET_RETRY);
            now.faults.insert(Fault::Socket);
        }
        self.apply_footing(id, &before, &now);
        // An interface that was renamed keeps no address of ours.
        self.remove_what_went(id, &placements);
        self.flush();
    }

    fn apply_footing(&mut self, id: InstanceId, before: &Footing, now: &Footing) {
        if let Some(member) = self.members.get_mut(&id) {
            member.footing = now.clone();
        }
        let mut inputs = Vec::new();
        if let Some(source) = now.source.filter(|_| now.source != before.source) {
            inputs.push(Input::PrimaryAddress(source));
        }
        // Raised before cleared: the instance must not run between the two.
        inputs.extend(
            now.faults
                .difference(&before.faults)
                .cloned()
                .map(Input::FaultRaised),
        );
        inputs.extend(
            before
                .faults
                .difference(&now.faults)
                .cloned()
                .map(Input::FaultCleared),
        );
        for input in inputs {
            self.handle(clock::now(), Event::Instance(id, input));
        }
    }

    fn join_pool(&mut self, id: InstanceId) -> Result<(), socket::Error> {
        match self.members.get(&id) {
            Some(member) => self.pool.join(id, member),
            None => Ok(()),
        }
    }

    fn reload(&mut self, changes: Changes) {
        for (id, counter) in changes.trackers {
            self.router.set_tracker(id, counter);
        }
        for (id, rise, fall) in changes.counts {
            self.router.set_tracker_counts(id, rise, fall);
        }
        self.held_until = changes.held_until;
        self.pacing = changes.pacing;
        self.send_paces();
        self.set_groups(changes.groups);
        for id in changes.removed {
            self.leaving.insert(id);
            self.handle(clock::now(), Event::Instance(id, Input::Shutdown));
        }
        for assignment in changes.updated {
            self.update(assignment);
        }
        // All before the first starts: it may be in one sync group with the last.
        let added: Vec<_> = changes.added.iter().map(|a| a.id).collect();
        for assignment in changes.added {
            self.add(assignment);
        }
        for id in added {
            self.handle(clock::now(), Event::Instance(id, Input::Startup));
        }
        for id in changes.forgotten {
            self.router.remove_tracker(id);
        }
        self.settle_all();
    }

    fn add(&mut self, assignment: Assignment) {
        let Assignment {
            id,
            config,
            tracking,
            device,
            table,
        } = assignment;
        let protocol = config.protocol.clone();
        self.members.insert(id, Member::new(config, device, table));
        self.router.add(clock::now(), id, protocol, tracking);
        if let Some(at) = self.held_until {
            self.handle(clock::now(), Event::Instance(id, Input::HoldUntil(at)));
        }
        self.feed_links();
        self.settle(id);
    }

    fn set_groups(&mut self, groups: Vec<SyncedGroup>) {
        let members = groups.iter().map(|g| (g.id, g.members.clone())).collect();
        self.groups = groups.into_iter().map(|g| (g.id, g.name)).collect();
        self.change(|router, now, effects| router.set_groups(now, members, effects));
    }

    /// Has the router do something that is no event.
    fn change(&mut self, what: impl FnOnce(&mut Router, Instant, &mut Vec<InstanceEffect>)) {
        self.last_now = clock::now().max(self.last_now);
        let mut effects = std::mem::take(&mut self.effects);
        what(&mut self.router, self.last_now, &mut effects);
        self.perform_all(&mut effects);
        self.effects = effects;
        self.flush();
    }

    fn feed_links(&mut self) {
        for interface in self.tracked_names() {
            let up = self.links.get(&interface).is_some_and(|link| link.up);
            self.handle(clock::now(), Event::Link { interface, up });
        }
    }

    fn update(&mut self, assignment: Assignment) {
        let Assignment {
            id,
            config,
            tracking,
            device,
            table,
        } = assignment;
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let before = Arc::clone(&member.placements);
        let protocol = config.protocol.clone();
        member.reconfigure(config, device, table);
        self.settle(id);
        let announce = self.has_new_placements(id, &before);
        self.feed_links();
        self.change(|router, now, effects| {
            router.reconfigure(now, id, protocol, tracking, announce, effects);
        });
    }

    fn has_new_placements(&self, id: InstanceId, before: &Placements) -> bool {
        let old: BTreeSet<&Placement> = before.iter().collect();
        let member = self.members.get(&id);
        member.is_some_and(|m| m.placements.iter().any(|p| !old.contains(p)))
    }

    /// Has addresses removed that an instance no longer has where they were.
    fn remove_what_went(&mut self, id: InstanceId, before: &Placements) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        if Arc::ptr_eq(before, &member.placements) {
            return;
        }
        let place = |p: &Placement| (p.ifindex, p.address.clone(), p.dropped_in.clone());
        let now: BTreeSet<_> = member.placements.iter().map(place).collect();
        let gone = before.iter().filter(|p| !now.contains(&place(p)));
        let gone: Vec<_> = gone.cloned().collect();
        if !gone.is_empty() {
            let name = Arc::clone(&member.name);
            self.batch.push(Job {
                id,
                name,
                placements: gone.into(),
                action: Action::Remove,
            });
        }
    }

    /// Forgets instances that a reload took away, once they have let go.
    fn drop_finished(&mut self) {
        let router = &self.router;
        let done = |id: &InstanceId| router.instance(*id).is_none_or(Instance::is_finished);
        let finished: Vec<_> = self.leaving.iter().copied().filter(done).collect();
        for id in finished {
            self.leaving.remove(&id);
            self.router.remove(id);
            self.members.remove(&id);
            self.pool.tidy(&self.members);
            (self.reporter)(Report::Departed(id));
        }
    }

    fn statistics(&self) -> String {
        self.members
            .values()
            .map(|m| statistics::text(&m.name, &m.statistics))
            .collect()
    }
}
