//! A host with one of the three daemons on it.

use std::path::{Path, PathBuf};

use vipd::lab::{Host, Lab, Process};

use crate::common::frr::{self, Router};
use crate::common::{Folder, SOON, host, keepalived, no_errors, vipd};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    Vipd,
    Keepalived,
    Frr,
}

impl Speaker {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vipd => "vipd",
            Self::Keepalived => "keepalived",
            Self::Frr => "FRR",
        }
    }
}

pub struct Node {
    pub host: Host,
    pub speaker: Speaker,
    pub process: Process,
    setup: Setup,
}

/// What the daemon is started with.
enum Setup {
    File(PathBuf),
    /// With zebra, which goes when the speaker does.
    Frr(Router, Option<Process>),
}

impl Node {
    /// vipd or keepalived with the file `text`.
    pub fn new(lab: &Lab, folder: &Folder, number: u8, speaker: Speaker, text: &str) -> Self {
        let host = plug(lab, number);
        let file = folder.write(&format!("{}.conf", host.name()), text);
        Self {
            process: start(&host, speaker, &file),
            host,
            speaker,
            setup: Setup::File(file),
        }
    }

    /// FRR with `router`.
    pub fn frr(lab: &Lab, folder: &Folder, number: u8, router: Router) -> Self {
        let host = plug(lab, number);
        frr::prepare(&host, &router);
        let daemons = frr::start(&host, folder, &router);
        Self {
            process: daemons.vrrpd,
            host,
            speaker: Speaker::Frr,
            setup: Setup::Frr(router, Some(daemons.zebra)),
        }
    }

    /// The configuration of vipd or keepalived.
    pub fn file(&self) -> &Path {
        match &self.setup {
            Setup::File(file) => file,
            Setup::Frr(..) => unreachable!("FRR is told over its shell"),
        }
    }

    /// Whether the kernel has any of `vips`; `None` for FRR, whose device has them at all times.
    pub fn holds(&self, vips: &[&str]) -> Option<bool> {
        if self.speaker == Speaker::Frr {
            return None;
        }
        let addresses = self.host.netlink().unwrap().addresses(None).unwrap();
        let held = |vip: &&str| {
            let wanted: std::net::IpAddr = vip.parse().unwrap();
            addresses.iter().any(|found| found.address == wanted)
        };
        Some(vips.iter().any(held))
    }

    /// A power loss.
    pub fn crash(&mut self) {
        self.host.unplug().unwrap();
        self.process.kill();
        if let Setup::Frr(_, zebra) = &mut self.setup {
            *zebra = None;
        }
    }

    /// A planned stop.
    pub fn stop(&mut self) {
        self.process.terminate();
    }

    pub fn has_stopped(&mut self) {
        let name = self.host.name();
        assert!(self.process.wait(SOON).is_some(), "{name} does not end");
    }

    pub fn restart(&mut self, folder: &Folder) {
        match &mut self.setup {
            Setup::File(file) => self.process = start(&self.host, self.speaker, file),
            Setup::Frr(router, zebra) => {
                *zebra = None;
                let daemons = frr::start(&self.host, folder, router);
                self.process = daemons.vrrpd;
                *zebra = Some(daemons.zebra);
            }
        }
    }

    /// Neither of them may find fault with the other's packets.
    pub fn heard_nothing_wrong(&self) {
        let wrong = [
            "discarded",
            "advertises other",
            "advertises every",
            "mismatch",
            "Invalid",
            "bad checksum",
            "not link-local",
        ];
        let output = self.process.output();
        let found = output
            .iter()
            .find(|line| wrong.iter().any(|word| line.contains(word)));
        assert_eq!(found, None, "{:?}", self.speaker);
        if self.speaker == Speaker::Vipd {
            no_errors(&self.process);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}: {:#?}", self.host.name(), self.process.output());
        }
    }
}

/// Host `number`, with addresses of both families.
fn plug(lab: &Lab, number: u8) -> Host {
    let name = format!("node{number}");
    let host = host(lab, &name, &format!("192.168.1.{number}/24"));
    host.add_address(&format!("fd00::{number}/64")).unwrap();
    host
}

fn start(host: &Host, speaker: Speaker, file: &Path) -> Process {
    match speaker {
        Speaker::Vipd => vipd(host, file),
        Speaker::Keepalived => keepalived(host, file),
        Speaker::Frr => unreachable!("FRR has files of its own"),
    }
}
