//! A node: a host that runs the daemon and a web server.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use vipd::lab::{Host, Lab, Process};
use vipd::types::{Interval, Priority};

use super::Error;

/// This program, wherever it lies and whatever became of its file.
const SELF: &str = "/proc/self/exe";

/// What all nodes have in common.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// The address that moves.
    pub(super) virtual_address: Ipv4Addr,
    /// Time between adverts.
    pub(super) interval: Interval,
    /// Another program than this one.
    pub(super) daemon: Option<String>,
}

/// A node, switched on or off.
#[derive(Debug)]
pub(super) struct Node {
    /// Its name.
    pub(super) name: String,
    /// Its priority.
    pub(super) priority: Priority,
    address: Ipv4Addr,
    running: Option<Running>,
}

/// What runs; processes end before their host goes.
#[derive(Debug)]
struct Running {
    daemon: Process,
    web_server: Process,
    host: Host,
}

impl Node {
    /// The node numbered `number`, from 1, switched off. Earlier ones have higher priority.
    pub(super) fn new(number: u8) -> Self {
        Self {
            name: format!("node{number}"),
            priority: Priority::new(160 - 10 * number),
            address: Ipv4Addr::new(192, 0, 2, 10 + number),
            running: None,
        }
    }

    /// Switches it on, with a new host and everything on it.
    pub(super) fn boot(&mut self, lab: &Lab, setup: &Setup) -> Result<(), Error> {
        let host = lab.host(&self.name)?;
        host.add_address(&format!("{}/24", self.address))?;
        let web_server =
            host.spawn(
                Command::new(SELF)
                    .arg0("vipd")
                    .args(["demo", "--web-server", &self.name]),
            )?;
        let daemon = self.start_daemon(&host, setup)?;
        self.running = Some(Running {
            daemon,
            web_server,
            host,
        });
        Ok(())
    }

    /// Pulls its cable and kills every process, at once.
    pub(super) fn power_loss(&mut self) -> Result<(), Error> {
        if let Some(mut running) = self.running.take() {
            running.host.unplug()?;
            running.daemon.kill();
            running.web_server.kill();
        }
        Ok(())
    }

    /// Asks its daemon to end; the web server stays.
    pub(super) fn drain(&self) {
        if let Some(running) = &self.running {
            running.daemon.terminate();
        }
    }

    /// Waits until its daemon has ended; `false` if it still runs after `timeout`.
    pub(super) fn drained(&mut self, timeout: Duration) -> bool {
        self.running
            .as_mut()
            .is_none_or(|running| running.daemon.wait(timeout).is_some())
    }

    /// Starts its daemon again after a drain.
    pub(super) fn resume(&mut self, setup: &Setup) -> Result<(), Error> {
        if let Some(mut running) = self.running.take() {
            running.daemon = self.start_daemon(&running.host, setup)?;
            self.running = Some(running);
        }
        Ok(())
    }

    /// The last lines that its daemon has printed.
    pub(super) fn last_words(&self) -> Vec<String> {
        const LINES: usize = 8;
        let lines = self
            .running
            .as_ref()
            .map_or_else(Vec::new, |running| running.daemon.output());
        lines.into_iter().rev().take(LINES).rev().collect()
    }

    /// Number of a process that stays on this node, for nsenter(1).
    pub(super) fn process_id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.web_server.id())
    }

    fn start_daemon(&self, host: &Host, setup: &Setup) -> Result<Process, Error> {
        let directory = format!("/run/{}", self.name);
        let path = format!("{directory}/keepalived.conf");
        // A host that boots has an empty /run, without the files of processes that are no more.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory)
            .and_then(|()| fs::write(&path, self.configuration(setup)))
            .map_err(|source| Error::Configuration {
                path: path.clone(),
                source,
            })?;
        let mut command = match &setup.daemon {
            None => {
                let mut command = Command::new(SELF);
                command.arg0("vipd").args(["run", "-f", &path]);
                command
            }
            Some(program) => {
                let mut command = Command::new(program);
                let file = |kind| format!("{directory}/{kind}.pid");
                command.args(["-n", "-l", "-f", &path, "-p", &file("parent")]);
                command.args(["-r", &file("vrrp"), "-c", &file("checkers")]);
                command
            }
        };
        // A service manager that started the demo is not to hear from the nodes.
        command.env_remove("NOTIFY_SOCKET");
        Ok(host.spawn(&mut command)?)
    }

    /// What an operator would write.
    fn configuration(&self, setup: &Setup) -> String {
        format!(
            "global_defs {{\n\
             \x20   router_id {name}\n\
             }}\n\
             \n\
             vrrp_instance web {{\n\
             \x20   state BACKUP\n\
             \x20   interface eth0\n\
             \x20   virtual_router_id 51\n\
             \x20   priority {priority}\n\
             \x20   version 3\n\
             \x20   advert_int {interval}\n\
             \x20   virtual_ipaddress {{\n\
             \x20       {address}/24\n\
             \x20   }}\n\
             }}\n",
            name = self.name,
            priority = self.priority,
            interval = setup.interval,
            address = setup.virtual_address,
        )
    }
}
