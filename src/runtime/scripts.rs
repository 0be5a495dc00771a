//! Track scripts: each runs at its interval and tells the engine what it found.

use std::collections::BTreeMap;

use tokio::task::JoinHandle;

use super::clock;
use super::command::{Command, Handle};
use super::launch::{self, Launch};
use super::witness::{Run, Runs};
use crate::config::model::{Globals, TrackScript};
use crate::vrrp::track::TrackerId;

/// The scripts that run at the moment.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    running: BTreeMap<TrackerId, (TrackScript, JoinHandle<()>)>,
    runs: Runs,
}

impl Scripts {
    /// Whether a script can be run at all; says why if not.
    ///
    /// keepalived drops the tracker of one that cannot, so the instance runs as if it was not
    /// tracked.
    pub(super) fn usable(script: &TrackScript, globals: &Globals) -> Option<Launch> {
        let what = format!("track script {}", script.name);
        match launch::resolve(&script.command, globals, &what) {
            Ok(launch) => Some(launch),
            Err(error) => {
                tracing::warn!("{what} is disabled and not tracked: {error}");
                None
            }
        }
    }

    /// How each ran last.
    pub(super) fn runs(&self) -> Runs {
        self.runs.clone()
    }

    /// Runs `wanted` and nothing else; one that has not changed goes on.
    pub(super) fn apply(
        &mut self,
        wanted: BTreeMap<TrackerId, (TrackScript, Launch)>,
        to: &Handle,
    ) {
        self.running.retain(|id, (script, task)| {
            let stays = wanted.get(id).is_some_and(|(new, _)| new == script);
            if !stays {
                task.abort();
            }
            stays
        });
        self.runs.retain(|id| wanted.contains_key(&id));
        for (id, (script, launch)) in wanted {
            self.running.entry(id).or_insert_with(|| {
                let task = tokio::spawn(watch(
                    id,
                    script.clone(),
                    launch,
                    to.clone(),
                    self.runs.clone(),
                ));
                (script, task)
            });
        }
    }

    /// Runs no script any more.
    pub(super) fn stop(&mut self) {
        for (_, (_, task)) in std::mem::take(&mut self.running) {
            task.abort();
        }
    }
}

async fn watch(id: TrackerId, script: TrackScript, launch: Launch, engine: Handle, runs: Runs) {
    let mut ticks = tokio::time::interval(script.interval);
    // A run that outlasts its interval costs the runs it overlaps.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut last = None;
    loop {
        ticks.tick().await;
        let began = clock::now();
        let outcome = launch.run(script.timeout).await;
        runs.note(
            id,
            Run {
                at: clock::since_epoch(),
                took: clock::now().saturating_since(began),
                outcome,
            },
        );
        if last != Some(outcome) {
            let verdict = if outcome.is_success() {
                "succeeded"
            } else {
                "failed"
            };
            tracing::info!(
                script = script.name,
                "VRRP_Script({}) {verdict} ({outcome})",
                script.name
            );
            last = Some(outcome);
        }
        engine.send(Command::TrackResult {
            tracker: id,
            success: outcome.is_success(),
        });
    }
}
