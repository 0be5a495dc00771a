//! Sees what the daemon is like, for those who ask: the engine's look, the file that runs, what
//! scripts found and what the kernel has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, oneshot, watch};

use super::clock;
use super::command::{Command, Handle};
use super::launch::Outcome;
use super::links::Links;
use super::look::Look;
use super::portrait;
use crate::config::model::Config;
use crate::control::status::Status;
use crate::sys::netlink::{Address, Netlink};
use crate::types::Instant;
use crate::vrrp::track::TrackerId;

/// Longest wait for the engine.
const ANSWER: Duration = Duration::from_secs(2);
/// For how long a look is good: so often at most is the engine disturbed, whoever asks how often.
const FRESH: Duration = Duration::from_millis(100);

/// How a script ran last.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// When it ended, by the wall clock.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// How all scripts ran last.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs(Arc<Mutex<BTreeMap<TrackerId, Run>>>);

impl Runs {
    /// Takes note of one.
    pub(super) fn note(&self, id: TrackerId, run: Run) {
        self.all_mut(|runs| runs.insert(id, run));
    }

    /// Forgets all that `keep` does not know.
    pub(super) fn retain(&self, keep: impl Fn(TrackerId) -> bool) {
        self.all_mut(|runs| runs.retain(|id, _| keep(*id)));
    }

    fn all_mut<T>(&self, change: impl FnOnce(&mut BTreeMap<TrackerId, Run>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What runs.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The configuration.
    pub config: Config,
    /// Kinds of trackers and what they are called.
    pub trackers: BTreeMap<TrackerId, (&'static str, String)>,
}

/// Everything that a portrait is made from.
pub(super) struct Scene<'a> {
    pub look: &'a Look,
    pub known: &'a Known,
    pub links: &'a Links,
    pub runs: &'a BTreeMap<TrackerId, Run>,
    /// `None` if the kernel could not be asked.
    pub addresses: Option<&'a [Address]>,
    pub file: &'a str,
    /// When the daemon started, by the wall clock.
    pub started: Duration,
}

/// No look could be had.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum Blind {
    /// It has ended, or does not get round to it.
    #[error("the engine does not answer")]
    Silent,
}

/// See the module. Copies share what they have seen.
#[derive(Clone)]
pub(super) struct Witness(Arc<Inner>);

struct Inner {
    engine: Handle,
    known: watch::Receiver<Arc<Known>>,
    links: watch::Receiver<Links>,
    runs: Runs,
    file: String,
    started: Duration,
    seen: AsyncMutex<Option<(Instant, Arc<Status>)>>,
}

impl Witness {
    pub(super) fn new(
        engine: Handle,
        known: watch::Receiver<Arc<Known>>,
        links: watch::Receiver<Links>,
        runs: Runs,
        file: String,
    ) -> Self {
        Self(Arc::new(Inner {
            engine,
            known,
            links,
            runs,
            file,
            started: clock::since_epoch(),
            seen: AsyncMutex::new(None),
        }))
    }

    /// How everything stands now, or did a tenth of a second ago.
    pub(super) async fn status(&self) -> Result<Arc<Status>, Blind> {
        let mut seen = self.0.seen.lock().await;
        if let Some((at, status)) = &*seen
            && clock::now().saturating_since(*at) < FRESH
        {
            return Ok(Arc::clone(status));
        }
        let status = Arc::new(self.see().await?);
        *seen = Some((clock::now(), Arc::clone(&status)));
        Ok(status)
    }

    /// The configuration that runs.
    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.known.borrow())
    }

    async fn see(&self) -> Result<Status, Blind> {
        let (reply, answer) = oneshot::channel();
        self.0.engine.send(Command::Look(reply));
        let look = tokio::time::timeout(ANSWER, answer).await;
        let look = look.map_err(|_| Blind::Silent)?;
        let look = look.map_err(|_| Blind::Silent)?;
        let addresses = Netlink::open().and_then(|mut netlink| netlink.addresses(None));
        let runs = self.0.runs.all_mut(|runs| runs.clone());
        let links = self.0.links.borrow().clone();
        Ok(portrait::paint(&Scene {
            look: &look,
            known: &self.known(),
            links: &links,
            runs: &runs,
            addresses: addresses.as_deref().ok(),
            file: &self.0.file,
            started: self.0.started,
        }))
    }
}
