//! Reasons why an instance does not run, in words for an operator.

use crate::config::model::Instance;
use crate::vrrp::instance::Fault;
use crate::vrrp::track::TrackerId;

/// `fault` of `instance`; `name` knows what trackers are and are called.
#[must_use]
pub fn describe(
    fault: &Fault,
    instance: &Instance,
    name: impl Fn(TrackerId) -> Option<String>,
) -> String {
    let interface = || match &instance.interface {
        Some(interface) => interface.to_string(),
        None => "the interface".to_owned(),
    };
    let tracker = |id| name(id).unwrap_or_else(|| "a tracker".to_owned());
    match fault {
        Fault::Interface => format!("{} is down or does not exist", interface()),
        Fault::NoPrimaryAddress => format!("{} has no address to send from", interface()),
        Fault::NoPeers => "there is no unicast_peer".to_owned(),
        Fault::PeersUnknown => "no name of a peer has an address yet".to_owned(),
        Fault::Addresses => "the kernel takes none of its addresses".to_owned(),
        Fault::Socket => "no socket could be opened".to_owned(),
        Fault::AddressInterface(of) => format!("{of}, which carries an address, is down"),
        Fault::TrackedInterface(of) => format!("tracked interface {of} is down"),
        Fault::Tracker(id) => format!("{} has failed", tracker(*id)),
        Fault::TrackerPending(id) => format!("{} has no result yet", tracker(*id)),
        Fault::Group => "another member of its sync group is at fault".to_owned(),
        Fault::GroupPending => "another member of its sync group waits".to_owned(),
    }
}
