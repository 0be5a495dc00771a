//! What a person or a program at the command line sees.

pub(crate) mod ask;
pub(crate) mod check;
pub(crate) mod convert;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod flags;
pub(crate) mod host;
pub(crate) mod loader;
pub(crate) mod logging;
pub(crate) mod mask;
pub(crate) mod nodes;
pub(crate) mod reload;
pub(crate) mod render;
pub(crate) mod sarif;
pub(crate) mod status;
pub(crate) mod table;
