//! What happens in the demo, in order.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use vipd::lab::{Captured, Inside, Lab, realtime_nanos};

use super::client::Client;
use super::node::{Node, Setup};
use super::observer::Observer;
use super::report::{Document, Move, active_down_interval_ms, outage_ms, print};
use super::timeline::{Timeline, seconds};
use super::{Demo, Error};

/// From the range that is kept for documentation (RFC 5737).
const VIRTUAL_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const CLIENT_ADDRESS: &str = "192.0.2.200/24";

/// Quiet time between two acts.
const PAUSE: Duration = Duration::from_millis(800);

/// Plays the demo to its end.
pub(super) fn play(demo: &Demo, inside: &Inside) -> Result<(), Error> {
    let mut stage = Stage::set(demo)?;
    let acts = stage.acts();
    if let Err(Error::Overdue { .. }) = acts {
        stage.last_words();
    }
    let moves = acts?;
    stage.observer.timeline.print_all().map_err(Error::Output)?;
    if demo.json {
        stage.print_json(demo, &moves)
    } else {
        print(&moves, demo.interval)
    }
    .map_err(Error::Output)?;
    if demo.keep {
        stage.keep(inside)?;
    }
    Ok(())
}

struct Stage {
    observer: Observer,
    nodes: Vec<Node>,
    setup: Setup,
    lab: Lab,
}

impl Stage {
    /// Makes the hosts, and nothing runs yet but the client.
    fn set(demo: &Demo) -> Result<Self, Error> {
        let setup = Setup {
            virtual_address: VIRTUAL_ADDRESS,
            interval: demo.interval,
            daemon: demo.daemon.clone(),
        };
        let timeline = Timeline::new(demo.json);
        let lab = Lab::new()?;
        let capture = lab.capture(Captured::is_protocol)?;
        let host = lab.host("client")?;
        host.add_address(CLIENT_ADDRESS)?;
        let client = Client::start(Arc::new(host), VIRTUAL_ADDRESS)?;
        let nodes: Vec<_> = (1..=demo.nodes).map(Node::new).collect();
        let observer = Observer::new(capture, client, VIRTUAL_ADDRESS, demo.interval, timeline);
        if !demo.json {
            let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
            let (last, first) = names.split_last().unwrap_or((&"", &[]));
            let (first, address) = (first.join(", "), VIRTUAL_ADDRESS);
            writeln!(
                io::stdout(),
                "{first} and {last} share {address}; a client asks the web server behind it\n"
            )
            .map_err(Error::Output)?;
        }
        Ok(Self {
            observer,
            nodes,
            setup,
            lab,
        })
    }

    /// The play: start, crash, return, drain.
    fn acts(&mut self) -> Result<Vec<Move>, Error> {
        for number in 0..self.nodes.len() {
            self.boot(number)?;
            let what = format!("starts with priority {}", self.node(number).priority);
            self.act(number, &what);
        }
        self.await_answers_from(0)?;
        Ok(vec![self.crash()?, self.preemption()?, self.drain()?])
    }

    fn crash(&mut self) -> Result<Move, Error> {
        let began = self.pause()?;
        let at_nanos = self.act(0, "loses power: cable and processes are gone");
        self.node(0).power_loss()?;
        self.await_answers_from(1)?;
        self.pause()?;
        let (interval, priority) = (self.setup.interval, self.node(1).priority);
        let crashed = self.node(0).name.clone();
        let last_advert = self.observer.last_advert(&crashed);
        let mut result = self.result("power loss", 1, began, last_advert.unwrap_or(at_nanos));
        result.active_down_interval_ms = Some(active_down_interval_ms(interval, priority));
        Ok(result)
    }

    fn preemption(&mut self) -> Result<Move, Error> {
        let began = self.pause()?;
        let at_nanos = self.act(0, "is back and starts");
        self.boot(0)?;
        self.await_answers_from(0)?;
        self.pause()?;
        Ok(self.result("return and preemption", 0, began, at_nanos))
    }

    fn drain(&mut self) -> Result<Move, Error> {
        let began = self.pause()?;
        let at_nanos = self.act(0, "is drained: SIGTERM");
        self.node(0).drain();
        self.await_answers_from(1)?;
        let limit = self.limit();
        if !self.node(0).drained(limit) {
            let awaited = "the end of the drained daemon".to_owned();
            return Err(Error::Overdue {
                awaited,
                within: limit,
            });
        }
        self.pause()?;
        Ok(self.result("drain (SIGTERM)", 1, began, at_nanos))
    }

    fn boot(&mut self, number: usize) -> Result<(), Error> {
        let node = self
            .nodes
            .get_mut(number)
            .expect("the demo has as many nodes as it counted");
        node.boot(&self.lab, &self.setup)
    }

    /// Lets some probes pass, and returns when that began.
    fn pause(&mut self) -> Result<u64, Error> {
        let began = realtime_nanos();
        self.observer.watch(PAUSE)?;
        Ok(began)
    }

    /// Notes what is about to be done to a node, and returns when.
    fn act(&mut self, number: usize, what: &str) -> u64 {
        let at_nanos = realtime_nanos();
        let name = self.node(number).name.clone();
        self.observer.timeline.note(at_nanos, &name, what);
        at_nanos
    }

    fn node(&mut self, number: usize) -> &mut Node {
        self.nodes
            .get_mut(number)
            .expect("the demo has two nodes or more")
    }

    fn await_answers_from(&mut self, number: usize) -> Result<(), Error> {
        let within = self.limit();
        let name = self.node(number).name.clone();
        self.observer
            .watch_until(format!("an answer from {name}"), within, |observer| {
                observer.answering() == Some(&name) && observer.active() == Some(&name)
            })
    }

    /// Longest time that any act may take.
    fn limit(&self) -> Duration {
        self.setup.interval.duration() * 6 + Duration::from_secs(5)
    }

    fn result(&mut self, cause: &str, to: usize, began: u64, counted_from: u64) -> Move {
        let to = self.node(to).name.clone();
        let probes = self.observer.probes_since(began);
        let announced = self
            .observer
            .announcement(&to)
            .filter(|&at| at >= counted_from);
        Move {
            cause: cause.to_owned(),
            to,
            announced_after_ms: announced.map(|at| seconds(at - counted_from) * 1000.0),
            active_down_interval_ms: None,
            outage_ms: outage_ms(&probes),
            probes: probes.len(),
            probes_lost: probes.iter().filter(|probe| probe.answer.is_none()).count(),
            asked_again: probes.iter().filter(|probe| probe.asked_again).count(),
        }
    }

    fn print_json(&self, demo: &Demo, moves: &[Move]) -> io::Result<()> {
        let document = Document {
            advertisement_interval_ms: f64::from(demo.interval.centis()) * 10.0,
            nodes: demo.nodes,
            timeline: self.observer.timeline.entries(),
            moves,
        };
        let mut out = io::stdout();
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)
    }

    /// Prints what the daemons said last, for whoever has to find out what went wrong.
    fn last_words(&mut self) {
        let mut out = io::stderr();
        let _ = self.observer.timeline.print_all();
        for node in &self.nodes {
            for line in node.last_words() {
                let _ = writeln!(out, "{}: {line}", node.name);
            }
        }
    }

    /// Goes on until the process is killed.
    fn keep(&mut self, inside: &Inside) -> Result<(), Error> {
        let setup = self.setup.clone();
        self.act(0, "starts again");
        self.node(0).resume(&setup)?;
        self.print_directions(inside).map_err(Error::Output)?;
        loop {
            self.observer.watch(Duration::from_secs(1))?;
            self.observer.forget_probes();
        }
    }

    /// To standard error, so that `--json` stays one document.
    fn print_directions(&self, inside: &Inside) -> io::Result<()> {
        let mut out = io::stderr();
        let nodes = self
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), node.process_id()));
        let client = Some(self.observer.client_thread_id());
        writeln!(
            out,
            "\nIt runs on until Ctrl-C. To look around from another terminal:\n"
        )?;
        for (name, id) in nodes.chain([("client", client)]) {
            let Some(command) = id.and_then(|id| inside.enter_command(id)) else {
                continue;
            };
            writeln!(out, "{name:<7} {command} ip address show eth0")?;
        }
        writeln!(out)
    }
}
