//! A reload: a file is read and compared off the threads that matter, and the result is whole or
//! refused before anything changes.

use std::sync::Arc;

use crate::config::diagnostic::Severity;
use crate::config::model::Config;
use crate::config::plan::{self, Outlook};
use crate::control::request::{Considered, Reply};

/// A configuration as it is on the disk now.
#[derive(Debug, Clone, Default)]
pub struct Candidate {
    /// Where it was read.
    pub file: String,
    /// What can run; `None` if it was refused.
    pub config: Option<Config>,
    /// Everything that is said of it, a line each.
    pub remarks: Vec<(Severity, String)>,
}

impl Candidate {
    /// What is said of it that somebody should look at.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let said = self.remarks.iter();
        let said = said.filter(|(severity, _)| *severity >= Severity::Warning);
        said.map(|(_, line)| line.clone()).collect()
    }
}

/// Why a configuration is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// To go over to it.
    Reload,
    /// Only to say what it would change: the daemon's own file, or another one.
    Look(Option<String>),
}

/// Reads the configuration anew.
pub type Load = Arc<dyn Fn(&Occasion) -> Candidate + Send + Sync>;

/// What there is to say of a file, and the file itself if it can run.
pub(super) struct Verdict {
    pub(super) remarks: Vec<(Severity, String)>,
    pub(super) outcome: Result<Prepared, Reply>,
}

/// A file that can run, and what it changes.
pub(super) struct Prepared {
    pub(super) config: Config,
    pub(super) considered: Considered,
}

/// Reads the file and compares it with what is `running`, on a thread for such work: neither
/// packets, nor signals, nor scripts wait for a disk.
pub(super) async fn prepare(load: &Load, running: Config, occasion: Occasion) -> Verdict {
    let load = Arc::clone(load);
    let work = move || {
        let candidate = load(&occasion);
        let outlook = candidate.config.as_ref();
        let outlook = outlook.map(|new| plan::outlook(&running, new));
        judge(candidate, outlook)
    };
    // A panic in there has been logged, and costs no more than the reload.
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Verdict {
            remarks: Vec::new(),
            outcome: Err(Reply::Failed {
                reason: format!("the configuration could not be read: {error}"),
            }),
        })
}

fn judge(candidate: Candidate, outlook: Option<Outlook>) -> Verdict {
    let warnings = candidate.warnings();
    let Candidate {
        file,
        config,
        remarks,
    } = candidate;
    let outcome = match (config, outlook) {
        (Some(config), Some(outlook)) => Ok(Prepared {
            config,
            considered: Considered {
                file,
                warnings,
                outlook,
            },
        }),
        _ => Err(Reply::Refused {
            file,
            problems: warnings,
        }),
    };
    Verdict { remarks, outcome }
}

/// Every remark as a line of the log.
pub fn log(remarks: &[(Severity, String)]) {
    for (severity, line) in remarks {
        match severity {
            Severity::Advice => tracing::info!("{line}"),
            Severity::Warning => tracing::warn!("{line}"),
            Severity::Error => tracing::error!("{line}"),
        }
    }
}
