//! Devices that a configuration wants on the host, with the kernel's settings and the firewall
//! rules that go with them. Pure: nothing here asks the system or changes it.

pub mod device;
pub mod rules;
pub mod setting;
