//! Runs notify scripts: in order for each instance, never on the engine's path.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::command::Report;
use super::launch;
use crate::config::model::{Command, Globals, Notify};
use crate::control::notify;
use crate::types::InstanceId;
use crate::vrrp::group::GroupId;
use crate::vrrp::instance::Transition;

/// Longest wait of the next notification for a script that still runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom a change of state is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Instance(InstanceId),
    Group(GroupId),
}

#[derive(Debug, Default)]
struct Scripts {
    globals: Globals,
    notifies: BTreeMap<Subject, Notify>,
}

/// Notify scripts as configured now. Shared between reload and notifier.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifies(Arc<Mutex<Scripts>>);

impl Notifies {
    /// Takes a new configuration. Instances that are leaving keep their scripts until they have
    /// departed; a group that is gone says nothing more.
    pub(super) fn set(
        &self,
        globals: Globals,
        instances: BTreeMap<InstanceId, Notify>,
        groups: BTreeMap<GroupId, Notify>,
    ) {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.globals = globals;
        let stays = |subject: &Subject| match subject {
            Subject::Instance(_) => true,
            Subject::Group(id) => groups.contains_key(id),
        };
        shared.notifies.retain(|subject, _| stays(subject));
        let instances = instances.into_iter();
        let instances = instances.map(|(id, notify)| (Subject::Instance(id), notify));
        let groups = groups.into_iter();
        let groups = groups.map(|(id, notify)| (Subject::Group(id), notify));
        shared.notifies.extend(instances.chain(groups));
    }

    /// An instance has left, and said so.
    fn forget(&self, id: InstanceId) {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.notifies.remove(&Subject::Instance(id));
    }

    /// Nothing for what no script is told of.
    fn commands(&self, report: &Report) -> Option<(Subject, Globals, Vec<Command>)> {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |subject, list: &dyn Fn(&Notify) -> Vec<Command>| {
            let commands = shared.notifies.get(&subject).map(list);
            Some((
                subject,
                shared.globals.clone(),
                commands.unwrap_or_default(),
            ))
        };
        match report {
            Report::Transition {
                id,
                name,
                transition,
                priority,
            } => {
                let about = notify::About::Instance(name, *priority);
                let list = |n: &Notify| notify::commands(n, about, *transition);
                of(Subject::Instance(*id), &list)
            }
            Report::GroupTransition {
                id,
                name,
                transition,
            } => {
                let list =
                    |n: &Notify| notify::commands(n, notify::About::Group(name), *transition);
                of(Subject::Group(*id), &list)
            }
            Report::Departed(_) => None,
            Report::HeardLowerPriority { id, .. } => {
                let list = |n: &Notify| n.heard_lower_priority.iter().cloned().collect();
                of(Subject::Instance(*id), &list)
            }
        }
    }
}

/// Scripts of one change.
type Batch = (Globals, Vec<Command>);

/// Runs scripts for reports until the engine has ended and the last script too.
pub(super) async fn run(notifies: Notifies, mut reports: UnboundedReceiver<Report>) {
    let mut last = Vec::new();
    let mut queues: BTreeMap<Subject, (UnboundedSender<Batch>, JoinHandle<()>)> = BTreeMap::new();
    while let Some(report) = reports.recv().await {
        if let Report::Departed(id) = report {
            notifies.forget(id);
            // Its queue ends once the scripts in it have run.
            let queue = queues.remove(&Subject::Instance(id));
            last.retain(|task: &JoinHandle<()>| !task.is_finished());
            last.extend(queue.map(|(_, task)| task));
        }
        let Some((subject, globals, commands)) = notifies.commands(&report) else {
            continue;
        };
        if commands.is_empty() {
            continue;
        }
        if ends(&report) {
            // Little time is left: a script that still runs must not cost this one.
            last.push(tokio::spawn(side_by_side((globals, commands))));
            continue;
        }
        let (queue, _) = queues.entry(subject).or_insert_with(|| {
            let (sender, receiver) = unbounded_channel();
            (sender, tokio::spawn(in_order(receiver)))
        });
        // The task ends only after this sender.
        let _ = queue.send((globals, commands));
    }
    // A task that panicked has nothing left to wait for.
    let waiting = queues.into_values().map(|(_, task)| task);
    for task in last.into_iter().chain(waiting) {
        let _ = task.await;
    }
}

/// Whether it is the last that is said of an instance or group.
const fn ends(report: &Report) -> bool {
    match report {
        Report::Transition { transition, .. } | Report::GroupTransition { transition, .. } => {
            matches!(transition, Transition::Stopped)
        }
        Report::HeardLowerPriority { .. } | Report::Departed(_) => false,
    }
}

/// The scripts of the next change wait for those of the one before, within reason.
async fn in_order(mut batches: UnboundedReceiver<Batch>) {
    while let Some(batch) = batches.recv().await {
        let mut running = tokio::spawn(side_by_side(batch));
        if tokio::time::timeout(PATIENCE, &mut running).await.is_err() {
            tracing::warn!("a notify script still runs, the next one no longer waits for it");
        }
    }
}

/// Starts the scripts of one change, and waits for all of them.
async fn side_by_side((globals, commands): Batch) {
    let mut tasks = Vec::new();
    for command in commands {
        let name = command.argv.first().cloned().unwrap_or_default();
        match launch::resolve(&command, &globals, &format!("notify script {name}")) {
            Ok(launch) => tasks.push(tokio::spawn(async move {
                // Notify scripts have no time limit of their own.
                let outcome = launch.run(Duration::MAX).await;
                if !outcome.is_success() {
                    tracing::warn!("notify script {name} {outcome}");
                }
            })),
            Err(error) => tracing::warn!("notify script {name} is not run: {error}"),
        }
    }
    for task in tasks {
        // One that panicked has nothing left to wait for.
        let _ = task.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_group_that_a_reload_takes_away() {
        let notifies = Notifies::default();
        let (stays, goes) = (GroupId(1), GroupId(2));
        let set = |groups: &[GroupId]| {
            let scripts = groups.iter().map(|id| (*id, Notify::default())).collect();
            let one = BTreeMap::from([(InstanceId(1), Notify::default())]);
            notifies.set(Globals::default(), one, scripts);
        };
        set(&[stays, goes]);
        set(&[stays]);
        let shared = notifies.0.lock().unwrap();
        let left: Vec<_> = shared.notifies.keys().copied().collect();
        assert_eq!(
            left,
            [Subject::Instance(InstanceId(1)), Subject::Group(stays)]
        );
    }

    #[test]
    fn nothing_is_left_of_an_instance_that_has_departed() {
        let notifies = Notifies::default();
        let (stays, goes) = (InstanceId(1), InstanceId(2));
        let scripts = BTreeMap::from([stays, goes].map(|id| (id, Notify::default())));
        notifies.set(Globals::default(), scripts, BTreeMap::new());
        let (send, reports) = unbounded_channel();
        send.send(Report::Departed(goes)).unwrap();
        drop(send);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(run(notifies.clone(), reports));
        let shared = notifies.0.lock().unwrap();
        let left: Vec<_> = shared.notifies.keys().copied().collect();
        assert_eq!(left, [Subject::Instance(stays)]);
    }
}
