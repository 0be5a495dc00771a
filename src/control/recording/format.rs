//! The text of a recording.
//!
//! Two files. `NAME.inputs` has one JSON object a line: the time and one input. `NAME.effects`
//! has what came of each, for people and for comparison alone, so it is never parsed:
//!
//! ```text
//! {"at":"3.609375000","advert":{"instance":1,"from":"10.0.0.2","priority":0,"interval_cs":100,"version":2}}
//!
//! 3.609375000 instance 1: notify BACKUP
//! 3.609375000 wake at 4.218750000
//! ```
//!
//! Times are seconds of the clock that the core was given, to the nanosecond.

mod input;
mod router;
mod values;

use std::fmt::Write as _;

use self::input::Line;
use super::Call;
use crate::control::vocabulary;
use crate::types::Instant;
use crate::vrrp::instance::Effect;
use crate::vrrp::router::InstanceEffect;

/// First line of the inputs. A change of the form that old recordings do not survive counts it up.
const HEAD: &str = r#"{"recording":1}"#;

/// Why a recording cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first line is another one.
    #[error("not a recording of this form: the first line is not {HEAD}")]
    Head,
    /// A line is not what the form has.
    #[error("line {line} of the inputs")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A value is out of its range.
    #[error("line {line} of the inputs: {what} is out of range")]
    Range {
        /// Counted from 1.
        line: usize,
        /// Which value.
        what: &'static str,
    },
}

/// A value that the core could not have been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OutOfRange(&'static str);

/// Reads inputs line by line.
#[derive(Debug)]
pub struct Reader<'a> {
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
}

impl<'a> Reader<'a> {
    /// A reader of the whole text of a file.
    ///
    /// # Errors
    /// [`Error::Head`].
    pub fn new(inputs: &'a str) -> Result<Self, Error> {
        let mut lines = inputs.lines().enumerate();
        match lines.next() {
            Some((_, HEAD)) => Ok(Self { lines }),
            Some(_) | None => Err(Error::Head),
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<(Instant, Call), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (index, text) = self.lines.next()?;
        let line = index + 1;
        let parsed = serde_json::from_str::<Line>(text);
        Some(match parsed {
            Err(source) => Err(Error::Line { line, source }),
            Ok(parsed) => parsed
                .into_call()
                .map_err(|OutOfRange(what)| Error::Range { line, what }),
        })
    }
}

/// Writes both texts, entry by entry.
#[derive(Debug, Default)]
pub struct Writer {
    woken_at: Option<Instant>,
}

impl Writer {
    /// What the inputs begin with.
    #[must_use]
    pub fn head() -> String {
        format!("{HEAD}\n")
    }

    /// One input.
    ///
    /// # Panics
    /// Never: numbers and names can always be written as JSON.
    #[must_use]
    pub fn input(at: Instant, call: &Call) -> String {
        let line = Line::from_call(at, call);
        let mut text = serde_json::to_string(&line).expect("numbers and names are JSON");
        text.push('\n');
        text
    }

    /// What came of one input, and when the core wants to be woken if that is new.
    #[must_use]
    pub fn effects(
        &mut self,
        at: Instant,
        effects: &[InstanceEffect],
        wakes_at: Option<Instant>,
    ) -> String {
        let mut text = String::new();
        let time = values::time(at);
        for (id, effect) in effects {
            let what = describe(effect);
            writeln!(text, "{time} instance {}: {what}", id.0).expect("memory takes text");
        }
        if wakes_at != self.woken_at {
            self.woken_at = wakes_at;
            let wake = wakes_at.map_or_else(
                || "never".to_owned(),
                |at| format!("at {}", values::time(at)),
            );
            writeln!(text, "{time} wake {wake}").expect("memory takes text");
        }
        text
    }
}

fn describe(effect: &Effect) -> String {
    match effect {
        Effect::SendAdvert(priority) => format!("send advert with priority {priority}"),
        Effect::InstallAddresses => "install addresses".to_owned(),
        Effect::RemoveAddresses => "remove addresses".to_owned(),
        Effect::AnnounceAddresses { repeat } => format!("announce addresses, {repeat} times"),
        Effect::AnnounceElsewhere => "announce addresses on other interfaces".to_owned(),
        Effect::AdvertiseRouter { last: false } => "advertise the router".to_owned(),
        Effect::AdvertiseRouter { last: true } => "advertise that the router goes".to_owned(),
        Effect::HeardLowerPriority => "notify of a lower priority".to_owned(),
        Effect::Notify(to) => format!("notify {}", vocabulary::transition(*to)),
        Effect::NotifyGroup(group, to) => {
            format!("notify group {} {}", group.0, vocabulary::transition(*to))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::InstanceId;
    use crate::vrrp::instance::Transition;

    #[test]
    fn effects_read_as_sentences_and_a_timer_shows_when_it_moves() {
        let at = Instant::from_nanos(3_609_375_000);
        let effects = [
            (InstanceId(1), Effect::RemoveAddresses),
            (InstanceId(1), Effect::Notify(Transition::Backup)),
        ];
        let mut writer = Writer::default();
        let wake = Some(Instant::from_nanos(4_000_000_001));
        let text = writer.effects(at, &effects, wake) + &writer.effects(at, &[], wake);
        assert_eq!(
            text,
            "3.609375000 instance 1: remove addresses\n\
             3.609375000 instance 1: notify BACKUP\n\
             3.609375000 wake at 4.000000001\n"
        );
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        assert!(matches!(Reader::new("hello"), Err(Error::Head)));
        let error = |line: &str| {
            let text = format!("{HEAD}\n{line}\n");
            Reader::new(&text).unwrap().next().unwrap().unwrap_err()
        };
        assert!(matches!(error("{}"), Error::Line { line: 2, .. }));
        let advert = |interval| {
            format!(
                r#"{{"at":"1.000000000","advert":{{"instance":1,"from":"10.0.0.2","priority":0,"interval_cs":{interval},"version":2}}}}"#
            )
        };
        let error = error(&advert(0));
        assert_eq!(
            error.to_string(),
            "line 2 of the inputs: interval_cs is out of range"
        );
    }
}
