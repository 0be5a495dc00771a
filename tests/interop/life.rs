//! The life of a pair: one scenario for every cell.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use vipd::lab::{Capture, Lab};

use crate::cell::{Cell, HIGH, LOW, Variant};
use crate::common::{Folder, SOON, lab, wait_for};
use crate::node::{Node, Speaker};

/// The longest time for which a loaded machine may hold a daemon back.
const SLACK: Duration = Duration::from_secs(1);

/// What the preferred node and the other one went through, and how long each change took.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    election: Duration,
    crash: Duration,
    preemption: Duration,
    release: Duration,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "election {:.0?}, takeover after the crash {:.0?}, preemption {:.0?}, \
             takeover after priority 0 {:.0?}",
            self.election, self.crash, self.preemption, self.release
        )
    }
}

/// Lives through `cell` with `first` as the preferred node and `second` as the other; `None`
/// where there can be no lab.
pub fn live(cell: Cell, first: Speaker, second: Speaker) -> Option<Life> {
    let lab = lab()?;
    let mut pair = Pair::new(&lab, cell, first, second);
    let life = Life {
        election: pair.elects(),
        crash: pair.survives_a_crash(),
        preemption: pair.preempts(),
        release: pair.hands_over(),
    };
    pair.one.heard_nothing_wrong();
    pair.two.heard_nothing_wrong();
    Some(life)
}

struct Pair<'a> {
    lab: &'a Lab,
    cell: Cell,
    folder: Folder,
    wire: Wire,
    one: Node,
    two: Node,
}

impl<'a> Pair<'a> {
    fn new(lab: &'a Lab, cell: Cell, first: Speaker, second: Speaker) -> Self {
        let wire = Wire::new(lab);
        let folder = Folder::new();
        let node = |number, speaker, priority| match speaker {
            Speaker::Frr => Node::frr(lab, &folder, number, cell.router(priority)),
            Speaker::Vipd | Speaker::Keepalived => {
                let text = cell.text(number, priority);
                Node::new(lab, &folder, number, speaker, &text)
            }
        };
        Self {
            one: node(1, first, HIGH),
            two: node(2, second, LOW),
            lab,
            cell,
            folder,
            wire,
        }
    }

    /// The higher priority wins.
    fn elects(&mut self) -> Duration {
        let begin = vipd::lab::now();
        self.settles("the higher priority wins", 1);
        vipd::lab::now().saturating_since(begin)
    }

    /// The other node takes over when its timer has run out, not earlier and not later.
    fn survives_a_crash(&mut self) -> Duration {
        self.one.crash();
        let last = self.wire.last("node1").expect("node 1 has spoken");
        self.settles("node 2 takes over after the crash", 2);
        let silence = self.wire.first_since(last, "node2", false) - last;
        let interval = self.cell.interval();
        let range = interval * 3..interval * 4 + SLACK;
        assert!(range.contains(&silence), "{silence:?} is not in {range:?}");
        silence
    }

    /// It takes the addresses back, also those that its crash has left.
    fn preempts(&mut self) -> Duration {
        self.one.host.plug().unwrap();
        let begin = vipd::lab::now();
        self.one.restart(&self.folder);
        self.settles("node 1 preempts", 1);
        vipd::lab::now().saturating_since(begin)
    }

    /// Priority 0 hands over long before the timer would.
    fn hands_over(&mut self) -> Duration {
        let last = self.wire.last("node1").expect("node 1 has spoken");
        self.one.stop();
        self.settles("node 2 takes over at the stop", 2);
        let released = self.wire.first_since(last, "node1", true);
        let took = self.wire.first_since(released, "node2", false) - released;
        assert!(took < self.cell.interval() * 3, "{took:?}: the timer's");
        self.one.has_stopped();
        took
    }

    /// Waits until node `number` alone speaks and has the addresses, and until the switch knows.
    #[track_caller]
    fn settles(&mut self, what: &str, number: usize) {
        let Self {
            lab,
            cell,
            wire,
            one,
            two,
            ..
        } = self;
        let (active, other) = if number == 1 { (one, two) } else { (two, one) };
        let name = active.host.name();
        let learned = || {
            cell.variant != Variant::VirtualMac
                || lab.learned(cell.virtual_mac()).unwrap().as_deref() == Some(name)
        };
        // A crash leaves its addresses behind, without a cable.
        let crashed = other.process.wait(Duration::ZERO).is_some();
        wait_for(what, SOON, || {
            wire.speaker().as_deref() == Some(name)
                && active.holds(cell.vips()) != Some(false)
                && (crashed || other.holds(cell.vips()) != Some(true))
                && learned()
        });
    }
}

/// Adverts as they pass the switch.
struct Wire {
    capture: Capture,
    seen: Vec<Seen>,
}

struct Seen {
    /// On the clock of captured frames.
    at: Duration,
    port: Arc<str>,
    releases: bool,
}

impl Wire {
    fn new(lab: &Lab) -> Self {
        Self {
            capture: lab.capture(|frame| frame.advert().is_some()).unwrap(),
            seen: Vec::new(),
        }
    }

    fn read(&mut self) {
        for frame in self.capture.drain() {
            let advert = frame.advert().expect("the capture keeps adverts only");
            self.seen.push(Seen {
                at: Duration::from_nanos(frame.at_nanos),
                port: frame.port,
                releases: advert.priority == 0,
            });
        }
    }

    /// Who has sent the newest advert that does not step down.
    fn speaker(&mut self) -> Option<String> {
        self.read();
        let newest = self.seen.iter().rfind(|seen| !seen.releases);
        newest.map(|seen| seen.port.to_string())
    }

    /// When `port` has sent its newest advert.
    fn last(&mut self, port: &str) -> Option<Duration> {
        self.read();
        let newest = self.seen.iter().rfind(|seen| &*seen.port == port);
        newest.map(|seen| seen.at)
    }

    /// When `port` has sent its first advert after `since`, one that steps down or one that does
    /// not.
    #[track_caller]
    fn first_since(&mut self, since: Duration, port: &str, releases: bool) -> Duration {
        self.read();
        let mut later = self.seen.iter().filter(|seen| seen.at > since);
        let found = later.find(|seen| &*seen.port == port && seen.releases == releases);
        let what = if releases { "priority 0" } else { "advert" };
        found
            .unwrap_or_else(|| panic!("no {what} of {port} is seen"))
            .at
    }
}
