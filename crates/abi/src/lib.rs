//! The C interface of pirn's core, declared for Rust: the types, constants and functions of
//! `pirn.h`.
//!
//! Layers are built on these declarations and know nothing else of the core. A Rust program
//! resolves them by linking the crate `pirn` with its feature `ffi`, a C program by linking
//! `libpirn`.

#![no_std]
#![allow(non_camel_case_types)]

#[rustfmt::skip]
mod declarations;

pub use declarations::*;
