//! What root may ask of the running daemon, and what it answers: HTTP and JSON over a socket in the
//! daemon's state folder.

use serde::{Deserialize, Serialize};

use crate::config::plan::Outlook;

/// Longest request in bytes.
pub const LONGEST_REQUEST: usize = 64 << 10;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Read the configuration anew and go over to it: `POST /v1/reload`.
    Reload,
    /// Say what a reload would do, and do nothing: `POST /v1/plan`.
    Plan {
        /// The file to go over to, from the root of the file system; that of the daemon when
        /// absent.
        file: Option<String>,
    },
}

/// Body of `POST /v1/plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// See [`Request::Plan`].
    #[serde(default)]
    pub file: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Reply {
    /// The new configuration runs.
    Reloaded(Considered),
    /// This is what would be done.
    Planned(Considered),
    /// The file would not run; everything stays as it was.
    Refused {
        /// The file.
        file: String,
        /// Everything that is said of it, a line each.
        problems: Vec<String>,
    },
    /// The request makes no sense, or could not be served.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A file that can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// The file.
    pub file: String,
    /// What is said of it all the same, a line each.
    pub warnings: Vec<String>,
    /// What changes.
    #[serde(flatten)]
    pub outlook: Outlook,
}

/// Beginning and end of the name of a daemon's socket; its process number is between.
const SOCKET_NAME: (&str, &str) = ("control-", ".socket");

/// Name of the socket of the daemon with the process number `pid`.
#[must_use]
pub fn socket_name(pid: u32) -> String {
    format!("{}{pid}{}", SOCKET_NAME.0, SOCKET_NAME.1)
}

/// The process number in the name of a socket, if it is one.
#[must_use]
pub fn socket_pid(name: &str) -> Option<u32> {
    let number = name.strip_prefix(SOCKET_NAME.0)?;
    number.strip_suffix(SOCKET_NAME.1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_named_for_its_process() {
        assert_eq!(socket_pid(&socket_name(77)), Some(77));
        for other in ["control-.socket", "control-1.socket.1", "network-4.json"] {
            assert_eq!(socket_pid(other), None, "{other}");
        }
    }
}
