//! The life of the daemon: start, reload, end.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc::unbounded_channel, oneshot, watch};

use super::clock;
use super::command::{Command, Handle, Report};
use super::devices::{Devices, Orders};
use super::driver::Driver;
use super::executor::{Chain, Executor, Work};
use super::keeper;
use super::launch;
use super::links::{Links, VirtualAddresses, Watcher};
use super::notifier::{self, Notifies};
use super::proof;
use super::recorder::Recorder;
use super::reload::Registry;
use super::scripts::Scripts;
use crate::config::model::{self, Config, Instance};
use crate::config::programs::Program;
use crate::control::recording::Sink;
use crate::sys::file;
use crate::sys::netlink::{self, Netlink};
use crate::sys::schedule;
use crate::sys::socket::{self, PacketSocket};
use crate::types::{Instant, InterfaceName, VirtualAddress};

/// Longest wait for scripts that were started because the daemon stops. keepalived: 1 s.
const STOP_SCRIPTS: Duration = Duration::from_secs(1);
/// Time until the watch over interfaces is taken up again after it failed.
const WATCH_AGAIN: Duration = Duration::from_secs(1);
/// Longest wait for the engine to answer a question.
const ANSWER: Duration = Duration::from_secs(2);

/// The daemon could not begin, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel's tables are out of reach.
    #[error("cannot watch interfaces and addresses")]
    Netlink(#[from] netlink::Error),
    /// No packets can be sent.
    #[error("cannot send announcements")]
    Socket(#[from] socket::Error),
    /// Threads, descriptors or signals.
    #[error("cannot start")]
    Start(#[source] io::Error),
    /// The engine has panicked; its addresses were given up.
    #[error("the engine failed; every virtual address was given up")]
    Engine,
}

impl Error {
    /// Whether the process lacks a right.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        let mut cause: Option<&dyn std::error::Error> = Some(self);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return io.kind() == io::ErrorKind::PermissionDenied;
            }
            cause = error.source();
        }
        false
    }
}

/// An error with all its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    Chain(error).to_string()
}

/// What becomes of a program that a configuration names, as this host has it.
#[must_use]
pub fn examine(command: &model::Command, globals: &model::Globals) -> Program {
    launch::examine(command, globals)
}

/// Reads the configuration anew. `None` means that it was refused, and why has been logged.
pub type Load = Box<dyn Fn() -> Option<Config>>;

/// How the daemon is to behave.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// SIGINT does not stop. keepalived: `--ignore-sigint`.
    pub ignore_interrupt: bool,
    /// Where SIGUSR2 writes statistics.
    pub statistics_file: PathBuf,
    /// Folder of what must outlive a crash: which devices were made, and what settings were.
    pub state_folder: PathBuf,
    /// Where every input and decision of the engine is written down: two files of that name with
    /// `.inputs` and `.effects` after it. `None` for not at all.
    pub recording: Option<PathBuf>,
}

/// Runs until a signal ends it.
///
/// # Errors
/// [`Error`]; the addresses are gone by then.
pub fn run(config: Config, load: &Load, options: &Options) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    // First of all: a signal must not end the process while devices are being made.
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(Error::Start)?
    };
    runtime.block_on(Daemon::start(config, options)?.serve(load, options, signals))
}

struct Daemon {
    engine: Handle,
    ended: oneshot::Receiver<bool>,
    threads: Vec<thread::JoinHandle<()>>,
    devices: Devices,
    /// The interfaces that the engine has been told of.
    links: watch::Receiver<Links>,
    registry: Registry,
    scripts: Scripts,
    notifies: Notifies,
    virtual_addresses: VirtualAddresses,
    started: Instant,
    listening: watch::Sender<BTreeSet<InterfaceName>>,
    reports: Option<tokio::sync::mpsc::UnboundedReceiver<Report>>,
    first: Option<Config>,
}

impl Daemon {
    /// Starts the threads. Nothing is on the wire yet.
    fn start(config: Config, options: &Options) -> Result<Self, Error> {
        let virtual_addresses = VirtualAddresses::default();
        virtual_addresses.set(
            config
                .instances
                .iter()
                .flat_map(|i| i.all_addresses())
                .map(|a| a.address)
                .collect(),
        );
        lock_memory();
        let devices =
            Devices::start(Netlink::open()?, &options.state_folder).map_err(Error::Start)?;
        // Before interfaces are listed: no instance shall begin with a fault for want of them.
        // Without an answer they are missed later.
        let _ = devices.adopt(&config).blocking_recv();
        let watcher = Watcher::open(virtual_addresses.clone())?;
        let (netlink, packets) = (Netlink::open()?, PacketSocket::open()?);
        let (jobs, work) = mpsc::channel();
        let (report, reports) = unbounded_channel();
        let orders = devices.orders();
        let reporter = Box::new(move |r| {
            if let Report::Departed(id) = r {
                orders.depart(id);
            }
            // Nobody listens any more once the daemon ends.
            let _ = report.send(r);
        });
        let recording = options.recording.as_deref().and_then(record);
        let (recorder, sink) = recording.unzip();
        let (driver, engine) =
            Driver::new(watcher.links(), jobs, reporter, sink).map_err(Error::Start)?;
        let executor = Executor::new(netlink, packets, engine.clone());
        let (end, ended) = oneshot::channel();
        let mut threads = vec![
            spawn("vipd-kernel", move || work_on(executor, &work))?,
            spawn("vipd-engine", move || {
                // The daemon may have given up waiting.
                let _ = end.send(drive(driver));
            })?,
        ];
        if let Some(recorder) = recorder {
            threads.push(spawn("vipd-record", move || recorder.run())?);
        }
        let to = engine.clone();
        // Blocks in the kernel for ever: it ends with the process.
        let again = virtual_addresses.clone();
        let orders = devices.orders();
        let (show, links) = watch::channel(watcher.links());
        drop(spawn("vipd-links", move || {
            watch(watcher, &again, &to, &orders, &show);
        })?);
        Ok(Self {
            devices,
            links,
            engine,
            ended,
            threads,
            registry: Registry::default(),
            scripts: Scripts::default(),
            notifies: Notifies::default(),
            virtual_addresses,
            started: clock::now(),
            listening: watch::Sender::new(BTreeSet::new()),
            reports: Some(reports),
            first: Some(config),
        })
    }

    async fn serve(
        mut self,
        load: &Load,
        options: &Options,
        mut signals: Signals,
    ) -> Result<(), Error> {
        let notifier = self
            .reports
            .take()
            .map(|reports| tokio::spawn(notifier::run(self.notifies.clone(), reports)));
        tokio::spawn(proof::watch(
            self.listening.subscribe(),
            self.engine.clone(),
        ));
        if let Some(config) = self.first.take() {
            self.adopt(config).await;
        }
        tell_systemd(&[sd_notify::NotifyState::Ready]);
        tracing::info!("Startup complete");
        loop {
            tokio::select! {
                _ = signals.hangup.recv() => self.reload(load).await,
                _ = signals.statistics.recv() => self.write_statistics(options),
                _ = signals.data.recv() => {
                    tracing::warn!("the data dump (SIGUSR1) is not available yet");
                }
                _ = signals.json.recv() => {
                    tracing::warn!("the JSON dump (SIGRTMIN+2) is not available yet");
                }
                _ = signals.clear.recv() => {
                    self.write_statistics(options);
                    self.engine.send(Command::ClearStatistics);
                }
                _ = signals.threads.recv() => {
                    tracing::warn!("there is no thread dump (SIGRTMAX)");
                }
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv(), if !options.ignore_interrupt => break,
                end = &mut self.ended => return self.ended_by_itself(end.unwrap_or(false)),
            }
        }
        tracing::info!("Stopping");
        tell_systemd(&[sd_notify::NotifyState::Stopping]);
        self.stop(&mut signals, options).await?;
        if let Some(notifier) = notifier
            && tokio::time::timeout(STOP_SCRIPTS, notifier).await.is_err()
        {
            tracing::warn!("a notify script still runs and is ended");
        }
        tracing::info!("Stopped");
        Ok(())
    }

    /// Hands over and waits for it; a second signal cuts that short.
    async fn stop(&mut self, signals: &mut Signals, options: &Options) -> Result<(), Error> {
        self.scripts.stop();
        self.engine.send(Command::Shutdown);
        let well = loop {
            tokio::select! {
                end = &mut self.ended => break end.unwrap_or(false),
                _ = signals.terminate.recv() => self.engine.send(Command::Abort),
                _ = signals.interrupt.recv(), if !options.ignore_interrupt => {
                    self.engine.send(Command::Abort);
                }
            }
        };
        self.end(well)
    }

    fn ended_by_itself(mut self, well: bool) -> Result<(), Error> {
        self.scripts.stop();
        self.end(well)
    }

    fn end(&mut self, well: bool) -> Result<(), Error> {
        self.join();
        if well {
            self.devices.stop();
            return Ok(());
        }
        self.remove_all_addresses();
        self.devices.stop();
        Err(Error::Engine)
    }

    /// The last resort when those who should remove them have failed.
    fn remove_all_addresses(&self) {
        let removed = Netlink::open().and_then(|mut netlink| {
            let links = netlink.links()?;
            let index =
                |name: &InterfaceName| links.iter().find(|l| l.name == *name).map(|l| l.index);
            let placed = |instance: &Instance| {
                let own = instance.interface.clone();
                let place = move |a: &VirtualAddress| {
                    (a.interface.clone().unwrap_or(own.clone()), a.clone())
                };
                instance.all_addresses().map(place).collect::<Vec<_>>()
            };
            let all = self.registry.config().instances.iter().flat_map(placed);
            let all: Vec<_> = all
                .filter_map(|(name, a)| Some((index(&name)?, a)))
                .collect();
            netlink.remove_addresses(&all)
        });
        if let Err(error) = removed {
            tracing::error!("virtual addresses may be left: {}", Chain(&error));
        }
    }

    /// Waits until the last address has been removed.
    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }

    async fn reload(&mut self, load: &Load) {
        let monotonic = sd_notify::NotifyState::monotonic_usec_now();
        tell_systemd(&[sd_notify::NotifyState::Reloading]);
        if let Ok(now) = monotonic {
            tell_systemd(&[now]);
        }
        match load() {
            Some(config) => {
                self.adopt(config).await;
                tracing::info!("Reload complete");
            }
            None => tracing::error!("reload refused: everything stays as it was"),
        }
        tell_systemd(&[sd_notify::NotifyState::Ready]);
    }

    /// Goes over to a configuration and waits until the engine runs it.
    async fn adopt(&mut self, config: Config) {
        let keeper::Devices { names, table, .. } = self.make_devices(&config).await;
        let mut adoption = self.registry.adopt(config, &names, &table);
        self.devices.expect(adoption.changes.removed.clone());
        // The clock counts from the boot.
        let held_until = adoption
            .globals
            .held_until(Instant::default(), self.started);
        adoption.changes.held_until = Some(held_until);
        // The watcher of links has ended if nobody is told.
        let _ = self.listening.send(adoption.listening);
        self.virtual_addresses.set(adoption.virtual_addresses);
        self.notifies
            .set(adoption.globals, adoption.notifies, adoption.group_notifies);
        self.engine
            .send(Command::Reload(Box::new(adoption.changes)));
        self.scripts.apply(adoption.scripts, &self.engine);
        let (reply, confirmed) = oneshot::channel();
        self.engine.send(Command::Confirm(reply));
        if tokio::time::timeout(ANSWER, confirmed).await.is_err() {
            tracing::warn!("the engine is slow to take the configuration over");
        }
    }

    /// Makes devices with virtual MAC addresses, and waits until the engine knows of them.
    async fn make_devices(&mut self, config: &Config) -> keeper::Devices {
        let Ok(devices) = self.devices.adopt(config).await else {
            tracing::error!("the thread that keeps devices has ended");
            return keeper::Devices::default();
        };
        let up = |links: &Links, name| links.get(name).is_some_and(|link| link.up);
        let all = |links: &Links| devices.ready.iter().all(|name| up(links, name));
        if tokio::time::timeout(ANSWER, self.links.wait_for(all))
            .await
            .is_err()
        {
            tracing::warn!("the news of virtual MAC devices is late");
        }
        devices
    }

    fn write_statistics(&self, options: &Options) {
        let (reply, answer) = mpsc::channel();
        self.engine.send(Command::Statistics(reply));
        let path = &options.statistics_file;
        let written = answer
            .recv_timeout(ANSWER)
            .map_err(io::Error::other)
            .and_then(|text| file::replace(path, &text));
        if let Err(error) = written {
            tracing::warn!("cannot write {}: {error}", path.display());
        }
    }
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    data: Signal,
    statistics: Signal,
    /// keepalived: `JSON`, `STATS_CLEAR` and `TDUMP`. Unheeded, they would end the process.
    json: Signal,
    clear: Signal,
    threads: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            data: signal(SignalKind::user_defined1())?,
            statistics: signal(SignalKind::user_defined2())?,
            json: signal(SignalKind::from_raw(libc::SIGRTMIN() + 2))?,
            clear: signal(SignalKind::from_raw(libc::SIGRTMAX() - 1))?,
            threads: signal(SignalKind::from_raw(libc::SIGRTMAX()))?,
        })
    }
}

fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(Error::Start)
}

/// A recorder; without one the daemon runs all the same.
fn record(path: &Path) -> Option<(Recorder, Sink)> {
    match Recorder::create(path) {
        Ok(made) => {
            tracing::info!("every decision is recorded in {}.inputs", path.display());
            Some(made)
        }
        Err(error) => {
            tracing::warn!("nothing is recorded in {}: {error}", path.display());
            None
        }
    }
}

/// Runs the engine; `false` if it panicked or could not wait for packets.
fn drive(mut driver: Driver) -> bool {
    prefer("engine", schedule::ENGINE_PRIORITY);
    let result = catch_unwind(AssertUnwindSafe(|| driver.run()));
    match result {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::error!("the engine cannot go on: {error}"),
        Err(_) => tracing::error!("the engine has panicked, all addresses are given up"),
    }
    // Half a state is better than none for letting go of everything.
    let _ = catch_unwind(AssertUnwindSafe(|| driver.give_up()));
    false
}

fn work_on(executor: Executor, work: &mpsc::Receiver<Work>) {
    prefer("address", schedule::ENGINE_PRIORITY - 1);
    executor.run(work);
}

fn watch(
    mut watcher: Watcher,
    again: &VirtualAddresses,
    engine: &Handle,
    devices: &Orders,
    show: &watch::Sender<Links>,
) {
    let mut known = watcher.links();
    loop {
        if let Err(error) = watcher.wait() {
            tracing::error!("interfaces are not watched: {}", Chain(&error));
            thread::sleep(WATCH_AGAIN);
            if let Ok(anew) = Watcher::open(again.clone()) {
                watcher = anew;
            }
        }
        let links = watcher.links();
        if links != known {
            known.clone_from(&links);
            engine.send(Command::Links(links.clone()));
            devices.look();
            show.send_replace(links);
        }
        let gone = watcher.take_gone();
        if !gone.is_empty() {
            engine.send(Command::AddressesGone(gone));
        }
    }
}

fn prefer(thread: &str, priority: i32) {
    if let Err(error) = schedule::set_exact_timers() {
        tracing::warn!("the {thread} thread has no exact timers: {error}");
    }
    match schedule::become_real_time(priority) {
        Ok(()) => tracing::info!("the {thread} thread runs with SCHED_RR priority {priority}"),
        Err(error) => tracing::info!("the {thread} thread runs without SCHED_RR: {error}"),
    }
}

fn lock_memory() {
    match schedule::lock_memory() {
        Ok(()) => tracing::info!("memory is locked"),
        Err(error) => tracing::info!("memory is not locked: {error}"),
    }
}

fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd was not told: {error}");
    }
}
