//! A thread that keeps devices: making them takes time that neither engine nor daemon has.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::keeper::{self, Keeper};
use super::memory::Memory;
use crate::config::model::Config;
use crate::sys::netlink::Netlink;
use crate::types::InstanceId;

/// Time to the next attempt at what could not be done.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Order {
    Adopt(Box<Config>, oneshot::Sender<keeper::Devices>),
    Expect(Vec<InstanceId>),
    Depart(InstanceId),
    Release,
    Look,
    Leave,
    Stop,
}

/// Gives orders to the thread, from anywhere.
#[derive(Debug, Clone)]
pub(super) struct Orders(Sender<Order>);

impl Orders {
    /// Interfaces have changed.
    pub(super) fn look(&self) {
        // A thread that has ended keeps nothing any more.
        let _ = self.0.send(Order::Look);
    }

    /// An instance that was to leave has let go of everything.
    pub(super) fn depart(&self, id: InstanceId) {
        let _ = self.0.send(Order::Depart(id));
    }
}

/// The thread. Everything it has made goes away with this value.
#[derive(Debug)]
pub(super) struct Devices {
    orders: Orders,
    thread: Option<JoinHandle<()>>,
}

impl Devices {
    /// Starts it; `folder` is where it writes down what it changes.
    pub(super) fn start(netlink: Netlink, folder: &Path) -> std::io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let keeper = Keeper::new(netlink, Memory::open(folder));
        let thread = thread::Builder::new()
            .name("vipd-devices".to_owned())
            .spawn(move || keep(keeper, &received))?;
        Ok(Self {
            orders: Orders(orders),
            thread: Some(thread),
        })
    }

    pub(super) fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Makes what `config` wants; the answer comes when it is there.
    pub(super) fn adopt(&self, config: &Config) -> oneshot::Receiver<keeper::Devices> {
        let (reply, answer) = oneshot::channel();
        let _ = self
            .orders
            .0
            .send(Order::Adopt(config.clone().into(), reply));
        answer
    }

    /// What these instances run on is no longer wanted, once they have left.
    pub(super) fn expect(&self, leaving: Vec<InstanceId>) {
        let _ = self.orders.0.send(Order::Expect(leaving));
    }

    /// The engine runs what was adopted: what nobody needs any more may go.
    pub(super) fn release(&self) {
        let _ = self.orders.0.send(Order::Release);
    }

    /// Removes everything and waits for it.
    pub(super) fn stop(&mut self) {
        self.end(Order::Stop);
    }

    /// Ends, and leaves everything to the next daemon.
    pub(super) fn leave(&mut self) {
        self.end(Order::Leave);
    }

    fn end(&mut self, order: Order) {
        let _ = self.orders.0.send(order);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.stop();
    }
}

fn keep(mut keeper: Keeper, orders: &Receiver<Order>) {
    let mut look = false;
    loop {
        let order = if look {
            orders.try_recv().ok()
        } else if keeper.is_unsettled() {
            match orders.recv_timeout(AGAIN) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => Some(Order::Look),
                Err(RecvTimeoutError::Disconnected) => Some(Order::Stop),
            }
        } else {
            Some(orders.recv().unwrap_or(Order::Stop))
        };
        match order {
            // Many changes at once are one look.
            Some(Order::Look) => look = true,
            None => {
                look = false;
                keeper.settle();
            }
            Some(Order::Adopt(config, reply)) => {
                // The asker may have lost patience.
                let _ = reply.send(keeper.adopt(&config));
            }
            Some(Order::Expect(leaving)) => keeper.expect_departures(leaving),
            Some(Order::Depart(id)) => keeper.depart(id),
            Some(Order::Release) => keeper.release(),
            Some(Order::Leave) => return,
            Some(Order::Stop) => return keeper.stop(),
        }
    }
}
