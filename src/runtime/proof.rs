//! Whether links receive: frames are counted by the kernel, and read here while somebody waits.
//!
//! Serves `listen_before_lead`. Any frame will do, also one that no socket of ours would see.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;

use super::command::{Command, Handle};
use super::executor::Chain;
use crate::sys::netlink::{self, Netlink};
use crate::types::InterfaceName;

/// Time between two looks: short beside the takeover that waits for it.
const PERIOD: Duration = Duration::from_millis(100);

/// Tells the engine of every link in `wanted` that has received since the last look.
///
/// Ends with the sender of `wanted`.
pub(super) async fn watch(mut wanted: watch::Receiver<BTreeSet<InterfaceName>>, engine: Handle) {
    let mut netlink = match Netlink::open() {
        Ok(netlink) => netlink,
        Err(error) => return tracing::error!("links are not watched: {}", Chain(&error)),
    };
    let mut seen = BTreeMap::new();
    loop {
        let names = wanted.borrow_and_update().clone();
        if names.is_empty() {
            seen.clear();
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        }
        for name in names {
            match received(&mut netlink, &name) {
                Ok(Some(now)) if seen.insert(name.clone(), now).is_some_and(|was| now > was) => {
                    engine.send(Command::LinkProved(name));
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    seen.remove(&name);
                }
                Err(error) => tracing::debug!("cannot look at {name}: {}", Chain(&error)),
            }
        }
        if wanted.has_changed().is_err() {
            return;
        }
        tokio::time::sleep(PERIOD).await;
    }
}

fn received(netlink: &mut Netlink, name: &InterfaceName) -> Result<Option<u64>, netlink::Error> {
    match netlink.link_by_name(name)? {
        Some(link) => netlink.received_frames(link.index),
        None => Ok(None),
    }
}
