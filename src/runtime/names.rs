//! Looks the names of peers up, far from the engine: a name server may take its time, or hang.
//!
//! Each name has a thread of its own, so that none waits for another. It ends when nobody wants
//! the name any more; one that hangs ends with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::command::{Command, Handle};

/// Time between two looks at a name that is known: peers may move.
const REFRESH: Duration = Duration::from_secs(60);
/// Time until a name is tried again that could not be found; it doubles up to [`REFRESH`].
const RETRY: Duration = Duration::from_secs(1);
/// Memory of a thread. All of it is locked, and the resolver needs little.
const STACK: usize = 256 * 1024;

/// The names that are wanted, and who looks for them.
#[derive(Debug)]
pub(super) struct Names {
    engine: Handle,
    /// Wakes the thread of each name.
    seekers: BTreeMap<String, Sender<()>>,
    /// Names that the engine has been told of, or that could not be found.
    answered: watch::Sender<BTreeSet<String>>,
}

impl Names {
    pub(super) fn new(engine: Handle) -> Self {
        Self {
            engine,
            seekers: BTreeMap::new(),
            answered: watch::Sender::new(BTreeSet::new()),
        }
    }

    /// Looks all of `wanted` up, also those that are known, and forgets all others.
    ///
    /// Waits until each has an answer, but for no longer than `patience`.
    pub(super) async fn seek(&mut self, wanted: BTreeSet<String>, patience: Duration) {
        self.seekers.retain(|name, _| wanted.contains(name));
        self.answered.send_modify(|names| names.clear());
        for name in &wanted {
            let awake = self.seekers.get(name).map(|seeker| seeker.send(()));
            if !matches!(awake, Some(Ok(()))) {
                self.start(name);
            }
        }
        let mut answered = self.answered.subscribe();
        let all = |names: &BTreeSet<String>| wanted.is_subset(names);
        if tokio::time::timeout(patience, answered.wait_for(all))
            .await
            .is_err()
        {
            tracing::warn!("names of peers are still being looked up");
        }
    }

    fn start(&mut self, name: &str) {
        let (wake, woken) = channel();
        let seeker = Seeker {
            name: name.to_owned(),
            engine: self.engine.clone(),
            answered: self.answered.clone(),
            known: BTreeSet::new(),
            failed: None,
        };
        let thread = thread::Builder::new()
            .name("vipd-names".to_owned())
            .stack_size(STACK);
        match thread.spawn(move || seeker.run(&woken)) {
            Ok(_) => {
                self.seekers.insert(name.to_owned(), wake);
            }
            Err(error) => tracing::error!("cannot look {name} up: {error}"),
        }
    }
}

/// Follows one name.
struct Seeker {
    name: String,
    engine: Handle,
    answered: watch::Sender<BTreeSet<String>>,
    known: BTreeSet<IpAddr>,
    /// Why it could not be found the last time, as it was logged.
    failed: Option<String>,
}

impl Seeker {
    fn run(mut self, woken: &Receiver<()>) {
        let mut pause = RETRY;
        loop {
            let found = self.look();
            self.answered.send_modify(|names| {
                names.insert(self.name.clone());
            });
            let wait = if found { REFRESH } else { pause };
            pause = if found {
                RETRY
            } else {
                (pause * 2).min(REFRESH)
            };
            match woken.recv_timeout(wait) {
                Ok(()) => pause = RETRY,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self) -> bool {
        match (self.name.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => {
                self.failed = None;
                self.known = addresses.map(|a| a.ip()).collect();
                self.engine.send(Command::PeerFound {
                    name: self.name.clone(),
                    addresses: self.known.clone(),
                });
                true
            }
            Err(error) => {
                self.complain(&error.to_string());
                false
            }
        }
    }

    fn complain(&mut self, why: &str) {
        if self.failed.as_deref() != Some(why) {
            let name = &self.name;
            let stays = if self.known.is_empty() {
                ""
            } else {
                "; its last addresses stay"
            };
            tracing::warn!("the peer {name} cannot be found: {why}{stays}");
            self.failed = Some(why.to_owned());
        }
    }
}
