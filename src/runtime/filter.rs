//! The firewall's tables, made and changed off the engine.

use super::executor::Chain;
use crate::config::model::Firewall;
use crate::link::rules::{self, Pair, Shape};
use crate::sys::firewall;

/// The tables as they are now.
#[derive(Debug, Default)]
pub(super) struct Filter {
    options: Firewall,
    shape: Shape,
    pairs: Option<Vec<Pair>>,
    /// Reports of group members cannot be redirected here.
    cannot_redirect: bool,
}

impl Filter {
    /// The name of the table, while there is one.
    pub(super) fn table(&self) -> Option<&str> {
        (!self.shape.is_empty()).then_some(self.options.table.as_str())
    }

    /// Devices need help of another kind: their group reports are not redirected.
    pub(super) const fn cannot_redirect(&self) -> bool {
        self.cannot_redirect
    }

    /// Removes what an earlier run left.
    pub(super) fn clear(table: &str) {
        let left = Firewall {
            table: table.to_owned(),
            ..Firewall::default()
        };
        if let Err(error) = firewall::apply(&rules::remove(&left)) {
            tracing::debug!("no table removed: {}", Chain(&error));
        }
    }

    /// Makes the tables that `wanted` takes. What their sets hold stays.
    pub(super) fn adopt(&mut self, options: &Firewall, wanted: Shape) {
        if self.table().is_some() && (wanted.is_empty() || self.options.table != options.table) {
            self.remove();
        }
        if wanted == self.shape && *options == self.options {
            return;
        }
        if self.table().is_none() {
            Self::clear(&options.table);
            self.pairs = None;
        }
        self.options = options.clone();
        self.shape = self.make(wanted);
    }

    /// What of `wanted` the host can do.
    fn make(&mut self, wanted: Shape) -> Shape {
        self.cannot_redirect = false;
        let Err(error) = firewall::apply(&rules::make(&self.options, wanted)) else {
            return wanted;
        };
        let less = wanted.without_devices();
        if less != wanted {
            self.cannot_redirect = true;
            tracing::warn!(
                "what devices with a virtual MAC send by themselves cannot be redirected: {}",
                Chain(&error)
            );
            if less.is_empty() || firewall::apply(&rules::make(&self.options, less)).is_ok() {
                return less;
            }
        }
        tracing::warn!(
            "traffic to addresses without accept mode is NOT dropped: {}",
            Chain(&error)
        );
        Shape::default()
    }

    /// Tells the rules which devices there are. Before a device is switched on.
    pub(super) fn set_devices(&mut self, pairs: Vec<Pair>) {
        if self.pairs.as_ref() == Some(&pairs) {
            return;
        }
        let script = rules::devices(&self.options, self.shape, &pairs);
        if !script.is_empty()
            && let Err(error) = firewall::apply(&script)
        {
            tracing::warn!("{}", Chain(&error));
            return;
        }
        self.pairs = Some(pairs);
    }

    /// Removes the tables.
    pub(super) fn remove(&mut self) {
        if self.table().is_some()
            && let Err(error) = firewall::apply(&rules::remove(&self.options))
        {
            tracing::warn!("a firewall table may be left: {}", Chain(&error));
        }
        *self = Self::default();
    }
}
