//! Auth methods, a folder each: the engines that answer behind `auth/`.
//!
//! A method says who someone is ([`crate::engine::Auth`]); the router makes the token of it. Only
//! [`token`] makes its tokens itself.
//!
//! It never decides what a token may do.

pub mod token;
