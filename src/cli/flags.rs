//! keepalived's own command line. keepalived-cli.md §1.

use std::ffi::OsString;
use std::path::PathBuf;

/// One option of keepalived's.
struct Flag {
    short: Option<char>,
    long: &'static str,
    takes: Takes,
    set: Set,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// Only attached: `-tFILE`, `--config-test=FILE`.
    Attached,
}

#[derive(Clone, Copy)]
enum Set {
    Switch(fn(&mut Flags)),
    Value(fn(&mut Flags, OsString)),
    Attached(fn(&mut Flags, Option<OsString>)),
    /// Known, harmless and without effect here: why.
    NoEffect(&'static str),
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
    pub pid: Option<PathBuf>,
    pub vrrp_pid: Option<PathBuf>,
    pub checkers_pid: Option<PathBuf>,
    pub config_id: Option<String>,
    pub ignore_interrupt: bool,
    /// `-t`, with the file that gets the messages.
    pub test: Option<Option<PathBuf>>,
    pub signal_name: Option<String>,
    pub version: bool,
    pub help: bool,
    /// Options without effect, to be mentioned once.
    pub notes: Vec<String>,
    pub extra: Vec<String>,
}

const ONE_PROCESS: &str = "vipd is one process";
const NO_LVS: &str = "LVS is not active yet";

const fn flag(short: char, long: &'static str, takes: Takes, set: Set) -> Flag {
    Flag {
        short: Some(short),
        long,
        takes,
        set,
    }
}

const fn long_only(long: &'static str, takes: Takes, set: Set) -> Flag {
    Flag {
        short: None,
        long,
        takes,
        set,
    }
}

fn path(value: OsString) -> Option<PathBuf> {
    Some(PathBuf::from(value))
}

const FLAGS: &[Flag] = &[
    flag(
        'f',
        "use-file",
        Takes::Value,
        Set::Value(|f, v| f.file = path(v)),
    ),
    flag('P', "vrrp", Takes::Nothing, Set::NoEffect(NO_LVS)),
    flag('C', "check", Takes::Nothing, Set::Refused(NO_LVS)),
    flag(
        'B',
        "no_bfd",
        Takes::Nothing,
        Set::NoEffect("BFD is not active yet"),
    ),
    long_only("all", Takes::Nothing, Set::NoEffect(ONE_PROCESS)),
    flag(
        'l',
        "log-console",
        Takes::Nothing,
        Set::Switch(|f| f.console = true),
    ),
    flag(
        'D',
        "log-detail",
        Takes::Nothing,
        Set::Switch(|f| f.detail = f.detail.saturating_add(1)),
    ),
    flag(
        'S',
        "log-facility",
        Takes::Value,
        Set::NoEffect("the facility is daemon for now"),
    ),
    flag(
        'g',
        "log-file",
        Takes::Attached,
        Set::Refused("use the console or syslog for now"),
    ),
    long_only(
        "flush-log-file",
        Takes::Nothing,
        Set::NoEffect("there is no log file"),
    ),
    flag(
        'G',
        "no-syslog",
        Takes::Nothing,
        Set::Switch(|f| f.no_syslog = true),
    ),
    flag(
        'u',
        "umask",
        Takes::Value,
        Set::NoEffect("files are written with mode 600 or 644"),
    ),
    flag(
        'X',
        "release-vips",
        Takes::Nothing,
        Set::NoEffect("addresses are always released"),
    ),
    flag(
        'V',
        "dont-release-vrrp",
        Takes::Nothing,
        Set::Refused("addresses without a daemon are not left behind yet"),
    ),
    flag(
        'I',
        "dont-release-ipvs",
        Takes::Nothing,
        Set::NoEffect(NO_LVS),
    ),
    flag(
        'R',
        "dont-respawn",
        Takes::Nothing,
        Set::NoEffect(ONE_PROCESS),
    ),
    flag(
        'n',
        "dont-fork",
        Takes::Nothing,
        Set::Switch(|f| f.foreground = true),
    ),
    flag(
        'd',
        "dump-conf",
        Takes::Nothing,
        Set::NoEffect("use vipd check"),
    ),
    flag('p', "pid", Takes::Value, Set::Value(|f, v| f.pid = path(v))),
    flag(
        'r',
        "vrrp_pid",
        Takes::Value,
        Set::Value(|f, v| f.vrrp_pid = path(v)),
    ),
    flag(
        'c',
        "checkers_pid",
        Takes::Value,
        Set::Value(|f, v| f.checkers_pid = path(v)),
    ),
    flag(
        'b',
        "bfd_pid",
        Takes::Value,
        Set::NoEffect("BFD is not active yet"),
    ),
    flag('T', "genhash", Takes::Nothing, Set::Refused(NO_LVS)),
    flag(
        'a',
        "address-monitoring",
        Takes::Nothing,
        Set::NoEffect("use ip monitor"),
    ),
    flag(
        'x',
        "snmp",
        Takes::Nothing,
        Set::NoEffect("SNMP is not active yet"),
    ),
    flag(
        'A',
        "snmp-agent-socket",
        Takes::Value,
        Set::NoEffect("SNMP is not active yet"),
    ),
    flag(
        's',
        "namespace",
        Takes::Value,
        Set::Refused("use ip netns exec for now"),
    ),
    flag(
        'm',
        "core-dump",
        Takes::Nothing,
        Set::NoEffect("core dumps are the system's matter"),
    ),
    flag(
        'M',
        "core-dump-pattern",
        Takes::Attached,
        Set::NoEffect("core dumps are the system's matter"),
    ),
    flag(
        'e',
        "all-config",
        Takes::Nothing,
        Set::NoEffect("missing includes are reported anyway"),
    ),
    flag(
        'i',
        "config-id",
        Takes::Value,
        Set::Value(|f, v| {
            f.config_id = Some(v.to_string_lossy().into_owned());
        }),
    ),
    long_only(
        "signum",
        Takes::Value,
        Set::Value(|f, v| {
            f.signal_name = Some(v.to_string_lossy().into_owned());
        }),
    ),
    flag(
        't',
        "config-test",
        Takes::Attached,
        Set::Attached(|f, v| {
            f.test = Some(v.and_then(path));
        }),
    ),
    long_only(
        "ignore-sigint",
        Takes::Nothing,
        Set::Switch(|f| f.ignore_interrupt = true),
    ),
    flag(
        'v',
        "version",
        Takes::Nothing,
        Set::Switch(|f| f.version = true),
    ),
    flag('h', "help", Takes::Nothing, Set::Switch(|f| f.help = true)),
];

/// Reads keepalived's options as getopt_long does: grouped, attached, shortened, mixed with
/// words.
///
/// # Errors
/// One line for each option that is unknown, ambiguous, refused or lacks its value.
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
    let mut candidates = FLAGS.iter().filter(|flag| flag.long.starts_with(long));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("unrecognized option '--{long}'")),
        (Some(_), Some(_)) => Err(format!("option '--{long}' is ambiguous")),
    }
}

fn apply(flag: &Flag, parser: &mut lexopt::Parser, flags: &mut Flags) -> Result<(), String> {
    let (required, attached) = match flag.takes {
        Takes::Nothing => (None, None),
        Takes::Value => (Some(parser.value().map_err(|_| missing(flag))?), None),
        Takes::Attached => (None, parser.optional_value()),
    };
    match (flag.set, required) {
        (Set::Switch(set), _) => set(flags),
        (Set::Value(set), Some(value)) => set(flags, value),
        (Set::Value(_), None) => return Err(missing(flag)),
        (Set::Attached(set), _) => set(flags, attached),
        (Set::NoEffect(why), _) => {
            flags
                .notes
                .push(format!("--{} has no effect: {why}", flag.long));
        }
        (Set::Refused(why), _) => return Err(format!("--{} is not possible: {why}", flag.long)),
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
            Takes::Nothing => "",
            Takes::Value => "=VALUE",
            Takes::Attached => "[=VALUE]",
        };
        let note = match flag.set {
            Set::Switch(_) | Set::Value(_) | Set::Attached(_) => String::new(),
            Set::NoEffect(why) => format!("no effect: {why}"),
            Set::Refused(why) => format!("refused: {why}"),
        };
        let name = format!("--{}{value}", flag.long);
        text.push_str(format!("  {short}{name:<28}{note}").trim_end());
        text.push('\n');
    }
    text.push_str("\nvipd's own commands: vipd run, demo, check, convert; see vipd --help\n");
    text
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
