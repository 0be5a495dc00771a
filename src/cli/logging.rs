//! Where log lines go. They are written by a thread of their own: nobody waits for a disk.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;

use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Where syslog listens.
const SYSLOG: &str = "/dev/log";
/// Name under which keepalived's VRRP process logs, and monitoring looks for its lines.
const IDENT: &str = "Keepalived_vrrp";
/// Facility `daemon`.
const FACILITY: u8 = 3;
/// Variable that sets the level by module, such as `vipd=trace`.
const VARIABLE: &str = "VIPD_LOG";

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Console,
    Syslog,
}

/// Starts to log. Lines still waiting are written when the guard is dropped.
pub(crate) fn start(target: Target, detail: u8) -> WorkerGuard {
    let level = match detail {
        0 | 1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let (writer, guard) = match (target, UnixDatagram::unbound()) {
        (Target::Syslog, Ok(socket)) if socket.connect(SYSLOG).is_ok() => {
            let (writer, guard) = tracing_appender::non_blocking(Syslog(socket));
            let builder = tracing_subscriber::fmt().with_env_filter(filter);
            builder
                .with_ansi(false)
                .event_format(SyslogFormat)
                .with_writer(writer)
                .init();
            return guard;
        }
        _ => tracing_appender::non_blocking(io::stderr()),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    builder
        .with_ansi(super::render::colours(&io::stderr()))
        .with_writer::<NonBlocking>(writer)
        .init();
    guard
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

struct SyslogFormat;

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
            "<{}>{IDENT}[{}]: ",
            FACILITY * 8 + severity,
            std::process::id()
        )?;
        context.field_format().format_fields(writer.by_ref(), event)
    }
}
