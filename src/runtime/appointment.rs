//! A reload at a time that a file names. keepalived: `reload_time_file`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::clock;
use crate::config::model::Reload;
use crate::sys::folder::Folder;

/// The wall clock may be set while we wait: it is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Longer than any time; a file may be anything.
const LONGEST_TEXT: u64 = 4096;

/// When to reload, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Appointment {
    file: Option<PathBuf>,
    daily: bool,
    folder: Option<Folder>,
    set: Option<Set>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set {
    at: Timestamp,
    /// The file has no date, so that the time comes again tomorrow.
    again: bool,
}

impl Appointment {
    /// Takes a new configuration, and looks at its file. Call it inside of a tokio runtime.
    pub(super) fn adopt(&mut self, reload: &Reload) {
        self.daily = reload.daily;
        self.file.clone_from(&reload.time_file);
        self.folder = None;
        self.set = None;
        let Some(file) = &self.file else { return };
        let folder = file.parent().unwrap_or(Path::new("/"));
        match Folder::watch(folder) {
            Ok(watched) => self.folder = Some(watched),
            Err(error) => {
                tracing::warn!(
                    "{} is not watched, and no reload will come of it: {error}",
                    file.display()
                );
            }
        }
        self.look();
    }

    /// Waits until it is time to reload. Losing the wait loses nothing.
    pub(super) async fn due(&mut self) {
        loop {
            let left = self.set.map(|set| left(set.at, now()));
            let wait = async {
                match left {
                    Some(left) => tokio::time::sleep(left.min(LOOK_AGAIN)).await,
                    None => std::future::pending().await,
                }
            };
            let changed = match (&self.folder, self.file.as_deref().and_then(Path::file_name)) {
                (Some(folder), Some(name)) => changed(folder, name, wait).await,
                _ => {
                    wait.await;
                    Ok(false)
                }
            };
            match changed {
                Ok(true) => self.look(),
                Ok(false) => {
                    if self.set.is_some_and(|set| set.at <= now()) {
                        self.keep();
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!("the time of a reload is no longer watched: {error}");
                    self.folder = None;
                }
            }
        }
    }

    /// Reads the file anew.
    fn look(&mut self) {
        let Some(file) = &self.file else { return };
        let before = self.set.take();
        let Some(line) = first_line(file) else {
            if before.is_some() {
                tracing::info!("{} is gone: no reload is set", file.display());
            }
            return;
        };
        match parse(&line, now(), &TimeZone::system()) {
            Some(set) if set.at > now() => {
                if before != Some(set) {
                    let zone = TimeZone::system();
                    let local = set.at.to_zoned_datetime(zone);
                    tracing::info!("a reload is set for {}", local.datetime());
                }
                self.set = Some(set);
            }
            Some(_) => tracing::info!("{} names a time in the past", file.display()),
            None => tracing::warn!(
                "`{line}` in {} is no time: write HH:MM:SS or YYYY-MM-DD HH:MM:SS, with a Z for UTC",
                file.display()
            ),
        }
    }

    /// The time has come: the file goes, unless the same time of tomorrow is meant too.
    fn keep(&mut self) {
        let Some(set) = self.set.take() else { return };
        let Some(file) = &self.file else { return };
        if self.daily && set.again {
            self.look();
            return;
        }
        if self.daily {
            return;
        }
        if let Err(error) = std::fs::remove_file(file) {
            tracing::warn!("{} cannot be removed: {error}", file.display());
        }
    }
}

/// Whether the file changed before `wait` was over.
async fn changed(
    folder: &Folder,
    name: &OsStr,
    wait: impl Future<Output = ()>,
) -> std::io::Result<bool> {
    tokio::select! {
        news = folder.changed(name) => news.map(|()| true),
        () = wait => Ok(false),
    }
}

fn now() -> Timestamp {
    let since = SignedDuration::try_from(clock::since_epoch()).unwrap_or(SignedDuration::MAX);
    Timestamp::from_duration(since).unwrap_or(Timestamp::MAX)
}

fn left(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

fn first_line(file: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = Vec::new();
    let opened = std::fs::File::open(file).ok()?;
    opened.take(LONGEST_TEXT).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    Some(text.lines().next().unwrap_or_default().to_owned())
}

/// `HH:MM:SS`, `YY-MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, each with a `Z` for UTC.
fn parse(line: &str, now: Timestamp, local: &TimeZone) -> Option<Set> {
    let (text, zone) = match line.strip_suffix('Z') {
        Some(text) => (text, &TimeZone::UTC),
        None => (line, local),
    };
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (Some(parse_date(date)?), parse_time(time)?),
        None => (None, parse_time(text)?),
    };
    if let Some(date) = date {
        let at = timestamp(date.to_datetime(time), zone)?;
        return Some(Set { at, again: false });
    }
    let today = now.to_zoned_datetime(zone.clone()).date();
    let at = timestamp(today.to_datetime(time), zone).filter(|at| *at > now);
    let at = match at {
        Some(at) => at,
        None => timestamp(today.tomorrow().ok()?.to_datetime(time), zone)?,
    };
    Some(Set { at, again: true })
}

/// A time that a change to summer time skips or repeats is the earlier one that there is.
fn timestamp(at: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned_datetime(at)
        .compatible()
        .ok()
        .map(|zoned| zoned.timestamp())
}

fn parse_time(text: &str) -> Option<Time> {
    let [hour, minute, second] = numbers(text, ':', [2, 2, 2])?;
    let small = |n: i16| i8::try_from(n).ok();
    Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()
}

fn parse_date(text: &str) -> Option<Date> {
    let [year, month, day] = match numbers(text, '-', [4, 2, 2]) {
        Some(date) => date,
        None => {
            let [year, month, day] = numbers(text, '-', [2, 2, 2])?;
            [2000 + year, month, day]
        }
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Three numbers of these many digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i16; 3]> {
    let mut found = [0; 3];
    let mut parts = text.split(between);
    for (slot, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        let good = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        *slot = good.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A winter day in Berlin, 13:30 there.
    const NOW: &str = "2026-01-15T12:30:00Z";

    fn at(line: &str) -> Option<(String, bool)> {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let set = parse(line, NOW.parse().unwrap(), &berlin)?;
        Some((set.at.to_string(), set.again))
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        for (line, expected) in [
            ("13:30:01", "2026-01-15T12:30:01Z"),
            ("13:30:00", "2026-01-16T12:30:00Z"),
            ("00:00:00", "2026-01-15T23:00:00Z"),
            ("12:30:01Z", "2026-01-15T12:30:01Z"),
            ("12:29:59Z", "2026-01-16T12:29:59Z"),
        ] {
            assert_eq!(at(line), Some((expected.to_owned(), true)), "{line}");
        }
    }

    #[test]
    fn a_date_counts_once_also_in_the_past() {
        for (line, expected) in [
            ("2026-07-01 06:00:00", "2026-07-01T04:00:00Z"),
            ("26-07-01 06:00:00Z", "2026-07-01T06:00:00Z"),
            ("2020-01-01 00:00:00Z", "2020-01-01T00:00:00Z"),
            // Skipped by summer time: an hour later is the same moment.
            ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
        ] {
            assert_eq!(at(line), Some((expected.to_owned(), false)), "{line}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for line in [
            "",
            "Z",
            "1:00:00",
            "24:00:00",
            "12:60:00",
            " 12:00:00",
            "12:00:00 ",
            "12:00",
            "2026-02-30 12:00:00",
            "2026-01-15  12:00:00",
            "2026-01-15T12:00:00",
            "+1-01-15 12:00:00",
            "12:00:00z",
        ] {
            assert_eq!(at(line), None, "{line}");
        }
    }
}
