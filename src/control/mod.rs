//! What others read of the daemon: notifications and dumps.

pub mod notify;
pub mod reasons;
pub mod recording;
pub mod request;
pub mod statistics;
pub mod status;
pub mod vocabulary;
