//! Where log lines go. They are written by a thread of their own: nobody waits for a disk.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Where syslog listens.
const SYSLOG: &str = "/dev/log";
/// Name under which keepalived's VRRP process logs, and monitoring looks for its lines.
const IDENT: &str = "Keepalived_vrrp";
/// Facility `daemon`.
const DAEMON: u8 = 3;
/// Variable that sets the level by module, such as `vipd=trace`.
const VARIABLE: &str = "VIPD_LOG";

/// Where lines go; to the console if nothing else is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sinks {
    pub console: bool,
    pub syslog: bool,
    /// Syslog facility; `daemon` when `None`.
    pub facility: Option<u8>,
    pub file: Option<PathBuf>,
    /// Tells daemons of one host apart: namespace and instance.
    pub marks: Vec<String>,
}

/// Starts to log. Lines still waiting are written when the guards are dropped.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn start(sinks: &Sinks, detail: u8) -> io::Result<Vec<WorkerGuard>> {
    let level = match detail {
        0 | 1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let mut guards = Vec::new();
    let socket = sinks.syslog.then(syslog).flatten();
    let file = sinks.file.as_deref().map(open).transpose()?;
    let alone = socket.is_none() && file.is_none();
    let socket = socket.map(|socket| {
        let (writer, guard) = tracing_appender::non_blocking(Syslog(socket));
        guards.push(guard);
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .event_format(SyslogFormat::new(sinks))
            .with_writer(writer)
    });
    let file = file.map(|file| {
        let (writer, guard) = tracing_appender::non_blocking(file);
        guards.push(guard);
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_target(false)
            .with_writer(writer)
    });
    let console = (sinks.console || alone).then(|| {
        let (writer, guard) = tracing_appender::non_blocking(io::stderr());
        guards.push(guard);
        tracing_subscriber::fmt::layer()
            .with_ansi(super::render::colours(&io::stderr()))
            .with_target(false)
            .with_writer(writer)
    });
    tracing_subscriber::registry()
        .with(filter)
        .with(socket)
        .with(file)
        .with(console)
        .init();
    Ok(guards)
}

fn syslog() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(SYSLOG).ok()?;
    Some(socket)
}

/// Lines are added at the end; somebody else's link in `/tmp` is not followed.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.append(true).create(true).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Sends each line as one datagram.
struct Syslog(UnixDatagram);

impl Write for Syslog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A daemon must not fail because syslog restarts.
        if self.0.send(line).is_err() {
            let _ = self.0.connect(SYSLOG).and_then(|()| self.0.send(line));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct SyslogFormat {
    ident: String,
    facility: u8,
}

impl SyslogFormat {
    fn new(sinks: &Sinks) -> Self {
        let mut ident = IDENT.to_owned();
        for mark in &sinks.marks {
            ident.push('_');
            ident += mark;
        }
        Self {
            ident,
            facility: sinks.facility.unwrap_or(DAEMON),
        }
    }
}

impl<S, N> FormatEvent<S, N> for SyslogFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let severity = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(
            writer,
            "<{}>{}[{}]: ",
            self.facility * 8 + severity,
            self.ident,
            std::process::id()
        )?;
        context.field_format().format_fields(writer.by_ref(), event)
    }
}
