//! keepalived's own command line. keepalived-cli.md §1.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use vipd::config::c_number;

/// One option of keepalived's.
struct Flag {
    short: Option<char>,
    long: &'static str,
    takes: Takes,
    set: Set,
    help: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// A value, called so in the help.
    Value(&'static str),
    /// Only attached: `-tFILE`, `--config-test=FILE`.
    Attached(&'static str),
}

#[derive(Clone, Copy)]
enum Set {
    Switch(fn(&mut Flags)),
    Value(fn(&mut Flags, OsString)),
    Attached(fn(&mut Flags, Option<OsString>)),
    /// Known, harmless and without effect here: why.
    NoEffect(&'static str),
    /// The same, of special builds of keepalived: its name cannot be shortened.
    Special(&'static str),
    /// Known, and refused rather than done wrongly: why.
    Refused(&'static str),
}

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub file: Option<PathBuf>,
    pub foreground: bool,
    pub console: bool,
    /// Times that `-D` was given.
    pub detail: u8,
    pub no_syslog: bool,
    /// Syslog facility, 0–23; `daemon` when `None`.
    pub facility: Option<u8>,
    /// `-g`, with its file.
    pub log_file: Option<Option<PathBuf>>,
    pub umask: Option<u32>,
    pub leave_addresses: bool,
    pub dump: bool,
    pub log_addresses: bool,
    pub namespace: Option<String>,
    pub core_dump: bool,
    pub check_includes: bool,
    pub pid: Option<PathBuf>,
    pub vrrp_pid: Option<PathBuf>,
    pub config_id: Option<String>,
    pub ignore_interrupt: bool,
    /// `-t`, with the file that gets the messages.
    pub test: Option<Option<PathBuf>>,
    pub signal_name: Option<String>,
    pub version: bool,
    pub help: bool,
    /// Options without effect, to be mentioned once.
    pub notes: Vec<String>,
    /// Values that are ignored, each with whether `-t` counts it as a mistake.
    pub complaints: Vec<(String, bool)>,
    /// What cannot be run; a test of the configuration does not mind.
    pub refusals: Vec<String>,
    pub extra: Vec<String>,
}

const ONE_PROCESS: &str = "vipd is one process";
const NO_LVS: &str = "LVS is not active yet";
const NO_BFD: &str = "BFD is not active yet";
const NO_SNMP: &str = "SNMP is not active yet";
const OWN_LOGS: &str = "-D and VIPD_LOG say how much is logged";

const fn flag(short: char, long: &'static str, takes: Takes, set: Set, help: &'static str) -> Flag {
    Flag {
        short: Some(short),
        long,
        takes,
        set,
        help,
    }
}

const fn long_only(long: &'static str, takes: Takes, set: Set, help: &'static str) -> Flag {
    Flag {
        short: None,
        long,
        takes,
        set,
        help,
    }
}

fn path(value: OsString) -> Option<PathBuf> {
    Some(PathBuf::from(value))
}

fn text(value: &OsStr) -> Option<String> {
    Some(value.to_string_lossy().into_owned())
}

#[rustfmt::skip]
const FLAGS: &[Flag] = &[
    flag('f', "use-file", Takes::Value("FILE"), Set::Value(|f, v| f.file = path(v)), "read this configuration"),
    flag('P', "vrrp", Takes::Nothing, Set::NoEffect(NO_LVS), "VRRP without health checks"),
    flag('C', "check", Takes::Nothing, Set::Refused(NO_LVS), "health checks without VRRP"),
    flag('B', "no_bfd", Takes::Nothing, Set::NoEffect(NO_BFD), "no BFD"),
    long_only("all", Takes::Nothing, Set::NoEffect(ONE_PROCESS), "start every process"),
    flag('l', "log-console", Takes::Nothing, Set::Switch(|f| f.console = true), "log to the standard error too"),
    flag('D', "log-detail", Takes::Nothing, Set::Switch(|f| f.detail = f.detail.saturating_add(1)), "log more; twice: still more"),
    flag('S', "log-facility", Takes::Value("FACILITY"), Set::Value(|f, v| f.set_facility(&v)), "syslog facility: 0 to 7 or local0 to local7, user, daemon"),
    flag('g', "log-file", Takes::Attached("FILE"), Set::Attached(|f, v| f.log_file = Some(v.and_then(path))), "log to a file too; default keepalived.log in TMPDIR or /tmp"),
    long_only("flush-log-file", Takes::Nothing, Set::NoEffect("every line is written at once"), "write each line to the log file at once"),
    flag('G', "no-syslog", Takes::Nothing, Set::Switch(|f| f.no_syslog = true), "do not log to syslog"),
    flag('u', "umask", Takes::Value("MASK"), Set::Value(|f, v| f.set_umask(&v)), "mode bits that files do not get; wins over the file's umask"),
    flag('X', "release-vips", Takes::Nothing, Set::NoEffect("addresses are removed at a stop anyway"), "remove addresses at a stop"),
    flag('V', "dont-release-vrrp", Takes::Nothing, Set::Switch(|f| f.leave_addresses = true), "leave addresses in place at a stop"),
    flag('I', "dont-release-ipvs", Takes::Nothing, Set::NoEffect(NO_LVS), "leave IPVS in place at a stop"),
    flag('R', "dont-respawn", Takes::Nothing, Set::NoEffect(ONE_PROCESS), "end when a process ends"),
    flag('n', "dont-fork", Takes::Nothing, Set::Switch(|f| f.foreground = true), "stay in the foreground"),
    flag('d', "dump-conf", Takes::Nothing, Set::Switch(|f| f.dump = true), "log the configuration, without its secrets"),
    flag('p', "pid", Takes::Value("FILE"), Set::Value(|f, v| f.pid = path(v)), "pid file"),
    flag('r', "vrrp_pid", Takes::Value("FILE"), Set::Value(|f, v| f.vrrp_pid = path(v)), "pid file of VRRP, which is the same process"),
    flag('c', "checkers_pid", Takes::Value("FILE"), Set::NoEffect(NO_LVS), "pid file of health checks"),
    flag('b', "bfd_pid", Takes::Value("FILE"), Set::NoEffect(NO_BFD), "pid file of BFD"),
    flag('T', "genhash", Takes::Nothing, Set::Refused(NO_LVS), "print the MD5 sum of a web page"),
    flag('a', "address-monitoring", Takes::Nothing, Set::Switch(|f| f.log_addresses = true), "log every change of an address"),
    flag('x', "snmp", Takes::Nothing, Set::NoEffect(NO_SNMP), "serve SNMP"),
    flag('A', "snmp-agent-socket", Takes::Value("ADDRESS"), Set::NoEffect(NO_SNMP), "where the SNMP master agent is"),
    flag('s', "namespace", Takes::Value("NAME"), Set::Value(|f, v| f.namespace = text(&v)), "join this network namespace; wins over net_namespace"),
    flag('m', "core-dump", Takes::Nothing, Set::Switch(|f| f.core_dump = true), "write an image after a crash"),
    flag('M', "core-dump-pattern", Takes::Attached("PATTERN"), Set::Attached(|f, v| f.set_core_pattern(v.as_deref())), "the same; the pattern stays the host's"),
    flag('e', "all-config", Takes::Nothing, Set::Switch(|f| f.check_includes = true), "a file that an include does not find is an error"),
    flag('i', "config-id", Takes::Value("ID"), Set::Value(|f, v| f.config_id = text(&v)), "what @ID means in the file; default the host name up to its first dot"),
    long_only("signum", Takes::Value("NAME"), Set::Value(|f, v| f.signal_name = text(&v)), "print the number of STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON"),
    flag('t', "config-test", Takes::Attached("FILE"), Set::Attached(|f, v| f.test = Some(v.and_then(path))), "say what is wrong in the configuration, on the standard error or at the end of a file"),
    long_only("config-fd", Takes::Value("FD"), Set::NoEffect("keepalived's own business"), "used by keepalived alone"),
    long_only("ignore-sigint", Takes::Nothing, Set::Switch(|f| f.ignore_interrupt = true), "SIGINT does not stop"),
    long_only("perf", Takes::Attached("WHEN"), Set::Special("use perf(1)"), "profiling"),
    long_only("debug", Takes::Attached("LETTERS"), Set::Special(OWN_LOGS), "debugging"),
    long_only("no-mem-check", Takes::Nothing, Set::Special("memory is checked by the compiler"), "debugging of memory"),
    flag('L', "mem-check-log", Takes::Nothing, Set::Special("memory is checked by the compiler"), "debugging of memory"),
    flag('O', "openssl-mem-check", Takes::Nothing, Set::Special("memory is checked by the compiler"), "debugging of memory"),
    flag('v', "version", Takes::Nothing, Set::Switch(|f| f.version = true), "print the version"),
    flag('h', "help", Takes::Nothing, Set::Switch(|f| f.help = true), "print this"),
];

impl Flags {
    /// A facility by keepalived's words for it: 0 to 7 are the local ones.
    fn set_facility(&mut self, value: &OsStr) {
        let word = value.to_string_lossy();
        let local = word.strip_prefix("local").unwrap_or(&word);
        let found = match (&*word, local.parse::<u8>()) {
            ("user", _) => Some(1),
            ("daemon", _) => Some(3),
            (_, Ok(number @ 0..=7)) => Some(16 + number),
            _ => None,
        };
        match found {
            Some(facility) => self.facility = Some(facility),
            None => {
                let message = format!("`{word}` is no log facility: daemon is used");
                self.complaints.push((message, true));
            }
        }
    }

    fn set_umask(&mut self, value: &OsStr) {
        let word = value.to_string_lossy();
        match c_number(&word).filter(|mask| *mask <= 0o777) {
            Some(mask) => self.umask = Some(mask),
            None => {
                let message = format!("`{word}` is no file mode for --umask: it is ignored");
                self.complaints.push((message, false));
            }
        }
    }

    fn set_core_pattern(&mut self, pattern: Option<&OsStr>) {
        self.core_dump = true;
        let pattern = pattern.map_or("core".into(), OsStr::to_string_lossy);
        self.notes.push(format!(
            "the pattern of core dumps is the host's: `sysctl kernel.core_pattern={pattern}` sets it"
        ));
    }
}

/// Reads keepalived's options as getopt_long does: grouped, attached, shortened, mixed with
/// words.
///
/// # Errors
/// One line for each option that is unknown, ambiguous or lacks its value.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Flags, Vec<String>> {
    let mut flags = Flags::default();
    let mut errors = Vec::new();
    let mut parser = lexopt::Parser::from_args(arguments);
    loop {
        let found = match parser.next() {
            Ok(None) => break,
            Ok(Some(lexopt::Arg::Value(word))) => {
                flags.extra.push(word.to_string_lossy().into_owned());
                continue;
            }
            Ok(Some(lexopt::Arg::Short(short))) => by_short(short),
            Ok(Some(lexopt::Arg::Long(long))) => by_long(long),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = found.and_then(|flag| apply(flag, &mut parser, &mut flags)) {
            errors.push(error);
        }
    }
    if errors.is_empty() {
        Ok(flags)
    } else {
        Err(errors)
    }
}

fn by_short(short: char) -> Result<&'static Flag, String> {
    let found = FLAGS.iter().find(|flag| flag.short == Some(short));
    found.ok_or_else(|| format!("invalid option -- '{short}'"))
}

/// A long name may be shortened while it stays unique.
fn by_long(long: &str) -> Result<&'static Flag, String> {
    if let Some(exact) = FLAGS.iter().find(|flag| flag.long == long) {
        return Ok(exact);
    }
    let whole = |flag: &&Flag| flag.long.starts_with(long) && !matches!(flag.set, Set::Special(_));
    let mut candidates = FLAGS.iter().filter(whole);
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("unrecognized option '--{long}'")),
        (Some(_), Some(_)) => Err(format!("option '--{long}' is ambiguous")),
    }
}

fn apply(flag: &Flag, parser: &mut lexopt::Parser, flags: &mut Flags) -> Result<(), String> {
    let (required, attached) = match flag.takes {
        Takes::Nothing => (None, None),
        Takes::Value(_) => (Some(parser.value().map_err(|_| missing(flag))?), None),
        Takes::Attached(_) => (None, parser.optional_value()),
    };
    match (flag.set, required) {
        (Set::Switch(set), _) => set(flags),
        (Set::Value(set), Some(value)) => set(flags, value),
        (Set::Value(_), None) => return Err(missing(flag)),
        (Set::Attached(set), _) => set(flags, attached),
        (Set::NoEffect(why) | Set::Special(why), _) => {
            flags
                .notes
                .push(format!("--{} has no effect: {why}", flag.long));
        }
        (Set::Refused(why), _) => {
            let refusal = format!("--{} is not possible: {why}", flag.long);
            flags.refusals.push(refusal);
        }
    }
    Ok(())
}

fn missing(flag: &Flag) -> String {
    format!("option '--{}' requires an argument", flag.long)
}

/// The number of a signal by keepalived's word for it. keepalived: `--signum`.
pub(crate) fn signal_number(word: &str) -> Option<i32> {
    match word {
        "STOP" => Some(libc::SIGTERM),
        "RELOAD" => Some(libc::SIGHUP),
        "DATA" => Some(libc::SIGUSR1),
        "STATS" => Some(libc::SIGUSR2),
        "STATS_CLEAR" => Some(libc::SIGRTMAX() - 1),
        "JSON" => Some(libc::SIGRTMIN() + 2),
        _ => None,
    }
}

/// What `-h` prints.
pub(crate) fn help(program: &str) -> String {
    let mut text = format!("Usage: {program} [OPTION...]\n");
    for flag in FLAGS {
        let short = flag
            .short
            .map_or_else(|| "    ".to_owned(), |s| format!("-{s}, "));
        let value = match flag.takes {
            Takes::Nothing => String::new(),
            Takes::Value(name) => format!("={name}"),
            Takes::Attached(name) => format!("[={name}]"),
        };
        let name = format!("--{}{value}", flag.long);
        text += &format!("  {short}{name:<29} {}\n", help_of(flag));
    }
    text.push_str("\nvipd's own commands: vipd run, demo, check, convert; see vipd --help\n");
    text
}

fn help_of(flag: &Flag) -> String {
    match flag.set {
        Set::Switch(_) | Set::Value(_) | Set::Attached(_) => flag.help.to_owned(),
        Set::NoEffect(why) | Set::Special(why) => format!("{} (no effect: {why})", flag.help),
        Set::Refused(why) => format!("{} (refused: {why})", flag.help),
    }
}

/// keepalived's command line for what describes command lines: manual page and completion.
pub(crate) fn command() -> clap::Command {
    let arguments = FLAGS.iter().map(|flag| {
        let argument = clap::Arg::new(flag.long)
            .long(flag.long)
            .help(help_of(flag));
        let argument = match flag.short {
            Some(short) => argument.short(short),
            None => argument,
        };
        match flag.takes {
            Takes::Nothing => argument.action(clap::ArgAction::SetTrue),
            Takes::Value(name) => argument.value_name(name).value_hint(hint(name)),
            Takes::Attached(name) => argument
                .value_name(name)
                .value_hint(hint(name))
                .num_args(0..=1)
                .require_equals(true),
        }
    });
    clap::Command::new("keepalived")
        .about("keepalived's command line, as vipd takes it")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(arguments)
}

fn hint(value: &str) -> clap::ValueHint {
    if value == "FILE" {
        clap::ValueHint::FilePath
    } else {
        clap::ValueHint::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Flags, Vec<String>> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_may_be_grouped_attached_and_shortened() {
        let flags = read("-nlDD -f/etc/k.conf --pid=/run/a --vrrp_p /run/b -i id").unwrap();
        assert!(flags.foreground && flags.console);
        assert_eq!(flags.detail, 2);
        assert_eq!(flags.file, Some("/etc/k.conf".into()));
        assert_eq!(flags.pid, Some("/run/a".into()));
        assert_eq!(flags.vrrp_pid, Some("/run/b".into()));
        assert_eq!(flags.config_id.as_deref(), Some("id"));
    }

    #[test]
    fn the_file_of_a_test_must_be_attached() {
        assert_eq!(read("-t").unwrap().test, Some(None));
        assert_eq!(read("-t/tmp/x").unwrap().test, Some(Some("/tmp/x".into())));
        assert_eq!(
            read("--config-test=/tmp/x").unwrap().test,
            Some(Some("/tmp/x".into()))
        );
        let separate = read("-t /tmp/x").unwrap();
        assert_eq!(
            (separate.test, separate.extra),
            (Some(None), vec!["/tmp/x".to_owned()])
        );
    }

    #[test]
    fn a_value_that_means_nothing_is_a_complaint() {
        for (line, facility) in [("-S7", 23), ("-S local1", 17), ("-S user", 1)] {
            assert_eq!(read(line).unwrap().facility, Some(facility));
        }
        let flags = read("-S local8 -u 999").unwrap();
        let counted: Vec<_> = flags.complaints.iter().map(|(_, counts)| *counts).collect();
        assert_eq!(counted, [true, false]);
        assert_eq!(read("-u 0x12").unwrap().umask, Some(0o22));
    }

    #[test]
    fn options_of_special_builds_do_not_make_others_ambiguous() {
        assert_eq!(read("--p /run/a").unwrap().pid, Some("/run/a".into()));
        assert_eq!(read("--perf=all --debug -L").unwrap().notes.len(), 3);
    }

    #[test]
    fn every_option_is_described_to_the_shell() {
        command().debug_assert();
    }

    #[test]
    fn every_mistake_is_reported() {
        let errors = read("-Z --nonsense --log -f").unwrap_err();
        assert_eq!(
            errors,
            [
                "invalid option -- 'Z'",
                "unrecognized option '--nonsense'",
                "option '--log' is ambiguous",
                "option '--use-file' requires an argument",
            ]
        );
    }

    #[test]
    fn signals_have_keepaliveds_numbers() {
        assert_eq!(signal_number("JSON"), Some(36));
        assert_eq!(signal_number("STATS_CLEAR"), Some(63));
        assert_eq!(signal_number("nothing"), None);
    }
}
