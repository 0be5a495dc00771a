//! Network namespaces without names: they live as long as somebody holds them.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use super::Error;
use crate::sys::namespace::{enter_network, leave_network};
use crate::sys::netlink::Netlink;

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    handle: File,
}

impl Namespace {
    /// Makes a namespace with nothing but a loopback that is down.
    ///
    /// # Errors
    ///
    /// [`Error::CreateNamespace`] if the process may not.
    pub fn new() -> Result<Self, Error> {
        let made = on_own_thread(|| {
            leave_network()?;
            File::open("/proc/thread-self/ns/net")
        })?;
        made.map(|handle| Self { handle })
            .map_err(Error::CreateNamespace)
    }

    /// Runs `work` inside, on a thread of its own. Sockets that it opens and processes that it
    /// starts stay inside.
    ///
    /// # Errors
    ///
    /// [`Error::EnterNamespace`] or [`Error::Thread`]; `work` has not run then.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        on_own_thread(|| {
            enter_network(&self.handle).map_err(Error::EnterNamespace)?;
            Ok(work())
        })?
    }

    /// A connection to this namespace's links, addresses and routes, for any thread.
    ///
    /// # Errors
    ///
    /// [`Error::EnterNamespace`] or [`Error::Netlink`].
    pub fn netlink(&self) -> Result<Netlink, Error> {
        Ok(self.enter(Netlink::open)??)
    }

    /// Sets a kernel parameter of this namespace; `key` is a path such as `net/ipv4/ip_forward`.
    ///
    /// # Errors
    ///
    /// [`Error::Sysctl`] if there is none of that name, or the value does not fit.
    pub fn set_sysctl(&self, key: &str, value: &str) -> Result<(), Error> {
        let path = format!("/proc/sys/{key}");
        self.enter(|| fs::write(path, value))?
            .map_err(|source| Error::Sysctl {
                key: key.to_owned(),
                source,
            })
    }

    /// Reads a kernel parameter of this namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Sysctl`] if there is none of that name.
    pub fn sysctl(&self, key: &str) -> Result<String, Error> {
        let path = format!("/proc/sys/{key}");
        self.enter(|| fs::read_to_string(path))?
            .map(|value| value.trim_end().to_owned())
            .map_err(|source| Error::Sysctl {
                key: key.to_owned(),
                source,
            })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// A thread that changes its namespace is of no use to anybody else, so it does and ends.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("namespace".to_owned());
        let handle = thread.spawn_scoped(scope, work).map_err(Error::Thread)?;
        handle
            .join()
            .or_else(|panic| std::panic::resume_unwind(panic))
    })
}
