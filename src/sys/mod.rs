//! The kernel and processes, behind types of our own.

mod ffi;
pub mod file;
pub mod firewall;
pub mod folder;
pub mod namespace;
pub mod netlink;
pub mod pidfile;
pub mod process;
pub mod schedule;
pub mod socket;
pub mod sysctl;
pub mod tap;
pub mod trail;
