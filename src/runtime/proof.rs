//! Whether links receive.
//!
//! Serves `listen_before_lead`. Any frame of another host will do, also one that no socket of ours
//! would see. What a switch itself says proves nothing: its port may not forward yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;

use super::command::{Command, Handle};
use super::executor::Chain;
use crate::sys::netlink::Netlink;
use crate::sys::socket::Ear;
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
    let mut ears: BTreeMap<InterfaceName, Ear> = BTreeMap::new();
    loop {
        let names = wanted.borrow_and_update().clone();
        if names.is_empty() {
            ears.clear();
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        }
        ears.retain(|name, _| names.contains(name));
        for name in names {
            match heard(&mut netlink, &mut ears, &name) {
                Ok(true) => engine.send(Command::LinkProved(name)),
                Ok(false) => {}
                Err(error) => tracing::debug!("cannot listen on {name}: {}", Chain(&*error)),
            }
        }
        if wanted.has_changed().is_err() {
            return;
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Whether something has come to an interface since the last look, which may be the first.
fn heard(
    netlink: &mut Netlink,
    ears: &mut BTreeMap<InterfaceName, Ear>,
    name: &InterfaceName,
) -> Result<bool, Box<dyn std::error::Error>> {
    let Some(link) = netlink.link_by_name(name)? else {
        ears.remove(name);
        return Ok(false);
    };
    match ears.get(name).filter(|ear| ear.ifindex() == link.index) {
        Some(ear) => Ok(ear.heard()),
        None => {
            ears.insert(name.clone(), Ear::open(link.index)?);
            Ok(false)
        }
    }
}
