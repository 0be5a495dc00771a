//! Files that hold numbers: each is watched, and the engine told of every change.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::command::{Command, Handle};
use super::number;
use crate::config::model::{InitFile, TrackFile};
use crate::sys::file;
use crate::sys::trail::{News, Trail};
use crate::vrrp::track::TrackerId;

/// Time between two looks at a file that cannot be watched.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// More than any number takes, with blanks before it.
const LONGEST_TEXT: u64 = 4096;
/// A file system that does not answer must not hold a start or reload up.
const PATIENCE: Duration = Duration::from_secs(2);

/// A file to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// What the engine has been told.
    pub(super) value: i32,
}

/// The files that are watched at the moment.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<TrackerId, JoinHandle<()>>);

impl Files {
    /// Watches `wanted` and nothing else; one that is watched already stays so.
    pub(super) fn apply(&mut self, wanted: BTreeMap<TrackerId, Watched>, to: &Handle) {
        self.0.retain(|id, task| {
            let stays = wanted.contains_key(id);
            if !stays {
                task.abort();
            }
            stays
        });
        for (id, file) in wanted {
            self.0
                .entry(id)
                .or_insert_with(|| tokio::spawn(watch(id, file, to.clone())));
        }
    }
}

/// Makes the files that ask for it, with `mode`. keepalived: `init_file`.
pub(super) fn make(files: &[TrackFile], mode: u32) {
    for wanted in files {
        let Some(InitFile { value, overwrite }) = wanted.init else {
            continue;
        };
        let path = &wanted.path;
        let text = format!("{value}\n");
        let made = if overwrite {
            file::replace(path, &text, mode)
        } else {
            file::create(path, &text, mode)
        };
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => tracing::warn!("cannot make {}: {error}", path.display()),
            Ok(()) => tracing::info!("track_file {} begins with {value}", wanted.name),
        }
    }
}

/// The numbers that `files` hold now. One that cannot be read soon counts as 0 until it can.
pub(super) async fn numbers(files: &[TrackFile]) -> BTreeMap<PathBuf, i32> {
    let paths = files.iter().map(|file| file.path.clone());
    let looks: Vec<_> = paths
        .map(|path| (path.clone(), tokio::spawn(look(path))))
        .collect();
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut found = BTreeMap::new();
    for (path, look) in looks {
        match tokio::time::timeout_at(end, look).await {
            Ok(value) => found.insert(path, value.unwrap_or(0)),
            Err(_) => {
                tracing::warn!("{} is slow to be read: it counts as 0", path.display());
                None
            }
        };
    }
    found
}

async fn watch(id: TrackerId, file: Watched, engine: Handle) {
    let Watched {
        name,
        path,
        mut value,
    } = file;
    loop {
        let trail = Trail::watch(&path).inspect_err(|error| {
            tracing::warn!(
                "{} is not watched, but read every second: {error}",
                path.display()
            );
        });
        loop {
            let now = look(path.clone()).await;
            if now != value {
                tracing::info!("track_file {name} now holds {now}");
                value = now;
                engine.send(Command::TrackValue { tracker: id, value });
            }
            let news = match &trail {
                Ok(trail) => trail.changed().await,
                Err(_) => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    Ok(News::Folder)
                }
            };
            match news {
                Ok(News::File) => {}
                Ok(News::Folder) => break,
                Err(error) => {
                    tracing::warn!("{} is no longer watched: {error}", path.display());
                    tokio::time::sleep(LOOK_AGAIN).await;
                    break;
                }
            }
        }
    }
}

/// The number in a file, read where nobody waits for the disk.
async fn look(path: PathBuf) -> i32 {
    spawn_blocking(move || read(&path)).await.unwrap_or(0)
}

fn read(path: &Path) -> i32 {
    // A pipe or a device must not be waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let mut text = Vec::new();
    let read = file.and_then(|file| {
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        file.take(LONGEST_TEXT).read_to_end(&mut text)
    });
    match read {
        Ok(_) => number::leading(&text),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("{} counts as 0: {error}", path.display());
            }
            0
        }
    }
}
