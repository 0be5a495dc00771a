//! The control socket: requests of root, on their way to the daemon.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use crate::control::request::{self, LONGEST_REQUEST, Reply, Request};
use crate::sys::process::Identity;

/// Longest wait for a request, and for its answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most requests that wait.
const WAITING: usize = 16;

/// A request, and where its answer goes.
pub(super) struct Order {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// Requests as they come; the socket goes away with this value.
#[derive(Debug)]
pub(super) struct Orders {
    received: mpsc::Receiver<Order>,
    /// Keeps the channel open where there is no socket.
    _open: mpsc::Sender<Order>,
    path: Option<PathBuf>,
}

impl Orders {
    /// Listens in `folder`. Without a socket there are no requests, which is logged.
    pub(super) fn listen(folder: &Path) -> Self {
        let (send, received) = mpsc::channel(WAITING);
        let path = folder.join(request::socket_name(std::process::id()));
        let path = match bind(folder, &path) {
            Ok(listener) => {
                tokio::spawn(accept(listener, send.clone()));
                Some(path)
            }
            Err(error) => {
                tracing::warn!("no requests are taken at {}: {error}", path.display());
                None
            }
        };
        Self {
            received,
            _open: send,
            path,
        }
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Option<Order> {
        self.received.recv().await
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

fn bind(folder: &Path, path: &Path) -> io::Result<UnixListener> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    remove_orphans(folder);
    // A crashed daemon may have had our number.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes sockets at which nobody listens any more.
fn remove_orphans(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_socket = name.to_str().and_then(request::socket_pid).is_some();
        let refused = |e: io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
        if is_socket && Probe::connect(entry.path()).is_err_and(refused) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

async fn accept(listener: UnixListener, to: mpsc::Sender<Order>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_allowed(&stream) => {
                tokio::spawn(serve(stream, to.clone()));
            }
            Ok(_) => tracing::warn!("a request of somebody who is not root is refused"),
            Err(error) => {
                // Out of descriptors: it may pass.
                tracing::warn!("a request was lost: {error}");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

/// Root, and whoever runs the daemon. The mode of the socket says so too, but only since it was
/// set.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = Identity::own().uid;
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn serve(mut stream: UnixStream, to: mpsc::Sender<Order>) {
    let reply = match tokio::time::timeout(PATIENCE, read(&mut stream)).await {
        Ok(Ok(request)) => ask(request, &to).await,
        Ok(Err(error)) => failed(format!("the request cannot be read: {error}")),
        Err(_) => return,
    };
    let Ok(mut line) = serde_json::to_vec(&reply) else {
        return;
    };
    line.push(b'\n');
    // Whoever asked may have gone.
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(&line)).await;
}

async fn read(stream: &mut UnixStream) -> io::Result<Request> {
    let mut line = Vec::new();
    let mut from = BufReader::new(stream.take(LONGEST_REQUEST));
    from.read_until(b'\n', &mut line).await?;
    serde_json::from_slice(&line).map_err(io::Error::from)
}

async fn ask(request: Request, to: &mpsc::Sender<Order>) -> Reply {
    let (reply, answer) = oneshot::channel();
    let ends = || failed("the daemon ends".to_owned());
    if to.send(Order { request, reply }).await.is_err() {
        return ends();
    }
    answer.await.unwrap_or_else(|_| ends())
}

fn failed(reason: String) -> Reply {
    Reply::Failed { reason }
}
