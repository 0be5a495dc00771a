//! `vipd demo`: nodes, a web server behind one virtual address and a client, on this machine.
//!
//! The nodes run the real daemon and exchange real packets, in namespaces that vanish with this
//! process. What is shown was seen on the wire and by the client; no node is asked.

mod client;
mod node;
mod observer;
mod report;
mod script;
mod timeline;
mod web;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use vipd::lab::{self, Inside, Sandbox};
use vipd::types::Interval;

/// Watch an address move between nodes on this machine, and measure how long clients miss it.
///
/// Every node runs the daemon in a network namespace of its own, with a web server; a client asks
/// the server behind the virtual address every 5 ms. The active node loses power, comes back and
/// is drained. Needs no root, and leaves nothing behind.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Demo {
    /// Seconds between adverts, 0.01 to 40.95
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = parse_interval)]
    interval: Interval,

    /// Nodes that share the address
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=9))]
    nodes: u8,

    /// Leave everything running at the end, and say how to look around
    #[arg(long)]
    keep: bool,

    /// Print one JSON document at the end instead of the timeline
    #[arg(long)]
    json: bool,

    /// Run this program, with keepalived's arguments, instead of vipd itself
    #[arg(long, value_name = "PROGRAM", hide = true)]
    daemon: Option<String>,

    /// This process is the first one in the demo's namespaces
    #[arg(long, hide = true)]
    inside: bool,

    /// This process is the web server of the node of this name
    #[arg(long, value_name = "NAME", hide = true)]
    web_server: Option<String>,
}

/// A demo that could not be shown to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel allows no private namespaces here.
    #[error(
        "this machine forbids private namespaces: run the demo as root, or allow user namespaces \
         (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns)"
    )]
    Forbidden(#[source] lab::Error),
    /// The hosts could not be made.
    #[error(transparent)]
    Lab(#[from] lab::Error),
    /// A node's configuration could not be written.
    #[error("cannot write {path}")]
    Configuration {
        /// Where to.
        path: String,
        #[source]
        source: io::Error,
    },
    /// What should happen did not.
    #[error("{awaited} did not happen within {within:?}")]
    Overdue {
        /// What should have happened.
        awaited: String,
        /// For how long it was waited for.
        within: Duration,
    },
    /// The web server could not serve.
    #[error("the web server failed")]
    Web(#[source] io::Error),
    /// The timeline could not be printed.
    #[error("cannot print")]
    Output(#[source] io::Error),
}

impl Demo {
    /// Shows the demo; call it before the process has a second thread.
    pub(crate) fn run(&self) -> Result<ExitCode, Error> {
        if let Some(name) = &self.web_server {
            web::serve(name).map_err(Error::Web)?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.inside {
            let inside = Inside::enter().map_err(Error::Forbidden)?;
            return match script::play(self, &inside) {
                // Whoever was reading has seen enough.
                Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    Ok(ExitCode::SUCCESS)
                }
                played => played.map(|()| ExitCode::SUCCESS),
            };
        }
        let sandbox = Sandbox::start(self.arguments_inside()).map_err(Error::Forbidden)?;
        let code = sandbox
            .wait()?
            .code()
            .and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }

    /// The command line that shows the same demo from inside.
    fn arguments_inside(&self) -> Vec<String> {
        let mut arguments = vec![
            "demo".to_owned(),
            "--inside".to_owned(),
            format!("--interval={}", self.interval),
            format!("--nodes={}", self.nodes),
        ];
        arguments.extend(self.keep.then(|| "--keep".to_owned()));
        arguments.extend(self.json.then(|| "--json".to_owned()));
        let daemon = self.daemon.as_ref();
        arguments.extend(daemon.map(|daemon| format!("--daemon={daemon}")));
        arguments
    }
}

fn parse_interval(text: &str) -> Result<Interval, &'static str> {
    const RANGE: &str = "VRRPv3 allows 0.01 to 40.95 seconds";
    let seconds: f64 = text.parse().map_err(|_| RANGE)?;
    let centis = (1..=4095_u16).find(|&centis| (f64::from(centis) - seconds * 100.0).abs() < 0.5);
    centis.and_then(Interval::from_centis).ok_or(RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_what_vrrp_version_3_can_carry() {
        let centis = |text| parse_interval(text).map(Interval::centis);
        assert_eq!(centis("0.1"), Ok(10));
        assert_eq!(centis("1"), Ok(100));
        assert_eq!(centis("40.95"), Ok(4095));
        for bad in ["0", "0.001", "41", "-1", "soon", "NaN"] {
            assert!(centis(bad).is_err(), "{bad}");
        }
    }
}
