//! The kernel: everything the daemon asks of it goes through here.

pub mod netlink;
