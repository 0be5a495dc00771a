//! `vipd status`: how everything stands, for people and for programs.

mod page;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use vipd::control::request::Reply;
use vipd::control::status::{Grade, Instance, Status as Seen};

use super::ask;
use super::render::colours;

/// Exit statuses, as monitoring knows them.
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;
const UNKNOWN: u8 = 3;
/// Time between two looks of `--watch`.
const PERIOD: Duration = Duration::from_secs(1);
/// To the upper left corner of the screen.
const HOME: &str = "\u{1b}[H";
/// Empty from here to the end of the line, and of the screen.
const REST_OF_LINE: &str = "\u{1b}[K";
const REST_OF_SCREEN: &str = "\u{1b}[J";

/// Show the virtual routers of this host: who is active and why, peers, trackers and addresses.
///
/// Every daemon that runs here is asked. Only root may ask.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if all is well, 1 if something that is tracked is down or has no \
                        result yet, 2 if an instance does not run, an address is missing or a \
                        daemon is stuck, 3 if there is no daemon to ask, or none that may be asked."
)]
pub(crate) struct Status {
    /// Only this virtual router, by its name in the file
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Look again every second, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// Process number of the daemon, if only one of several is to be asked
    #[arg(short, long, value_name = "PID")]
    pid: Option<u32>,
}

/// What came of asking everybody.
#[derive(Debug, Default, Serialize)]
struct Answers {
    daemons: Vec<Seen>,
    #[serde(skip)]
    problems: Vec<Problem>,
}

/// Why there is no answer.
#[derive(Debug)]
struct Problem {
    text: String,
    exit: u8,
}

impl Status {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        if self.watch {
            return self.watch();
        }
        let answers = self.ask();
        let mut out = io::stdout().lock();
        out.write_all(self.show(&answers, colours(&out)).as_bytes())?;
        for problem in &answers.problems {
            writeln!(io::stderr(), "vipd: {}", problem.text)?;
        }
        Ok(ExitCode::from(answers.exit()))
    }

    /// Asks every daemon, or the one that was chosen.
    fn ask(&self) -> Answers {
        let daemons = match self.pid {
            None => ask::daemons(),
            Some(_) => ask::only(ask::daemons(), self.pid).map(|only| vec![only]),
        };
        let daemons = match daemons {
            Ok(daemons) if daemons.is_empty() => return Answers::unknown(ask::nobody()),
            Ok(daemons) => daemons,
            Err(why) => return Answers::unknown(why),
        };
        let mut answers = Answers::default();
        for daemon in daemons {
            match look(&daemon) {
                Ok(seen) => answers.daemons.push(seen),
                Err(problem) => answers.problems.push(problem),
            }
        }
        self.narrow(&mut answers);
        answers
    }

    /// Leaves out what was not asked for.
    fn narrow(&self, answers: &mut Answers) {
        let Some(wanted) = &self.instance else { return };
        let all = answers.daemons.iter().flat_map(|seen| &seen.instances);
        let all: Vec<_> = all.map(|i| i.name.clone()).collect();
        if !all.contains(wanted) && answers.problems.is_empty() {
            *answers = Answers::unknown(format!(
                "there is no instance {wanted}; there is {}",
                all.join(", ")
            ));
            return;
        }
        for seen in &mut answers.daemons {
            seen.instances.retain(|i| i.name == *wanted);
            seen.groups.retain(|g| g.members.contains(wanted));
            let parts = seen.instances.iter().flat_map(|i| &i.priority.parts);
            let tracked: Vec<_> = parts.map(|p| (&p.kind, &p.name)).collect();
            seen.trackers
                .retain(|t| tracked.contains(&(&t.kind, &t.name)));
        }
        answers.daemons.retain(|seen| !seen.instances.is_empty());
    }

    fn show(&self, answers: &Answers, coloured: bool) -> String {
        if self.json {
            // Plain data with string keys: it has a form in JSON.
            let mut text = match self.watch {
                true => serde_json::to_string(answers),
                false => serde_json::to_string_pretty(answers),
            }
            .unwrap_or_default();
            text.push('\n');
            return text;
        }
        let pages = answers.daemons.iter();
        let pages: Vec<_> = pages.map(|seen| page::page(seen, coloured)).collect();
        pages.join("\n")
    }

    /// Shows it again and again; a daemon that goes away may come back.
    fn watch(&self) -> io::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        let in_place = io::stdout().is_terminal() && !self.json;
        let mut first = true;
        loop {
            let answers = self.ask();
            let written = self.draw(&answers, in_place, first);
            first = false;
            match written {
                // Whoever read it has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                other => other?,
            }
            let pause = async {
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => true,
                    _ = interrupt.recv() => false,
                    _ = terminate.recv() => false,
                }
            };
            if !runtime.block_on(pause) {
                break;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn draw(&self, answers: &Answers, in_place: bool, first: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let mut text = self.show(answers, colours(&out));
        if !self.json {
            for problem in &answers.problems {
                text += &format!("vipd: {}\n", problem.text);
            }
        }
        if in_place {
            let clear = if first { REST_OF_SCREEN } else { "" };
            write!(out, "{HOME}{clear}")?;
            let height = terminal_size::terminal_size().map_or(24, |(_, rows)| rows.0);
            write!(out, "{}{REST_OF_SCREEN}", fitted(&text, height.into()))?;
        } else if !self.json && !first {
            write!(out, "\n{text}")?;
        } else {
            write!(out, "{text}")?;
        }
        out.flush()
    }
}

/// As much of `text` as a screen of `height` lines has room for.
fn fitted(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    // The cursor needs a line.
    let room = height.saturating_sub(1).max(1);
    let shown = if lines.len() > room {
        room - 1
    } else {
        lines.len()
    };
    let mut screen: String = lines
        .iter()
        .take(shown)
        .map(|line| format!("{line}{REST_OF_LINE}\n"))
        .collect();
    if shown < lines.len() {
        let more = lines.len() - shown;
        screen += &format!("({more} more lines){REST_OF_LINE}\n");
    }
    screen
}

impl Answers {
    fn unknown(text: String) -> Self {
        Self {
            daemons: Vec::new(),
            problems: vec![Problem {
                text,
                exit: UNKNOWN,
            }],
        }
    }

    fn exit(&self) -> u8 {
        let instances = self.daemons.iter().flat_map(|seen| &seen.instances);
        let grade = match instances.map(Instance::grade).max() {
            None | Some(Grade::Well) => 0,
            Some(Grade::Warning) => WARNING,
            Some(Grade::Critical) => CRITICAL,
        };
        let problems = self.problems.iter().map(|p| p.exit);
        // That something is known to be bad weighs more than that something is not known.
        match problems.max() {
            Some(UNKNOWN) if grade == CRITICAL => CRITICAL,
            Some(problem) => problem.max(grade),
            None => grade,
        }
    }
}

/// Asks one daemon.
fn look(daemon: &ask::Daemon) -> Result<Seen, Problem> {
    let socket = daemon.socket.display();
    let unknown = |text: String| Problem {
        text,
        exit: UNKNOWN,
    };
    let answer = ask::exchange(&daemon.socket, "GET", "/v1/status", Vec::new());
    let (status, body) = answer.map_err(|error| {
        unknown(if error.kind() == io::ErrorKind::PermissionDenied {
            format!("{socket} is for root alone: use sudo")
        } else {
            format!("{socket} gives no answer: {error}")
        })
    })?;
    if status == StatusCode::OK {
        return serde_json::from_slice(&body)
            .map_err(|error| unknown(format!("{socket} answers strangely: {error}")));
    }
    let reason = match serde_json::from_slice(&body) {
        Ok(Reply::Failed { reason }) => reason,
        Ok(Reply::Reloaded(_) | Reply::Planned(_) | Reply::Refused { .. }) | Err(_) => {
            format!("answers with {status}")
        }
    };
    Err(Problem {
        text: format!("process {}: {reason}", daemon.pid),
        exit: CRITICAL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_too_long_for_the_screen_is_cut_and_says_so() {
        let lines = |text: &str| text.matches('\n').count();
        assert_eq!(lines(&fitted("a\nb\n", 24)), 2);
        let cut = fitted("a\nb\nc\nd\n", 4);
        assert_eq!(lines(&cut), 3);
        assert!(cut.contains("(2 more lines)"), "{cut}");
        assert_eq!(lines(&fitted("a\nb\n", 0)), 1);
    }

    #[test]
    fn what_is_bad_weighs_more_than_what_is_not_known() {
        let unknown = Answers::unknown(String::new());
        assert_eq!(unknown.exit(), UNKNOWN);
        assert_eq!(Answers::default().exit(), 0);
        let stuck = Answers {
            daemons: Vec::new(),
            problems: vec![Problem {
                text: String::new(),
                exit: CRITICAL,
            }],
        };
        assert_eq!(stuck.exit(), CRITICAL);
    }
}
