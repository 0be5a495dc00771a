//! What the daemon has changed on the host, kept in a file: a crash must not make it forget what
//! has to be undone.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::executor::Chain;
use crate::link::setting::Setting;
use crate::sys::sysctl;

/// A setting of the kernel's that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Changed {
    key: String,
    /// Number of the interface that it belongs to, if it belongs to one.
    interface: Option<u32>,
    /// What it was.
    original: i32,
    /// What it was set to.
    value: i32,
}

/// A device that was made or taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) name: String,
    pub(super) base: String,
    /// `None` of an ipvlan.
    pub(super) mac: Option<[u8; 6]>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    devices: Vec<Made>,
    /// In the order in which they were changed.
    settings: Vec<Changed>,
    table: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    contents: Contents,
    /// What the file holds.
    written: Contents,
}

impl Memory {
    /// What an earlier run in this network namespace has left in `folder`.
    pub(super) fn open(folder: &Path) -> Self {
        let number = fs::metadata("/proc/thread-self/ns/net").map_or(0, |m| m.ino());
        let path = folder.join(format!("network-{number}.json"));
        let contents: Contents = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!("{} is ignored: {error}", path.display());
                Contents::default()
            }),
            Err(_) => Contents::default(),
        };
        Self {
            written: contents.clone(),
            path,
            contents,
        }
    }

    /// The devices that were made.
    pub(super) fn devices(&self) -> &[Made] {
        &self.contents.devices
    }

    /// The firewall table that was made.
    pub(super) fn table(&self) -> Option<&str> {
        self.contents.table.as_deref()
    }

    /// Writes down which devices and which table there are about to be.
    pub(super) fn note(&mut self, devices: Vec<Made>, table: Option<&str>) {
        self.contents.devices = devices;
        self.contents.table = table.map(str::to_owned);
        self.write();
    }

    /// Gives settings their values and remembers what they were. `number` finds interfaces.
    pub(super) fn change(&mut self, settings: &[Setting], number: &dyn Fn(&str) -> Option<u32>) {
        let mut due = Vec::new();
        for setting in settings {
            let Ok(current) = sysctl::read(&setting.key) else {
                continue;
            };
            let interface = interface_of(&setting.key).and_then(number);
            let known = |c: &Changed| c.key == setting.key;
            // Another interface of the same name has come in its place.
            self.contents
                .settings
                .retain(|c| !known(c) || c.interface == interface);
            if current == setting.value {
                continue;
            }
            if !self.contents.settings.iter().any(known) {
                self.contents.settings.push(Changed {
                    key: setting.key.clone(),
                    interface,
                    original: current,
                    value: setting.value,
                });
            }
            due.push(setting);
        }
        self.write();
        for setting in due {
            if let Err(error) = sysctl::write(&setting.key, setting.value) {
                tracing::warn!("{}", Chain(&error));
            }
        }
    }

    /// Puts settings back that `keep` does not name, the last one first.
    pub(super) fn restore(
        &mut self,
        keep: impl Fn(&str) -> bool,
        number: &dyn Fn(&str) -> Option<u32>,
    ) {
        for changed in self.contents.settings.iter().rev() {
            if keep(&changed.key)
                || interface_of(&changed.key).and_then(number) != changed.interface
            {
                continue;
            }
            // What somebody else has set meanwhile stays.
            if sysctl::read(&changed.key).is_ok_and(|now| now == changed.value)
                && let Err(error) = sysctl::write(&changed.key, changed.original)
                && !error.is_missing()
            {
                tracing::warn!("{}", Chain(&error));
            }
        }
        self.contents.settings.retain(|c| keep(&c.key));
        self.write();
    }

    fn write(&mut self) {
        if self.contents == self.written {
            return;
        }
        let result = if self.contents == Contents::default() {
            fs::remove_file(&self.path)
        } else {
            replace(&self.path, &self.contents)
        };
        if let Err(error) = result {
            tracing::warn!(
                "cannot write {}: {error}; after a crash nobody knows what to undo",
                self.path.display()
            );
        }
        self.written = self.contents.clone();
    }
}

/// Interface that a setting belongs to: `net/ipv4/conf/NAME/…`.
fn interface_of(key: &str) -> Option<&str> {
    let mut parts = key.split('/').skip(2);
    let name = parts.next().filter(|p| *p == "conf").and(parts.next())?;
    (!matches!(name, "all" | "default")).then_some(name)
}

/// Writes beside the file, then takes its place: a crash leaves the old one or the new one.
fn replace(path: &Path, contents: &Contents) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)?;
    }
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&serde_json::to_vec(contents)?)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_belongs_to_the_interface_in_its_path() {
        assert_eq!(interface_of("net/ipv4/conf/eth0/arp_ignore"), Some("eth0"));
        assert_eq!(interface_of("net/ipv4/conf/all/rp_filter"), None);
        assert_eq!(interface_of("net/ipv4/igmp_link_local_mcast_reports"), None);
    }

    #[test]
    fn what_was_noted_is_found_by_the_next_run() {
        let folder = std::env::temp_dir().join(format!("vipd-memory-{}", std::process::id()));
        let mut memory = Memory::open(&folder);
        let made = Made {
            name: "vrrp.51".to_owned(),
            base: "eth0".to_owned(),
            mac: Some([0, 0, 0x5e, 0, 1, 51]),
        };
        memory.note(vec![made.clone()], Some("keepalived"));
        let mode = fs::metadata(&memory.path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut again = Memory::open(&folder);
        assert_eq!(again.devices(), [made]);
        assert_eq!(again.table(), Some("keepalived"));
        again.note(Vec::new(), None);
        assert!(!again.path.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
