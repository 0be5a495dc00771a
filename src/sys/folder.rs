//! News of the files in a folder.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::net::unix::pipe::Receiver;

/// Bytes of an event before the name: watch, mask, cookie and length of the name.
const HEADER_LEN: usize = 16;
/// Room for the longest event and then some.
pub(super) const BUFFER_LEN: usize = 4096;

/// Watches one folder. Files are watched by their names, so that they may come and go.
#[derive(Debug)]
pub struct Folder {
    /// Not a pipe, but it is waited for and read like one.
    events: Receiver,
}

impl Folder {
    /// Begins to watch `path`. Call it inside of a tokio runtime.
    ///
    /// # Errors
    /// The system's: the folder is not there, or watches have run out.
    pub fn watch(path: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let news = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE;
        inotify.add_watch(path, news | AddWatchFlags::IN_ONLYDIR)?;
        let descriptor = inotify.as_fd().try_clone_to_owned()?;
        let events = Receiver::from_owned_fd_unchecked(descriptor)?;
        Ok(Self { events })
    }

    /// Waits until the file `name` in the folder has been written, put there or taken away.
    /// Losing the wait loses no news.
    ///
    /// # Errors
    /// The system's.
    pub async fn changed(&self, name: &OsStr) -> io::Result<()> {
        let mut buffer = [0; BUFFER_LEN];
        loop {
            self.events.readable().await?;
            match self.events.try_read(&mut buffer) {
                Ok(length) if concerns(buffer.get(..length).unwrap_or_default(), name) => {
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether one of these events is about the file `name`. One without a name says that some were
/// lost, so that anything may have happened.
fn concerns(events: &[u8], name: &OsStr) -> bool {
    let mut names = parse(events).map(|event| event.name);
    names.any(|found| found.is_empty() || found == name.as_bytes())
}

/// An event of inotify.
pub(super) struct Event<'a> {
    /// The kernel's number of the watch.
    pub(super) watch: i32,
    /// Name of the file; empty if it is about the folder itself, or if news were lost.
    pub(super) name: &'a [u8],
}

/// The events in what was read from an inotify.
pub(super) fn parse(mut events: &[u8]) -> impl Iterator<Item = Event<'_>> {
    std::iter::from_fn(move || {
        let (header, rest) = events.split_at_checked(HEADER_LEN)?;
        let number = |at: usize| {
            let bytes = header.get(at..at + 4)?;
            bytes.try_into().ok().map(i32::from_ne_bytes)
        };
        let length = usize::try_from(number(12)?).unwrap_or(usize::MAX);
        let (padded, next) = rest.split_at_checked(length).unwrap_or((&[], &[]));
        events = next;
        let end = padded.iter().position(|b| *b == 0).unwrap_or(padded.len());
        Some(Event {
            watch: number(0)?,
            name: padded.get(..end).unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_file_counts() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let path = std::env::temp_dir().join(format!("vipd-folder-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        runtime.block_on(async {
            let folder = Folder::watch(&path).unwrap();
            let soon = std::time::Duration::from_millis(20);
            let changed = folder.changed(OsStr::new("time"));
            std::fs::write(path.join("other"), "x").unwrap();
            assert!(tokio::time::timeout(soon, changed).await.is_err());
            std::fs::write(path.join("time"), "x").unwrap();
            folder.changed(OsStr::new("time")).await.unwrap();
            std::fs::remove_file(path.join("time")).unwrap();
            folder.changed(OsStr::new("time")).await.unwrap();
        });
        std::fs::remove_dir_all(&path).unwrap();
    }
}
