//! The life of the daemon: start, reload, end.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc::unbounded_channel, oneshot, watch};

use super::appointment::Appointment;
use super::clock;
use super::command::{Command, Handle, Report};
use super::desk::{Desk, Order};
use super::devices::{Devices, Orders};
use super::driver::Driver;
use super::errand;
use super::executor::{Chain, Executor};
use super::files::{self, Files};
use super::keeper;
use super::launch;
use super::links::{Links, VirtualAddresses, Watcher};
use super::names::Names;
use super::notifier::{self, Notifies};
use super::precedence::Urgent;
use super::proof;
use super::recorder::Recorder;
use super::reload::Registry;
use super::scripts::Scripts;
use super::signals::Signals;
use super::transaction::{self, Load, Occasion, Prepared, Verdict};
use super::witness::{Known, Witness};
use crate::config::model::{self, Config, Globals, Instance};
use crate::config::programs::Program;
use crate::control::recording::Sink;
use crate::control::request::{Reply, Request};
use crate::control::statistics;
use crate::sys::file;
use crate::sys::netlink::{self, Netlink};
use crate::sys::process::Manner;
use crate::sys::socket::{self, PacketSocket};
use crate::sys::{namespace, schedule};
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

/// How the daemon is to behave.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// SIGINT does not stop. keepalived: `--ignore-sigint`.
    pub ignore_interrupt: bool,
    /// Addresses stay where they are when the daemon stops. keepalived: `-V`.
    pub leave_addresses: bool,
    /// Changes of addresses by anybody are logged. keepalived: `-a`.
    pub log_addresses: bool,
    /// The configuration, for status.
    pub file: PathBuf,
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
    let mut globals = config.globals.clone();
    let mut signals = signals;
    let result = if runtime.block_on(start_up(&globals, options, &mut signals)) {
        // Outside of the runtime: it waits for threads.
        Daemon::start(config, options).and_then(|mut daemon| {
            let result = runtime.block_on(daemon.serve(load, options, signals));
            globals.clone_from(&daemon.registry.config().globals);
            result
        })
    } else {
        Ok(())
    };
    let shutdown = globals.process.shutdown.as_ref();
    runtime.block_on(errand::run("shutdown script", shutdown, &globals));
    result
}

/// Runs the startup script; false if a signal to stop came meanwhile.
async fn start_up(globals: &Globals, options: &Options, signals: &mut Signals) -> bool {
    let startup = globals.process.startup.as_ref();
    tokio::select! {
        () = errand::run("startup script", startup, globals) => true,
        _ = signals.terminate.recv() => false,
        _ = signals.interrupt.recv(), if !options.ignore_interrupt => false,
    }
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
    files: Files,
    notifies: Notifies,
    virtual_addresses: VirtualAddresses,
    started: Instant,
    urgent: Urgent,
    /// What the threads have been given.
    process: Option<model::Process>,
    appointment: Appointment,
    listening: watch::Sender<BTreeSet<InterfaceName>>,
    names: Names,
    /// What runs, for those who ask.
    known: watch::Sender<Arc<Known>>,
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
        let log_addresses = options.log_addresses;
        let watcher = Watcher::open(virtual_addresses.clone(), log_addresses)?;
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
        let (kernel, address_thread) = spawn("vipd-kernel", move || {
            on_time("address");
            executor.run(&work);
        })?;
        let (engine_id, engine_thread) = spawn("vipd-engine", move || {
            on_time("engine");
            // The daemon may have given up waiting.
            let _ = end.send(drive(driver));
        })?;
        let urgent = Urgent {
            engine: engine_id,
            kernel,
        };
        let mut threads = vec![address_thread, engine_thread];
        if let Some(recorder) = recorder {
            let (_, thread) = spawn("vipd-record", move || recorder.run())?;
            threads.push(thread);
        }
        let to = engine.clone();
        // Blocks in the kernel for ever: it ends with the process.
        let again = virtual_addresses.clone();
        let orders = devices.orders();
        let (show, links) = watch::channel(watcher.links());
        drop(spawn("vipd-links", move || {
            watch(watcher, &again, log_addresses, &to, &orders, &show);
        })?);
        let names = Names::new(engine.clone());
        Ok(Self {
            devices,
            links,
            engine,
            ended,
            threads,
            registry: Registry::default(),
            scripts: Scripts::default(),
            files: Files::default(),
            notifies: Notifies::default(),
            virtual_addresses,
            started: clock::now(),
            urgent,
            process: None,
            appointment: Appointment::default(),
            listening: watch::Sender::new(BTreeSet::new()),
            names,
            known: watch::Sender::default(),
            reports: Some(reports),
            first: Some(config),
        })
    }

    async fn serve(
        &mut self,
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
            let umask = config.globals.process.umask.unwrap_or(Manner::UMASK);
            files::make(&config.files, 0o644 & !umask);
            self.adopt(config).await;
        }
        let witness = Witness::new(
            self.engine.clone(),
            self.known.subscribe(),
            self.links.clone(),
            self.scripts.runs(),
            options.file.display().to_string(),
        );
        let mut desk = Desk::open(&options.state_folder, witness.clone());
        tell_systemd(&[sd_notify::NotifyState::Ready]);
        tracing::info!("Startup complete");
        loop {
            tokio::select! {
                _ = signals.hangup.recv() => {
                    self.reload(load).await;
                }
                () = self.appointment.due() => {
                    tracing::info!("the time to reload has come");
                    self.reload(load).await;
                }
                _ = signals.processor.recv() => self.warn_of_long_run(),
                Some(order) = desk.next() => self.obey(order, load).await,
                _ = signals.statistics.recv() => self.write_statistics(&witness, options).await,
                _ = signals.data.recv() => {
                    tracing::warn!("the data dump (SIGUSR1) is not available yet");
                }
                _ = signals.json.recv() => {
                    tracing::warn!("the JSON dump (SIGRTMIN+2) is not available yet");
                }
                _ = signals.clear.recv() => {
                    self.write_statistics(&witness, options).await;
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
        self.engine.send(if options.leave_addresses {
            Command::Leave
        } else {
            Command::Shutdown
        });
        let well = loop {
            tokio::select! {
                end = &mut self.ended => break end.unwrap_or(false),
                _ = signals.terminate.recv() => self.engine.send(Command::Abort),
                _ = signals.interrupt.recv(), if !options.ignore_interrupt => {
                    self.engine.send(Command::Abort);
                }
            }
        };
        self.end(well, options.leave_addresses)
    }

    fn ended_by_itself(&mut self, well: bool) -> Result<(), Error> {
        self.scripts.stop();
        self.end(well, false)
    }

    fn end(&mut self, well: bool, leave: bool) -> Result<(), Error> {
        self.join();
        if well && leave {
            self.devices.leave();
            return Ok(());
        }
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
                    let carrier = a.interface.clone().or_else(|| own.clone())?;
                    Some((carrier, a.clone()))
                };
                instance
                    .all_addresses()
                    .filter_map(place)
                    .collect::<Vec<_>>()
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

    async fn obey(&mut self, order: Order, load: &Load) {
        let reply = match order.request {
            Request::Reload => self.reload(load).await,
            Request::Plan { file } => {
                let running = self.registry.config().clone();
                match transaction::prepare(load, running, Occasion::Look(file))
                    .await
                    .outcome
                {
                    Ok(prepared) => Reply::Planned(prepared.considered),
                    Err(refused) => refused,
                }
            }
        };
        // Whoever asked may have gone.
        let _ = order.reply.send(reply);
    }

    /// Goes over to the file as it is now, or stays with what runs.
    async fn reload(&mut self, load: &Load) -> Reply {
        let monotonic = sd_notify::NotifyState::monotonic_usec_now();
        tell_systemd(&[sd_notify::NotifyState::Reloading]);
        if let Ok(now) = monotonic {
            tell_systemd(&[now]);
        }
        let running = self.registry.config().clone();
        let Verdict { remarks, outcome } =
            transaction::prepare(load, running, Occasion::Reload).await;
        transaction::log(&remarks);
        let reply = match outcome {
            Ok(Prepared { config, considered }) => {
                self.adopt(config).await;
                tracing::info!("Reload complete");
                Reply::Reloaded(considered)
            }
            Err(refused) => {
                tracing::error!("reload refused: everything stays as it was");
                refused
            }
        };
        tell_systemd(&[sd_notify::NotifyState::Ready]);
        reply
    }

    /// What `vrrp_rlimit_rttime` asks for; the kernel says it once a second while it lasts.
    fn warn_of_long_run(&self) {
        let limit = self.process.as_ref();
        let limit = limit.and_then(|process| process.precedence.limit_micros);
        tracing::warn!(
            limit,
            "a real-time thread has run without a pause for too long"
        );
    }

    /// Gives threads and appointments what the configuration says of them.
    fn take_on(&mut self, process: &model::Process) {
        if self.process.as_ref() == Some(process) {
            return;
        }
        self.urgent.apply(process);
        let before = self.process.replace(process.clone());
        if before.is_none_or(|before| before.reload != process.reload) {
            self.appointment.adopt(&process.reload);
        }
    }

    /// Goes over to a configuration and waits until the engine runs it.
    async fn adopt(&mut self, config: Config) {
        self.take_on(&config.globals.process);
        let peers = config.instances.iter().flat_map(Instance::peer_names);
        let peers = peers.map(str::to_owned).collect();
        // Before the engine needs them: no instance shall begin with a fault for want of them.
        self.names.seek(peers, ANSWER).await;
        let keeper::Devices { names, table, .. } = self.make_devices(&config).await;
        let numbers = files::numbers(&config.files).await;
        let mut adoption = self.registry.adopt(config, &names, &table, &numbers);
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
        self.files.apply(adoption.files, &self.engine);
        self.known.send_replace(Arc::new(Known {
            config: self.registry.config().clone(),
            trackers: self.registry.tracker_names(),
        }));
        let (reply, confirmed) = oneshot::channel();
        self.engine.send(Command::Confirm(reply));
        if tokio::time::timeout(ANSWER, confirmed).await.is_err() {
            tracing::warn!("the engine is slow to take the configuration over");
        }
        self.devices.release();
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

    /// What files that the daemon writes may be used for, and by whom.
    fn file_mode(&self) -> u32 {
        let process = self.process.as_ref();
        0o666 & !process.and_then(|p| p.umask).unwrap_or(Manner::UMASK)
    }

    async fn write_statistics(&self, witness: &Witness, options: &Options) {
        let path = &options.statistics_file;
        let written = match witness.status().await {
            Ok(status) => {
                let each = status.instances.iter();
                let text: String = each
                    .map(|i| statistics::text(&i.name, &i.statistics))
                    .collect();
                file::replace(path, &text, self.file_mode())
            }
            Err(blind) => Err(io::Error::other(blind)),
        };
        if let Err(error) = written {
            tracing::warn!("cannot write {}: {error}", path.display());
        }
    }
}

/// Starts a thread; the kernel's number for it comes first.
fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<(u32, thread::JoinHandle<()>), Error> {
    let (say, said) = mpsc::channel();
    let body = move || {
        // The one who waits for it is there until it has come.
        let _ = say.send(namespace::thread_id());
        body();
    };
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(Error::Start)?;
    let number = said.recv().map_err(|e| Error::Start(io::Error::other(e)))?;
    Ok((number, thread))
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

fn watch(
    mut watcher: Watcher,
    again: &VirtualAddresses,
    log_addresses: bool,
    engine: &Handle,
    devices: &Orders,
    show: &watch::Sender<Links>,
) {
    let mut known = watcher.links();
    loop {
        if let Err(error) = watcher.wait() {
            tracing::error!("interfaces are not watched: {}", Chain(&error));
            thread::sleep(WATCH_AGAIN);
            if let Ok(anew) = Watcher::open(again.clone(), log_addresses) {
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

fn on_time(thread: &str) {
    if let Err(error) = schedule::set_exact_timers() {
        tracing::warn!("the {thread} thread has no exact timers: {error}");
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
