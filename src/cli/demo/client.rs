//! The client: asks the web server behind the virtual address again and again.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use vipd::lab::{self, Host, realtime_nanos};
use vipd::sys::namespace::thread_id;

use super::{Error, web};

/// Pace of the questions.
pub(super) const PACE: Duration = Duration::from_millis(5);

/// A question that takes longer is lost.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// A question and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    /// Its place in the order of asking, from 0.
    pub(super) number: u64,
    /// When it was asked: nanoseconds since 1970.
    pub(super) at_nanos: u64,
    /// Until when it was answered or given up.
    pub(super) until_nanos: u64,
    /// Name of the node that answered.
    pub(super) answer: Option<String>,
    /// The first connection was reset: an open one does not survive a move, and the client asks
    /// again at once, as a browser does (RFC 9110 §9.2.2).
    pub(super) asked_again: bool,
}

/// A client that runs until the process ends.
#[derive(Debug)]
pub(super) struct Client {
    probes: Receiver<Probe>,
    /// Thread that lives in the client's namespace, for nsenter(1).
    pub(super) thread_id: u32,
}

impl Client {
    /// Starts to ask the web server at `address` from `host`.
    pub(super) fn start(host: Arc<Host>, address: Ipv4Addr) -> Result<Self, Error> {
        let (sender, probes) = mpsc::channel();
        let (started, id) = mpsc::channel();
        let work = move || {
            let ended = host.enter(|| {
                let _ = started.send(thread_id()); // the demo has ended
                ask_for_ever(address, &sender)
            });
            drop(ended); // the demo notices that no probes come
        };
        thread::Builder::new()
            .name("client".to_owned())
            .spawn(work)
            .map_err(lab::Error::Thread)?;
        let thread_id = id.recv().unwrap_or(0);
        Ok(Self { probes, thread_id })
    }

    /// Probes that have been answered or given up since the last call.
    pub(super) fn drain(&self) -> impl Iterator<Item = Probe> {
        self.probes.try_iter()
    }
}

/// Sockets belong to the namespace of the thread that opens them, so all of it stays on this one.
fn ask_for_ever(address: Ipv4Addr, probes: &Sender<Probe>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0_u64.. {
            pace.tick().await;
            tokio::spawn(probe(number, address, probes.clone()));
        }
    });
    Ok(())
}

async fn probe(number: u64, address: Ipv4Addr, probes: Sender<Probe>) {
    let at_nanos = realtime_nanos();
    let mut asked_again = false;
    let answer = timeout(PATIENCE, async {
        match ask(address).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                asked_again = true;
                ask(address).await
            }
            answer => answer,
        }
    });
    let answer = answer.await.ok().and_then(Result::ok).flatten();
    let until_nanos = realtime_nanos();
    let probe = Probe {
        number,
        at_nanos,
        until_nanos,
        answer,
        asked_again,
    };
    let _ = probes.send(probe); // the demo has ended
}

async fn ask(address: Ipv4Addr) -> io::Result<Option<String>> {
    let mut server = TcpStream::connect((address, web::PORT)).await?;
    server.write_all(web::REQUEST).await?;
    let mut answer = String::new();
    server.read_to_string(&mut answer).await?;
    Ok(web::name_in(&answer).map(str::to_owned))
}
