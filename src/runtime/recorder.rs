//! Writes a recording to disk: a thread of its own, so that the engine waits for no disk.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use crate::control::recording::format::Writer;
use crate::control::recording::{Entry, Sink};

/// Entries that may wait for the disk: several seconds of a thousand instances.
const QUEUE: usize = 16 * 1024;
/// Largest recording, so that one that was forgotten fills no disk: days of one instance.
const LIMIT: usize = 256 * 1024 * 1024;

/// A recording that is being written. [`Recorder::run`] does so.
#[derive(Debug)]
pub(super) struct Recorder {
    entries: Receiver<Entry>,
    inputs: BufWriter<File>,
    effects: BufWriter<File>,
    writer: Writer,
    written: usize,
}

impl Recorder {
    /// Makes `PATH.inputs` and `PATH.effects` for their owner alone; the sink is the engine's end.
    ///
    /// # Errors
    /// When one of them cannot be made, or is there already: nothing is overwritten.
    pub(super) fn create(path: &Path) -> io::Result<(Self, Sink)> {
        let (sender, entries) = sync_channel(QUEUE);
        let mut recorder = Self {
            entries,
            inputs: create(path, ".inputs")?,
            effects: create(path, ".effects")?,
            writer: Writer::default(),
            written: 0,
        };
        recorder.inputs.write_all(Writer::head().as_bytes())?;
        Ok((recorder, sink(sender)))
    }

    /// Writes until the engine has ended, or the recording cannot go on.
    pub(super) fn run(mut self) {
        if let Err(error) = self.write_all() {
            tracing::warn!("the recording ends: {error}");
        }
    }

    fn write_all(&mut self) -> io::Result<()> {
        while let Some(entry) = self.next()? {
            let Entry {
                at,
                call,
                effects,
                wakes_at,
            } = entry;
            let input = Writer::input(at, &call);
            let effects = self.writer.effects(at, &effects, wakes_at);
            self.written += input.len() + effects.len();
            if self.written > LIMIT {
                return Err(io::Error::other("it has reached its largest size"));
            }
            self.inputs.write_all(input.as_bytes())?;
            self.effects.write_all(effects.as_bytes())?;
        }
        Ok(())
    }

    /// The next entry; whoever looks at the files while nothing happens finds all of them.
    fn next(&mut self) -> io::Result<Option<Entry>> {
        match self.entries.try_recv() {
            Ok(entry) => return Ok(Some(entry)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        self.inputs.flush()?;
        self.effects.flush()?;
        Ok(self.entries.recv().ok())
    }
}

fn create(path: &Path, end: &str) -> io::Result<BufWriter<File>> {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(BufWriter::new(file))
}

/// A recording with a gap could not be replayed: it ends where the disk was too slow for it.
fn sink(sender: SyncSender<Entry>) -> Sink {
    let mut sender = Some(sender);
    Box::new(move |entry| {
        let Some(to) = &sender else { return };
        let Err(error) = to.try_send(entry) else {
            return;
        };
        if matches!(error, TrySendError::Full(_)) {
            tracing::warn!("the recording ends: the disk is too slow");
        }
        sender = None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::recording::{Call, Recorded, replay};
    use crate::types::{InstanceId, Instant, Vrid};
    use crate::vrrp::instance::{Input, InstanceConfig};
    use crate::vrrp::router::{Event, Tracking};
    use std::os::unix::fs::PermissionsExt;
    use std::{fs, thread};

    #[test]
    fn files_are_the_owners_and_nothing_is_overwritten() {
        let folder = std::env::temp_dir().join(format!("vipd-recorder-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("run");
        let (recorder, sink) = Recorder::create(&path).unwrap();
        let writing = thread::spawn(move || recorder.run());
        let mut router = Recorded::new(Some(sink));
        let (id, mut effects) = (InstanceId(1), Vec::new());
        let add = Call::Add {
            id,
            config: Box::new(InstanceConfig::new(Vrid::new(7).unwrap())),
            tracking: Tracking::default(),
        };
        let now = Instant::from_nanos(1);
        router.call(now, add, &mut effects);
        router.handle(now, Event::Instance(id, Input::Startup), &mut effects);
        drop(router);
        writing.join().unwrap();
        let text = |end: &str| fs::read_to_string(folder.join(format!("run.{end}"))).unwrap();
        assert_eq!(text("inputs").lines().count(), 3);
        assert_eq!(replay::effects(&text("inputs")).unwrap(), text("effects"));
        let mode = fs::metadata(folder.join("run.inputs")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        let again = Recorder::create(&path).err().map(|e| e.kind());
        assert_eq!(again, Some(io::ErrorKind::AlreadyExists));
        fs::remove_dir_all(&folder).unwrap();
    }
}
