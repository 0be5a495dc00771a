//! News of one file and of every folder on the way to it.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::net::unix::pipe::Receiver;

use super::folder::{BUFFER_LEN, Event, parse};

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The file: written, put there or taken away.
    File,
    /// A folder on the way to it, so that the watch has to begin anew.
    Folder,
}

/// Watches a path that may come and go with its folders.
///
/// Files are watched by their names, so one that another replaces is found as well.
#[derive(Debug)]
pub struct Trail {
    /// Not a pipe, but it is waited for and read like one.
    events: Receiver,
    steps: Vec<Step>,
}

/// A folder, and the name in it that the way goes on with.
#[derive(Debug)]
struct Step {
    watch: i32,
    name: OsString,
    is_last: bool,
}

impl Trail {
    /// Begins to watch `path`, as far as there is a way to it. Call it inside of a tokio runtime.
    ///
    /// # Errors
    /// The system's: watches or descriptors have run out.
    pub fn watch(path: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let comes_and_goes = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let mut way: Vec<_> = path.ancestors().collect();
        way.reverse();
        let mut steps = Vec::new();
        for pair in way.windows(2) {
            let [folder, next] = pair else { break };
            let is_last = *next == path;
            let written = if is_last {
                AddWatchFlags::IN_CLOSE_WRITE
            } else {
                AddWatchFlags::empty()
            };
            match inotify.add_watch(*folder, comes_and_goes | written) {
                Ok(watch) => steps.push(Step {
                    watch: watch.as_raw(),
                    name: next.file_name().unwrap_or_default().to_owned(),
                    is_last,
                }),
                // It may come; the folder above says so.
                Err(Errno::ENOENT | Errno::ENOTDIR) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let descriptor = inotify.as_fd().try_clone_to_owned()?;
        let events = Receiver::from_owned_fd_unchecked(descriptor)?;
        Ok(Self { events, steps })
    }

    /// Waits until the file or a folder on the way to it has changed. Losing the wait loses no
    /// news.
    ///
    /// # Errors
    /// The system's.
    pub async fn changed(&self) -> io::Result<News> {
        let mut buffer = [0; BUFFER_LEN];
        loop {
            self.events.readable().await?;
            let length = match self.events.try_read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            let events = parse(buffer.get(..length).unwrap_or_default());
            let news: Vec<_> = events.filter_map(|e| self.news(&e)).collect();
            if news.contains(&News::Folder) {
                return Ok(News::Folder);
            }
            if news.contains(&News::File) {
                return Ok(News::File);
            }
        }
    }

    /// Nothing for what happens beside the way.
    fn news(&self, event: &Event<'_>) -> Option<News> {
        if event.name.is_empty() {
            return Some(News::Folder);
        }
        let is_way = |step: &&Step| step.watch == event.watch && step.name.as_bytes() == event.name;
        let step = self.steps.iter().find(is_way)?;
        Some(if step.is_last {
            News::File
        } else {
            News::Folder
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn the_file_and_its_folders_may_come_and_go() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let root = std::env::temp_dir().join(format!("vipd-trail-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let folder = root.join("a/b");
        let file = folder.join("number");
        let soon = Duration::from_secs(10);
        runtime.block_on(async {
            let next = async |trail: &Trail| {
                let news = tokio::time::timeout(soon, trail.changed()).await;
                news.unwrap().unwrap()
            };
            let trail = Trail::watch(&file).unwrap();
            fs::create_dir_all(&folder).unwrap();
            assert_eq!(next(&trail).await, News::Folder);
            let trail = Trail::watch(&file).unwrap();
            fs::write(folder.join("other"), "1").unwrap();
            fs::write(&file, "1").unwrap();
            assert_eq!(next(&trail).await, News::File);
            fs::rename(folder.join("other"), &file).unwrap();
            assert_eq!(next(&trail).await, News::File);
            fs::rename(root.join("a"), root.join("c")).unwrap();
            assert_eq!(next(&trail).await, News::Folder);
        });
        fs::remove_dir_all(&root).unwrap();
    }
}
