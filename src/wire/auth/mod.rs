//! Cryptographic authentication of adverts. Nothing in here keeps state: sequence numbers come
//! from the caller.

pub mod ah;
pub mod hmac;
