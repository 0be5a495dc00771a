//! What the fuzzer runs, and what the tests replay its corpus with.
#![allow(dead_code, reason = "each target uses one of them")]
#![allow(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what ends it is a finding"
)]

mod config;
mod inputs;
mod packet;

pub(crate) use config::config;
pub(crate) use inputs::inputs;
pub(crate) use packet::packet;

/// The bytes of an input, one after the other.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl<'a> Bytes<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self(data.iter())
    }

    fn next(&mut self) -> Option<u8> {
        self.0.next().copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.0.as_slice()
    }
}
