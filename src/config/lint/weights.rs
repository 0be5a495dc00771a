//! Weights that change nothing.

use super::Linter;
use crate::config::diagnostic::Code;
use crate::config::model::Instance;
use crate::types::Priority;
use crate::vrrp::election::{Weight, effective_priority};

/// A tracker whose failure leaves the priority as it is.
const WITHOUT_EFFECT: Code = Code(440);

/// Something tracked, by its name in the file.
struct Tracked<'a> {
    name: &'a str,
    list: &'static str,
    weight: Weight,
}

impl Linter<'_> {
    /// Priorities end at 1 and 254: what would go beyond is lost.
    pub(super) fn weights(&mut self, instance: &Instance) {
        let base = instance.protocol.priority;
        if base == Priority::OWNER {
            return;
        }
        let all = tracked(instance);
        let priority = |failed: Option<usize>| {
            let each = all.iter().enumerate();
            let each = each.map(|(i, t)| t.weight.contribution(failed != Some(i)));
            effective_priority(base, each)
        };
        let well = priority(None);
        for (i, tracked) in all.iter().enumerate() {
            if tracked.weight.is_fault() || priority(Some(i)) != well {
                continue;
            }
            let (name, points) = (tracked.name, tracked.weight.points);
            let place = self.at(instance, &[name, tracked.list]);
            let of_priority = self.at(instance, &["priority"]);
            self.warn(
                WITHOUT_EFFECT,
                format!(
                    "`{}`: the priority is {well} whether `{name}` is well or not",
                    instance.name
                ),
            )
            .at(place, format!("weight {points:+}"))
            .at(of_priority, format!("{base}, and the end is 1 or 254"))
            .mend(remedy(&all, base));
        }
    }
}

fn tracked(instance: &Instance) -> Vec<Tracked<'_>> {
    let scripts = instance.track_scripts.iter().map(|t| Tracked {
        name: &t.script,
        list: "track_script",
        weight: t.weight,
    });
    let interfaces = instance.track_interfaces.iter().map(|t| Tracked {
        name: t.interface.as_str(),
        list: "track_interface",
        weight: t.weight,
    });
    scripts.chain(interfaces).collect()
}

/// A base priority with room for all weights, if there is one.
fn remedy(all: &[Tracked<'_>], base: Priority) -> String {
    let sum = |points: &dyn Fn(i32) -> bool| -> i32 {
        let points = all
            .iter()
            .map(|t| i32::from(t.weight.points))
            .filter(|p| points(*p));
        points.sum()
    };
    let most = 254 - sum(&|p| p > 0);
    let least = 1 - sum(&|p| p < 0);
    let base = i32::from(base.get());
    if least > most {
        "make the weights smaller, or write weight 0: a failure is a fault then".to_owned()
    } else if base > most {
        format!("write `priority {most}` or less, so that every weight counts")
    } else {
        format!("write `priority {least}` or more, so that every weight counts")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;
    use super::super::{Detail, tests::said};

    fn with(priority: u8, weights: &[i16]) -> (String, String) {
        let scripts = weights.iter().enumerate().map(|(i, weight)| {
            format!("vrrp_script s{i} {{\nscript /bin/true\nweight {weight}\n}}\n")
        });
        let names: String = (0..weights.len()).map(|i| format!("s{i}\n")).collect();
        (
            scripts.collect(),
            format!(
                "priority {priority}\ntrack_script {{\n{names}}}\n\
                 virtual_ipaddress {{\n192.0.2.10/24\n}}\n"
            ),
        )
    }

    fn found(priority: u8, weights: &[i16]) -> usize {
        let (scripts, lines) = with(priority, weights);
        let codes = codes(&scripts, &lines);
        codes.iter().filter(|c| **c == 440).count()
    }

    #[test]
    fn a_weight_beyond_the_end_of_priorities_changes_nothing() {
        assert_eq!(found(254, &[20]), 1);
        assert_eq!(found(1, &[-20]), 1);
        assert_eq!(found(253, &[20]), 0);
        assert_eq!(found(100, &[2]), 0);
        assert_eq!(found(254, &[-1]), 0);
    }

    #[test]
    fn weights_that_are_only_lost_together_are_found() {
        // 240 + 20 + 20 is 254, and 240 + 20 is 254 as well.
        assert_eq!(found(240, &[20, 20]), 2);
        assert_eq!(found(220, &[20, 20]), 0);
        assert_eq!(found(240, &[20, -20]), 0);
    }

    #[test]
    fn the_mend_is_a_priority_that_leaves_room() {
        let (scripts, lines) = with(240, &[20, 20]);
        let text = format!(
            "{scripts}vrrp_instance V {{\ninterface eth0\nvirtual_router_id 7\n{lines}}}\n"
        );
        let all = said(&text, Detail::Problems);
        assert_eq!(
            all[0],
            "K0440 `s0`: `V`: the priority is 254 whether `s0` is well or not"
        );
    }
}
