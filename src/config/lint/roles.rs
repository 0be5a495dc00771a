//! What a node promises: strict mode, ownership, peers, and a number that others use too.

use std::time::Duration;

use super::Linter;
use crate::config::diagnostic::Code;
use crate::config::model::{Authentication, Instance, Transport};
use crate::types::{Priority, Version};

/// Strict mode makes the addresses unreachable.
const STRICT: Code = Code(452);
/// A node sends to itself.
const OWN_PEER: Code = Code(450);
/// A number that many examples use.
const COMMON_VRID: Code = Code(448);
/// The node owns its addresses.
const OWNER: Code = Code(449);
/// A dead node is noticed late.
const LATE: Code = Code(435);

/// Numbers of the examples that everybody copies.
const COMMON: [u8; 8] = [1, 10, 20, 50, 51, 52, 100, 200];
/// A takeover that takes longer is worth a word.
const PATIENCE: Duration = Duration::from_secs(30);

impl Linter<'_> {
    pub(super) fn roles(&mut self, instance: &Instance) {
        self.strict(instance);
        self.own_peer(instance);
        self.late(instance);
        if self.notes() {
            self.common_vrid(instance);
            self.owner(instance);
        }
    }

    /// Accept mode is off by strict mode alone, which few expect.
    fn strict(&mut self, instance: &Instance) {
        let provenance = &self.loaded.provenance;
        let asked = provenance.span(&instance.name, "no_accept").is_some();
        let has_addresses = instance.all_addresses().next().is_some();
        if instance.accept_mode || asked || !has_addresses {
            return;
        }
        let place = provenance
            .span(&instance.name, "strict_mode")
            .or_else(|| provenance.span("global_defs", "vrrp_strict"));
        let mend = match instance.protocol.version {
            Version::V2 => "take strict mode out: in version 2 it allows no `accept`",
            Version::V3 => "write `accept` in the instance, or take strict mode out",
        };
        let message = format!(
            "`{}`: strict mode drops whatever is sent to its addresses",
            instance.name
        );
        self.warn(STRICT, message)
            .at(place, "no ping, no service, unless the priority is 255")
            .mend(mend);
    }

    fn own_peer(&mut self, instance: &Instance) {
        let Transport::Unicast {
            source: Some(source),
            peers,
            ..
        } = &instance.transport
        else {
            return;
        };
        if !peers.iter().any(|peer| peer.host == (*source).into()) {
            return;
        }
        let place = self.at(instance, &[&source.to_string(), "unicast_peer"]);
        let own = self.at(instance, &["unicast_src_ip", "mcast_src_ip"]);
        let message = format!("`{}` is its own peer", instance.name);
        self.warn(OWN_PEER, message)
            .at(place, "this node itself")
            .at(own, "")
            .mend(format!(
                "list the other nodes in `unicast_peer`, not {source}"
            ));
    }

    fn late(&mut self, instance: &Instance) {
        let interval = instance.protocol.advertisement_interval;
        let adverts = u32::from(instance.protocol.down_timer_adverts);
        let silence = Duration::from_millis(u64::from(interval.centis()) * 10) * adverts;
        if silence <= PATIENCE {
            return;
        }
        let place = self.at(instance, &["advert_int", "down_timer_adverts"]);
        let message = format!(
            "`{}`: a dead node is noticed after {} s",
            instance.name,
            silence.as_secs()
        );
        self.warn(LATE, message)
            .at(place, format!("{adverts} adverts are waited for"))
            .mend("write a smaller `advert_int`, the same on all nodes");
    }

    fn common_vrid(&mut self, instance: &Instance) {
        let vrid = instance.protocol.vrid;
        let shared = matches!(instance.transport, Transport::Multicast { .. });
        let signed = matches!(instance.authentication, Authentication::Hmac(_));
        if !shared || signed || !COMMON.contains(&vrid.get()) {
            return;
        }
        let place = self.at(instance, &["virtual_router_id"]);
        let message = format!("`{}`: many examples use the VRID {vrid}", instance.name);
        self.note(COMMON_VRID, message)
            .at(place, "")
            .mend("make sure that no other group on this network has the same number");
    }

    fn owner(&mut self, instance: &Instance) {
        if instance.protocol.priority != Priority::OWNER {
            return;
        }
        let place = self.at(instance, &["priority", "state"]);
        let message = format!("`{}` owns its addresses (255)", instance.name);
        self.note(OWNER, message)
            .at(
                place,
                "it wins against everybody, and no tracker with a weight lowers it",
            )
            .mend("write a priority below 255, unless the addresses are the interface's own");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Detail;
    use super::super::tests::{NONE, codes, said};

    const VIP: &str = "virtual_ipaddress {\n192.0.2.10/24\n}\n";

    #[test]
    fn strict_mode_that_makes_addresses_unreachable_is_found() {
        let strict = "global_defs {\nvrrp_strict\n}\n";
        assert_eq!(codes(strict, VIP), [452]);
        assert_eq!(codes(strict, &format!("{VIP}priority 255\n")), NONE);
        assert_eq!(codes(strict, &format!("version 3\n{VIP}accept\n")), NONE);
        assert_eq!(codes(strict, &format!("version 3\n{VIP}no_accept\n")), NONE);
        assert_eq!(codes("", &format!("strict_mode on\n{VIP}")), [452]);
        assert_eq!(codes("", VIP), NONE);
    }

    #[test]
    fn a_node_among_its_own_peers_is_found() {
        let peers = |list| {
            let lines = format!("unicast_src_ip 192.0.2.1\nunicast_peer {{\n{list}\n}}\n{VIP}");
            codes("", &lines)
        };
        assert_eq!(peers("192.0.2.1\n192.0.2.2"), [450]);
        assert_eq!(peers("192.0.2.2"), NONE);
    }

    #[test]
    fn adverts_that_are_far_apart_are_found() {
        assert_eq!(codes("", &format!("advert_int 11\n{VIP}")), [435]);
        assert_eq!(codes("", &format!("advert_int 10\n{VIP}")), NONE);
    }

    #[test]
    fn notes_name_usual_numbers_and_owners() {
        let text = |vrid, priority, more: &str| {
            format!(
                "vrrp_instance V {{\ninterface eth0\nvirtual_router_id {vrid}\npriority \
                 {priority}\n{more}{VIP}}}\n"
            )
        };
        let count = |text: String| said(&text, Detail::Notes).len();
        assert_eq!(count(text(51, 100, "")), 1);
        assert_eq!(count(text(77, 255, "")), 1);
        assert_eq!(count(text(77, 100, "")), 0);
        assert_eq!(count(text(51, 100, "unicast_peer {\n192.0.2.2\n}\n")), 0);
        assert_eq!(said(&text(51, 255, ""), Detail::Problems), [] as [&str; 0]);
    }
}
