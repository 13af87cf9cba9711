//! Interoperation with SCTP stacks that others wrote, over UDP encapsulation (RFC 6951), in a
//! network of two namespaces and two paths. Everything that crosses it is captured, and tshark has
//! to find nothing wrong with it.
//!
//! The peers are usrsctp and, in a virtual machine, the Linux kernel's SCTP. Needs root, tshark,
//! gcc, usrsctp's header, and for the virtual machine QEMU and Debian's package tools; what is
//! missing is said and the test skipped.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

mod asconf;
mod auth;
mod capture;
mod ecn;
mod endings;
mod linux;
mod linux_extensions;
mod multihoming;
mod nat;
mod network;
mod partial;
mod peer;
mod raw;
mod reconfig;
mod rows;
mod setup;
mod stray;
mod streams;
mod transfer;
mod vm;
