//! Scripts that the daemon waits for: before it begins, and after it has ended.

use super::launch::{self, Outcome};
use crate::config::model::{Errand, Globals};

/// Runs `errand` to its end. That it fails is logged, and stops nothing. keepalived:
/// `startup_script`, `shutdown_script`.
pub(super) async fn run(what: &str, errand: Option<&Errand>, globals: &Globals) {
    let Some(Errand { command, timeout }) = errand else {
        return;
    };
    let launch = match launch::resolve(command, globals, what) {
        Ok(launch) => launch,
        Err(error) => {
            tracing::warn!("the {what} is not run: {error}");
            return;
        }
    };
    let program = command.argv.first().map(String::as_str).unwrap_or_default();
    tracing::info!("Running {what} {program}");
    let outcome = launch.run(*timeout).await;
    match outcome {
        outcome if outcome.is_success() => tracing::info!("the {what} succeeded"),
        Outcome::TimedOut => {
            let seconds = timeout.as_secs();
            tracing::warn!("the {what} took longer than {seconds} s and was ended");
        }
        Outcome::Ended(_) | Outcome::NotStarted => tracing::warn!("the {what} {outcome}"),
    }
}
