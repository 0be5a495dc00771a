//! One daemon as text of at most 80 columns.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use vipd::control::status::{Address, Instance, Part, Peer, Priority, Run, Status, Tracker};

/// Columns.
const WIDTH: usize = 80;
/// Where values begin.
const INDENT: usize = 13;

/// Everything about one daemon.
pub(super) fn page(seen: &Status, coloured: bool) -> String {
    let mut page = Page {
        text: String::new(),
        coloured,
    };
    page.daemon(seen);
    for instance in &seen.instances {
        page.instance(instance, seen.at);
    }
    page.groups(seen);
    page.scripts(seen);
    page.files(seen);
    page.strangers(seen);
    page.text
}

struct Page {
    text: String,
    coloured: bool,
}

impl Page {
    fn daemon(&mut self, seen: &Status) {
        let marks = [&seen.namespace, &seen.instance];
        let marks: Vec<_> = marks.into_iter().flatten().map(|m| clean(m)).collect();
        let name = match marks.is_empty() {
            true => String::new(),
            false => format!(" ({})", marks.join(", ")),
        };
        let up = time(seen.at - seen.started);
        self.wrapped(
            0,
            &format!(
                "vipd {}{name}, process {}, up {up}, {}",
                clean(&seen.vipd),
                seen.pid,
                clean(&seen.file)
            ),
        );
    }

    fn instance(&mut self, of: &Instance, now: f64) {
        let state = self.painted(&of.state, colour_of(&of.state));
        let _ = writeln!(
            self.text,
            "\n{}  {state} for {}{}",
            self.painted(&clean(&of.name), Style::new().bold()),
            time(now - of.since),
            if of.held_back {
                ", held back by its group"
            } else {
                ""
            },
        );
        for fault in &of.faults {
            self.row("FAULT", fault, Some(AnsiColor::Red));
        }
        for wait in &of.waits {
            self.row("waits", wait, Some(AnsiColor::Yellow));
        }
        self.row("priority", &sum(&of.priority), None);
        self.row("router", &router(of), None);
        if let Some(next) = next(of) {
            self.row("next", &next, None);
        }
        for (n, address) in of.addresses.iter().enumerate() {
            let label = if n == 0 { "addresses" } else { "" };
            let (text, colour) = place(address);
            self.row(label, &text, colour);
        }
        for (n, peer) in of.peers.iter().enumerate() {
            let label = if n == 0 { "heard" } else { "" };
            self.row(label, &heard(peer), None);
        }
        if of.peers.is_empty() {
            self.row("heard", "nobody", None);
        }
        for (reason, count) in &of.rejected {
            let text = format!("{count} adverts: {reason}");
            self.row("discarded", &text, Some(AnsiColor::Yellow));
        }
    }

    fn groups(&mut self, seen: &Status) {
        for group in &seen.groups {
            let state = group.state.as_deref().unwrap_or("INIT");
            let word = self.painted(state, colour_of(state));
            let _ = writeln!(self.text, "\ngroup {}  {word}", clean(&group.name));
            self.row("members", &group.members.join(", "), None);
        }
    }

    fn files(&mut self, seen: &Status) {
        let numbers = seen.trackers.iter();
        let numbers: Vec<_> = numbers.filter_map(|t| Some((&t.name, t.value?))).collect();
        if !numbers.is_empty() {
            self.text += "\nfiles\n";
        }
        for (name, number) in numbers {
            self.row(&clean(name), &number.to_string(), None);
        }
    }

    fn scripts(&mut self, seen: &Status) {
        let scripts: Vec<_> = seen
            .trackers
            .iter()
            .filter(|t| t.kind == "script")
            .collect();
        if !scripts.is_empty() {
            self.text += "\nscripts\n";
        }
        for script in scripts {
            let bad = script.up == Some(false) || script.last.as_ref().is_some_and(|r| !r.success);
            self.row(
                &clean(&script.name),
                &found(script, seen.at),
                bad.then_some(AnsiColor::Red),
            );
        }
    }

    fn strangers(&mut self, seen: &Status) {
        if !seen.strangers.is_empty() {
            self.text += "\npackets for no instance\n";
        }
        for (reason, count) in &seen.strangers {
            self.row("", &format!("{count}: {reason}"), None);
        }
    }

    /// A label and what belongs to it, in as many lines as it takes.
    fn row(&mut self, label: &str, text: &str, colour: Option<AnsiColor>) {
        let mut label = format!("  {label:width$}", width = INDENT - 2);
        if label.chars().count() > INDENT {
            let _ = writeln!(self.text, "{label}");
            label = " ".repeat(INDENT);
        }
        let style = colour.map(AnsiColor::on_default).unwrap_or_default();
        for line in folded(&clean(text), WIDTH - INDENT) {
            let line = self.painted(&line, style);
            let _ = writeln!(self.text, "{label}{line}");
            label = " ".repeat(INDENT);
        }
    }

    fn wrapped(&mut self, indent: usize, text: &str) {
        for line in folded(text, WIDTH - indent) {
            let _ = writeln!(self.text, "{:indent$}{line}", "");
        }
    }

    fn painted(&self, text: &str, style: Style) -> String {
        match self.coloured {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

/// What a terminal would obey is shown instead.
fn clean(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(shown).collect()
}

/// Lines of at most `width` columns, broken at blanks, and inside of a word that is longer.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        let used = lines.last().map_or(0, |line| line.chars().count());
        if used > 0 && used + 1 + rest.len() > width {
            lines.push(String::new());
        } else if used > 0
            && let Some(line) = lines.last_mut()
        {
            line.push(' ');
        }
        while rest.len() > width {
            let more = rest.split_off(width);
            if let Some(line) = lines.last_mut() {
                line.extend(rest);
            }
            lines.push(String::new());
            rest = more;
        }
        if let Some(line) = lines.last_mut() {
            line.extend(rest);
        }
    }
    lines
}

fn colour_of(state: &str) -> Style {
    let colour = match state {
        "MASTER" => AnsiColor::Green,
        "BACKUP" => AnsiColor::Cyan,
        "FAULT" => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    colour.on_default().bold()
}

/// `105 = 100 + 5 script chk`
fn sum(priority: &Priority) -> String {
    let mut text = priority.effective.to_string();
    let counted = priority.parts.iter().filter(|p| p.weight != 0);
    let counted: Vec<_> = counted.map(summand).collect();
    if priority.effective != priority.base || !counted.is_empty() {
        let _ = write!(text, " = {}{}", priority.base, counted.concat());
    }
    if priority.total != i32::from(priority.effective) {
        let _ = write!(text, " (the sum is {})", priority.total);
    }
    let plain = priority.parts.iter().filter(|p| p.weight == 0);
    let plain: Vec<_> = plain
        .map(|p| format!("{} {} {}", p.kind, p.name, found_of(p)))
        .collect();
    if !plain.is_empty() {
        let _ = write!(text, "; needs {}", plain.join(", "));
    }
    text
}

fn summand(part: &Part) -> String {
    let sign = if part.points < 0 { '-' } else { '+' };
    format!(
        " {sign} {} ({} {} {})",
        part.points.abs(),
        part.kind,
        part.name,
        found_of(part)
    )
}

/// What was found last: a number, or a state.
fn found_of(part: &Part) -> String {
    match part.value {
        Some(value) => value.to_string(),
        None => word(part.up).to_owned(),
    }
}

const fn word(up: Option<bool>) -> &'static str {
    match up {
        Some(true) => "up",
        Some(false) => "down",
        None => "not known yet",
    }
}

fn router(of: &Instance) -> String {
    let mut text = format!("VRID {}, version {}, {}", of.vrid, of.version, of.family);
    if let Some(interface) = &of.interface {
        let _ = write!(text, ", {interface}");
    }
    if let Some(device) = &of.device {
        let _ = write!(text, " ({device})");
    }
    if let Some(source) = &of.source {
        let _ = write!(text, ", from {source}");
    }
    let _ = write!(text, ", every {} s", of.advert_interval);
    text
}

/// What it waits for.
fn next(of: &Instance) -> Option<String> {
    let timer = of.timer.filter(|_| of.state == "BACKUP")?;
    Some(match &of.active_router {
        Some(active) => format!(
            "obeys {} (priority {}); takes over {} s after its last advert",
            active.address,
            active.priority,
            rounded(of.active_down_interval)
        ),
        None => format!("takes over in {} unless somebody advertises", time(timer)),
    })
}

fn place(address: &Address) -> (String, Option<AnsiColor>) {
    let (word, colour) = match (address.wanted, address.present) {
        (true, Some(true)) => ("present", Some(AnsiColor::Green)),
        (true, Some(false)) => ("MISSING", Some(AnsiColor::Red)),
        (false, Some(true)) => ("present, though not held here", Some(AnsiColor::Yellow)),
        (false, Some(false)) => ("not here", None),
        (true, None) => ("held", None),
        (false, None) => ("not held", None),
    };
    let mut text = address.address.clone();
    if let Some(interface) = &address.interface {
        let _ = write!(text, " on {interface}");
    }
    let _ = write!(text, ", {word}");
    if !address.advertised {
        text += ", not advertised";
    }
    (text, colour)
}

fn heard(peer: &Peer) -> String {
    let released = if peer.priority == 0 { " (let go)" } else { "" };
    format!(
        "{}, {} ago: priority {}{released}, version {}, checksum {}; {} adverts, {} lost",
        peer.address,
        time(peer.last_advert),
        peer.priority,
        peer.version,
        peer.checksum,
        peer.adverts,
        peer.lost
    )
}

fn found(script: &Tracker, now: f64) -> String {
    let mut text = word(script.up).to_owned();
    match &script.last {
        None => text += ", has not run yet",
        Some(Run {
            at, took, outcome, ..
        }) => {
            let _ = write!(
                text,
                "; {outcome} {} ago, after {}",
                time(now - at),
                time(*took)
            );
        }
    }
    text
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}

/// A length of time as people say it.
fn time(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let whole = |unit: f64| (seconds / unit).floor();
    let rest = |unit: f64, below: f64| ((seconds % unit) / below).floor();
    if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if seconds < 3600.0 {
        format!("{} min {} s", whole(60.0), rest(60.0, 1.0))
    } else if seconds < 86_400.0 {
        format!("{} h {} min", whole(3600.0), rest(3600.0, 60.0))
    } else {
        format!("{} d {} h", whole(86_400.0), rest(86_400.0, 3600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_two_units_at_most() {
        let cases = [
            (0.0, "0 ms"),
            (0.012, "12 ms"),
            (0.5, "0.5 s"),
            (59.0, "59.0 s"),
            (60.0, "1 min 0 s"),
            (3_725.0, "1 h 2 min"),
            (90_000.0, "1 d 1 h"),
            (-1.0, "0 ms"),
        ];
        for (seconds, said) in cases {
            assert_eq!(time(seconds), said);
        }
    }

    #[test]
    fn no_line_is_longer_than_the_width_and_no_word_is_lost() {
        let text = "one two three four fünfundzwanzig five";
        let lines = folded(text, 10);
        assert!(lines.iter().all(|l| l.chars().count() <= 10), "{lines:?}");
        let squeezed = |s: &str| s.replace([' ', '\n'], "");
        assert_eq!(squeezed(&lines.join("\n")), squeezed(text));
    }

    #[test]
    fn a_priority_shows_its_sum() {
        let part = |weight, points, up| Part {
            kind: "script".to_owned(),
            name: "chk".to_owned(),
            weight,
            reverse: false,
            up,
            value: None,
            points,
        };
        let priority = |effective, total, parts| Priority {
            base: 100,
            effective,
            total,
            parts,
        };
        assert_eq!(sum(&priority(100, 100, vec![])), "100");
        let parts = vec![part(5, 5, Some(true)), part(-20, -20, Some(false))];
        assert_eq!(
            sum(&priority(85, 85, parts)),
            "85 = 100 + 5 (script chk up) - 20 (script chk down)"
        );
        let parts = vec![part(-150, -150, Some(false)), part(0, 0, None)];
        assert_eq!(
            sum(&priority(1, -50, parts)),
            "1 = 100 - 150 (script chk down) (the sum is -50); needs script chk not known yet"
        );
    }
}
