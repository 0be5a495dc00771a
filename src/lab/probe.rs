//! A client that counts every datagram that a service behind an address did not answer.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Error, Host, now, realtime_nanos};
use crate::types::Instant;

/// How often a waiting thread looks whether it is still wanted.
const HEARTBEAT: Duration = Duration::from_millis(50);

/// Longest name that an answer carries.
const ANSWER_LEN: usize = 64;

/// Answers every datagram with itself and the name of its host.
#[derive(Debug)]
pub struct EchoServer {
    _worker: Worker,
}

impl EchoServer {
    /// Starts to answer on `port`, whatever addresses `host` has or gets.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if the port is taken, or [`Error::Thread`].
    pub fn start(host: &Host, port: u16) -> Result<Self, Error> {
        let purpose = "echo server";
        // A socket for IPv6 answers IPv4 too, where there is IPv6 at all.
        let socket = open(host, Ipv6Addr::UNSPECIFIED.into(), port, purpose)
            .or_else(|_| open(host, Ipv4Addr::UNSPECIFIED.into(), port, purpose))?;
        let name = host.name().as_bytes().to_vec();
        let worker = Worker::start("echo", move |wanted| {
            let mut buffer = [0; 8];
            while wanted.load(Ordering::Relaxed) {
                if let Ok((8, client)) = socket.recv_from(&mut buffer) {
                    let answer = [buffer.as_slice(), &name].concat();
                    let _ = socket.send_to(&answer, client); // the client counts it as lost
                }
            }
        })?;
        Ok(Self { _worker: worker })
    }
}

/// A probe that nobody answered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Number of the probe, from zero.
    pub sequence: u64,
    /// When it was sent: nanoseconds since 1970.
    pub sent_at_nanos: u64,
}

/// What a prober has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Probes sent.
    pub sent: u64,
    /// Probes without an answer in time, in order.
    pub lost: Vec<Lost>,
    /// Longest run of lost probes, from the first one's departure to the next answered one's.
    pub longest_outage: Duration,
    /// Answers by the host that gave them.
    pub answered_by: BTreeMap<String, u64>,
}

/// Sends a numbered datagram at a fixed pace and notes the answers.
#[derive(Debug)]
pub struct Prober {
    log: Arc<Log>,
    sender: Worker,
    receiver: Worker,
}

#[derive(Debug, Clone)]
struct Probe {
    sent_at_nanos: u64,
    sent_at: Instant,
    answer: Option<(Instant, String)>,
}

#[derive(Debug, Default)]
struct Log(Mutex<Vec<Probe>>);

impl Prober {
    /// An answer that takes longer is a loss.
    pub const PATIENCE: Duration = Duration::from_millis(100);

    /// Starts to probe an [`EchoServer`] at `target` from `host`, once per `interval`.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] or [`Error::Thread`].
    pub fn start(host: &Host, target: SocketAddr, interval: Duration) -> Result<Self, Error> {
        let local = match target {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = Arc::new(open(host, local, 0, "prober")?);
        let log = Arc::new(Log::default());
        let (answers, answer_log) = (Arc::clone(&socket), Arc::clone(&log));
        let receiver = Worker::start("probe-answers", move |wanted| {
            while wanted.load(Ordering::Relaxed) {
                answer_log.receive(&answers);
            }
        })?;
        let send_log = Arc::clone(&log);
        let sender = Worker::start("probes", move |wanted| {
            let mut due = now();
            while wanted.load(Ordering::Relaxed) {
                let number = send_log.sent();
                let _ = socket.send_to(&number.to_be_bytes(), target); // counted as lost
                due = due + interval;
                thread::sleep(due.saturating_since(now()));
            }
        })?;
        Ok(Self {
            log,
            sender,
            receiver,
        })
    }

    /// What it has counted; a probe on its way is not yet lost.
    #[must_use]
    pub fn so_far(&self) -> ProbeReport {
        let old_enough = now() - Self::PATIENCE;
        let mut probes = self.log.probes().clone();
        probes.retain(|probe| probe.sent_at < old_enough);
        report(&probes)
    }

    /// Stops, waits for the last answers and says what it has counted.
    #[must_use]
    pub fn finish(self) -> ProbeReport {
        drop(self.sender);
        thread::sleep(Self::PATIENCE);
        drop(self.receiver);
        report(&self.log.probes())
    }
}

impl Log {
    fn probes(&self) -> std::sync::MutexGuard<'_, Vec<Probe>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a probe that leaves now, and returns its number.
    fn sent(&self) -> u64 {
        let mut probes = self.probes();
        probes.push(Probe {
            sent_at_nanos: realtime_nanos(),
            sent_at: now(),
            answer: None,
        });
        u64::try_from(probes.len() - 1).unwrap_or(u64::MAX)
    }

    fn receive(&self, socket: &UdpSocket) {
        let mut buffer = [0; ANSWER_LEN];
        let Ok((length, _)) = socket.recv_from(&mut buffer) else {
            return;
        };
        let answer = buffer
            .get(..length)
            .and_then(|answer| answer.split_first_chunk());
        let Some((number, name)) = answer else { return };
        let at = now();
        let position = usize::try_from(u64::from_be_bytes(*number)).ok();
        let mut probes = self.probes();
        if let Some(probe) = position.and_then(|position| probes.get_mut(position)) {
            let name = String::from_utf8_lossy(name).into_owned();
            probe.answer.get_or_insert((at, name));
        }
    }
}

fn report(probes: &[Probe]) -> ProbeReport {
    let mut report = ProbeReport {
        sent: 0,
        lost: Vec::new(),
        longest_outage: Duration::ZERO,
        answered_by: BTreeMap::new(),
    };
    let mut outage_began = None;
    for (sequence, probe) in (0..).zip(probes) {
        report.sent += 1;
        let in_time = |at: &Instant| at.saturating_since(probe.sent_at) <= Prober::PATIENCE;
        if let Some((_, name)) = probe.answer.as_ref().filter(|(at, _)| in_time(at)) {
            *report.answered_by.entry(name.clone()).or_default() += 1;
            if let Some(began) = outage_began.take() {
                let outage = probe.sent_at.saturating_since(began);
                report.longest_outage = report.longest_outage.max(outage);
            }
        } else {
            report.lost.push(Lost {
                sequence,
                sent_at_nanos: probe.sent_at_nanos,
            });
            outage_began.get_or_insert(probe.sent_at);
        }
    }
    if let (Some(began), Some(last)) = (outage_began, probes.last()) {
        report.longest_outage = report
            .longest_outage
            .max(last.sent_at.saturating_since(began));
    }
    report
}

fn open(host: &Host, local: IpAddr, port: u16, purpose: &'static str) -> Result<UdpSocket, Error> {
    let bind = || -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind((local, port))?;
        socket.set_read_timeout(Some(HEARTBEAT))?;
        Ok(socket)
    };
    host.enter(bind)?
        .map_err(|source| Error::Socket { purpose, source })
}

/// A thread that ends when it is dropped.
#[derive(Debug)]
struct Worker {
    wanted: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(name: &str, work: impl FnOnce(&AtomicBool) + Send + 'static) -> Result<Self, Error> {
        let wanted = Arc::new(AtomicBool::new(true));
        let running = Arc::clone(&wanted);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&running))
            .map_err(Error::Thread)?;
        Ok(Self {
            wanted,
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes 10 ms apart, answered where the pattern has a letter, late where it is a capital.
    fn probes(pattern: &str) -> Vec<Probe> {
        let probe = |(number, letter): (u64, char)| {
            let sent_at = Instant::from_nanos(number * 10_000_000);
            let took = if letter.is_uppercase() { 101 } else { 1 };
            let answered_at = sent_at + Duration::from_millis(took);
            let answer = letter
                .is_alphabetic()
                .then(|| (answered_at, letter.to_string()));
            Probe {
                sent_at_nanos: sent_at.as_nanos(),
                sent_at,
                answer,
            }
        };
        (0..).zip(pattern.chars()).map(probe).collect()
    }

    #[test]
    fn an_outage_lasts_until_the_next_answered_probe() {
        let report = report(&probes("aa..bb.b"));
        assert_eq!(report.longest_outage, Duration::from_millis(20));
        let lost: Vec<_> = report.lost.iter().map(|lost| lost.sequence).collect();
        assert_eq!(lost, [2, 3, 6]);
        assert_eq!(
            report.answered_by,
            BTreeMap::from([("a".into(), 2), ("b".into(), 3)])
        );
    }

    #[test]
    fn a_late_answer_is_a_loss() {
        assert_eq!(report(&probes("aAa")).lost.len(), 1);
    }

    #[test]
    fn an_outage_that_does_not_end_counts_too() {
        assert_eq!(
            report(&probes("a...")).longest_outage,
            Duration::from_millis(20)
        );
    }
}
