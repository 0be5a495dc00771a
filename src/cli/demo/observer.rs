//! What the switch and the client see, and which events that makes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use vipd::lab::{Capture, Captured, SeenAdvert, now};
use vipd::types::Interval;

use super::Error;
use super::client::{Client, Probe};
use super::timeline::{Timeline, seconds};

/// How often the demo looks.
const LOOK: Duration = Duration::from_millis(2);

/// Name of the client in the timeline.
const CLIENT: &str = "client";

/// Everything seen so far.
#[derive(Debug)]
pub(super) struct Observer {
    capture: Capture,
    client: Client,
    virtual_address: Ipv4Addr,
    interval: Interval,
    /// What was noted of it.
    pub(super) timeline: Timeline,
    /// The node that sends adverts, with its priority and the time of its last one.
    active: Option<Active>,
    adverts: BTreeMap<Arc<str>, u64>,
    announcements: BTreeMap<Arc<str>, u64>,
    probes: Vec<Probe>,
    /// Probes that were answered before an earlier one was given up.
    early: BTreeMap<u64, Probe>,
    next_probe: u64,
    answering: Option<String>,
    silent_since: Option<u64>,
}

/// The node that speaks for the virtual router.
#[derive(Debug, Clone)]
struct Active {
    node: Arc<str>,
    priority: u8,
    last_nanos: u64,
    announced: bool,
}

impl Observer {
    pub(super) fn new(
        capture: Capture,
        client: Client,
        virtual_address: Ipv4Addr,
        interval: Interval,
        timeline: Timeline,
    ) -> Self {
        Self {
            capture,
            client,
            virtual_address,
            interval,
            timeline,
            active: None,
            adverts: BTreeMap::new(),
            announcements: BTreeMap::new(),
            probes: Vec::new(),
            early: BTreeMap::new(),
            next_probe: 0,
            answering: None,
            silent_since: None,
        }
    }

    /// Watches for `time`, whatever happens.
    pub(super) fn watch(&mut self, time: Duration) -> Result<(), Error> {
        let end = now() + time;
        while now() < end {
            self.look()?;
        }
        Ok(())
    }

    /// Watches until `happened`.
    pub(super) fn watch_until(
        &mut self,
        awaited: String,
        within: Duration,
        happened: impl Fn(&Self) -> bool,
    ) -> Result<(), Error> {
        let end = now() + within;
        while !happened(self) {
            if now() >= end {
                return Err(Error::Overdue { awaited, within });
            }
            self.look()?;
        }
        Ok(())
    }

    /// The node that answers the client.
    pub(super) fn answering(&self) -> Option<&str> {
        self.answering.as_deref()
    }

    /// The node that sends adverts.
    pub(super) fn active(&self) -> Option<&str> {
        self.active.as_ref().map(|active| &*active.node)
    }

    /// When `node` last sent an advert: nanoseconds since 1970.
    pub(super) fn last_advert(&self, node: &str) -> Option<u64> {
        self.adverts.get(node).copied()
    }

    /// When `node` first announced the address after it last became Active.
    pub(super) fn announcement(&self, node: &str) -> Option<u64> {
        self.announcements.get(node).copied()
    }

    /// Probes asked from `from_nanos` on.
    pub(super) fn probes_since(&self, from_nanos: u64) -> Vec<Probe> {
        self.probes
            .iter()
            .filter(|probe| probe.at_nanos >= from_nanos)
            .cloned()
            .collect()
    }

    /// Forgets the probes so far.
    pub(super) fn forget_probes(&mut self) {
        self.probes.clear();
    }

    /// Number of a thread that stays on the client's host.
    pub(super) const fn client_thread_id(&self) -> u32 {
        self.client.thread_id
    }

    fn look(&mut self) -> Result<(), Error> {
        if let Some(frame) = self.capture.next(LOOK) {
            self.frame(&frame);
        }
        for frame in self.capture.drain() {
            self.frame(&frame);
        }
        self.early
            .extend(self.client.drain().map(|probe| (probe.number, probe)));
        while let Some(probe) = self.early.remove(&self.next_probe) {
            self.next_probe += 1;
            self.probe(probe);
        }
        self.timeline.print_settled().map_err(Error::Output)
    }

    fn frame(&mut self, frame: &Captured) {
        if let Some(advert) = frame.advert() {
            self.advert(frame, &advert);
        } else if frame.announced() == Some(self.virtual_address.into()) {
            self.announced(frame);
        }
    }

    fn advert(&mut self, frame: &Captured, advert: &SeenAdvert) {
        let (node, at_nanos) = (&frame.port, frame.at_nanos);
        if advert.priority == 0 {
            self.timeline
                .note(at_nanos, node, "lets go: advert with priority 0");
            self.active = self.active.take().filter(|active| active.node != *node);
            return;
        }
        self.adverts.insert(Arc::clone(node), at_nanos);
        match &mut self.active {
            Some(active) if active.node == *node => active.last_nanos = at_nanos,
            // It has not yet heard of its better.
            Some(active)
                if active.priority > advert.priority
                    && at_nanos < active.last_nanos + 2 * nanos(self.interval) => {}
            _ => {
                self.timeline.note(at_nanos, node, "MASTER: sends adverts");
                self.active = Some(Active {
                    node: Arc::clone(node),
                    priority: advert.priority,
                    last_nanos: at_nanos,
                    announced: false,
                });
            }
        }
    }

    fn announced(&mut self, frame: &Captured) {
        let Some(active) = &mut self.active else {
            return;
        };
        if active.node == frame.port && !active.announced {
            active.announced = true;
            self.announcements
                .insert(Arc::clone(&frame.port), frame.at_nanos);
            let what = format!("announces {} (gratuitous ARP)", self.virtual_address);
            self.timeline.note(frame.at_nanos, &frame.port, what);
        }
    }

    fn probe(&mut self, probe: Probe) {
        match (&probe.answer, self.silent_since) {
            (None, None) => {
                self.silent_since = Some(probe.at_nanos);
                if self.answering.take().is_some() {
                    self.timeline.note(probe.at_nanos, CLIENT, "gets no answer");
                }
            }
            (Some(name), silent_since) if self.answering.as_ref() != Some(name) => {
                let what = match silent_since.filter(|&since| since < probe.at_nanos) {
                    None => format!("gets answers from {name}, without a gap"),
                    Some(since) => {
                        let gap = seconds(probe.at_nanos - since) * 1000.0;
                        format!("gets answers from {name} after {gap:.0} ms without")
                    }
                };
                self.timeline.note(probe.until_nanos, CLIENT, what);
                self.answering = Some(name.clone());
                self.silent_since = None;
            }
            (Some(_), _) => self.silent_since = None,
            (None, Some(_)) => {}
        }
        self.probes.push(probe);
    }
}

fn nanos(interval: Interval) -> u64 {
    u64::from(interval.centis()) * 10_000_000
}
