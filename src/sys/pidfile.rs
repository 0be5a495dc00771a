//! Pid files, locked while the daemon lives.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// A pid file that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon holds it.
    #[error("daemon is already running: {} belongs to process {pid}", path.display())]
    Running {
        /// The file.
        path: PathBuf,
        /// What is in it.
        pid: String,
    },
    /// The file system refuses.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// A pid file of this process. It is removed when this value is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Holds the lock.
    file: File,
}

impl PidFile {
    /// Writes this process into `path`, mode 644, unless a live daemon holds it.
    ///
    /// The lock is the one that keepalived takes since 2.3.2, so neither starts beside the
    /// other; of an older keepalived the number in the file is believed while it lives.
    ///
    /// # Errors
    /// [`Error::Running`] or [`Error::Write`].
    pub fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Write {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(failed)?;
        let mut known = String::new();
        file.read_to_string(&mut known).map_err(failed)?;
        let known = known.trim().to_owned();
        if !lock(&file).map_err(failed)? || is_keepalived(&known) {
            return Err(Error::Running {
                path: path.to_owned(),
                pid: known,
            });
        }
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write().map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Gone already is as good as removed; `file` lets go of the lock.
        let _ = (std::fs::remove_file(&self.path), self.file.flush());
    }
}

fn lock(file: &File) -> io::Result<bool> {
    let whole = libc::flock {
        l_type: libc::F_WRLCK.try_into().unwrap_or_default(),
        l_whence: libc::SEEK_SET.try_into().unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether `pid` is a living keepalived or vipd other than this process.
fn is_keepalived(pid: &str) -> bool {
    let Ok(pid) = pid.parse::<u32>() else {
        return false;
    };
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    pid != std::process::id() && ["keepalived", "vipd"].contains(&name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_had_once_and_leaves_nothing_behind() {
        let path = std::env::temp_dir().join(format!("vipd-test-{}.pid", std::process::id()));
        let first = PidFile::create(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        assert!(matches!(PidFile::create(&path), Err(Error::Running { .. })));
        drop(first);
        assert!(!path.exists());
    }
}
