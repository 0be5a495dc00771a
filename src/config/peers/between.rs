//! Pointing at the same thing in the files of several nodes.

use super::failover::Member;
use super::{Node, VirtualRouter, node_name};
use crate::config::diagnostic::Diagnostic;

/// One virtual router and the nodes around it.
#[derive(Clone, Copy)]
pub(super) struct Between<'a> {
    pub(super) nodes: &'a [Node<'a>],
    pub(super) router: &'a VirtualRouter<'a>,
}

impl<'a> Between<'a> {
    pub(super) fn members(self) -> impl Iterator<Item = &'a Member<'a>> + Clone {
        self.router.members.iter()
    }

    pub(super) fn name(self) -> String {
        format!("virtual router {}", self.router.vrid)
    }

    /// Points at each member's first keyword of `keywords` that its file has.
    pub(super) fn labelled(
        self,
        diagnostic: Diagnostic,
        keywords: &[&str],
        text: impl Fn(&Member<'_>) -> String,
    ) -> Diagnostic {
        self.members().fold(diagnostic, |diagnostic, member| {
            self.label(diagnostic, member, keywords, &text(member))
        })
    }

    pub(super) fn label(
        self,
        diagnostic: Diagnostic,
        member: &Member<'_>,
        keywords: &[&str],
        text: &str,
    ) -> Diagnostic {
        let block = member.instance.name.as_str();
        let places = keywords
            .iter()
            .chain(&["vrrp_instance"])
            .map(|keyword| (block, *keyword));
        self.label_first(diagnostic, member, places, text)
    }

    /// Points at the first of `places` (block, keyword) that the member's file has.
    pub(super) fn label_first<'p>(
        self,
        diagnostic: Diagnostic,
        member: &Member<'_>,
        mut places: impl Iterator<Item = (&'p str, &'p str)>,
        text: &str,
    ) -> Diagnostic {
        let locate = |(block, keyword)| (self.nodes.get(member.node)?.locate)(block, keyword);
        let Some(span) = places.find_map(locate) else {
            return diagnostic;
        };
        let node = node_name(member.node);
        let text = if text.is_empty() {
            node
        } else {
            format!("{node}: {text}")
        };
        diagnostic.label(span, text)
    }
}
