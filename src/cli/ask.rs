//! Questions to the daemons of this host, over their control sockets.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use vipd::control::request::socket_pid;

use super::daemon::state_folder;

/// Longest wait for the daemon: a reload waits for devices and for the engine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer: thousands of instances fit in.
const LONGEST_ANSWER: usize = 256 << 20;

/// A daemon that listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Daemon {
    pub(crate) pid: u32,
    pub(crate) socket: PathBuf,
}

/// All daemons that listen on this host; or why nobody can tell.
pub(crate) fn daemons() -> Result<Vec<Daemon>, String> {
    listening_in(&state_folder(&[]))
}

/// The one with `pid`, or the only one.
pub(crate) fn only(
    daemons: Result<Vec<Daemon>, String>,
    pid: Option<u32>,
) -> Result<Daemon, String> {
    let mut all = daemons?;
    all.retain(|daemon| pid.is_none_or(|pid| pid == daemon.pid));
    match all.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(match pid {
            Some(pid) => format!("no daemon listens with the process number {pid}"),
            None => nobody(),
        }),
        several => {
            let pids: Vec<_> = several.iter().map(|d| d.pid.to_string()).collect();
            let pids = pids.join(", ");
            Err(format!("several daemons run: say which by --pid ({pids})"))
        }
    }
}

/// What to say where nobody listens.
pub(crate) fn nobody() -> String {
    format!("no daemon listens in {}", state_folder(&[]).display())
}

fn listening_in(folder: &Path) -> Result<Vec<Daemon>, String> {
    let entries = fs::read_dir(folder);
    let entries = entries.map_err(|error| {
        let folder = folder.display();
        if error.kind() == io::ErrorKind::NotFound {
            format!("no daemon runs: there is no {folder}")
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            format!("{folder} is for root alone: use sudo")
        } else {
            format!("{folder} cannot be read: {error}")
        }
    })?;
    // Daemons of another namespace or instance have a folder of their own in there.
    let entries: Vec<_> = entries.flatten().collect();
    let below = entries.iter().filter_map(|e| fs::read_dir(e.path()).ok());
    let below: Vec<_> = below.flatten().flatten().collect();
    let sockets = entries.iter().chain(&below).filter_map(|entry| {
        let pid = socket_pid(entry.file_name().to_str()?)?;
        let socket = entry.path();
        // A daemon that crashed leaves its socket behind.
        let refused = |e: io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
        let is_orphan = Probe::connect(&socket).is_err_and(refused);
        (!is_orphan).then_some(Daemon { pid, socket })
    });
    let mut daemons: Vec<_> = sockets.collect();
    daemons.sort();
    Ok(daemons)
}

/// Status and body of the answer to one request with a body in JSON.
pub(crate) fn exchange(
    socket: &Path,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> io::Result<(StatusCode, Bytes)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answer = tokio::time::timeout(PATIENCE, ask(socket, method, path, body));
        answer.await.map_err(|_| io::ErrorKind::TimedOut)?
    })
}

async fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> io::Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "vipd")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER);
    let body = body.collect().await.map_err(io::Error::other)?;
    Ok((status, body.to_bytes()))
}
