#![allow(non_camel_case_types)]
//! The C functions. What they promise is written here, once; include/pirn/wait.h and `functions.rs`
//! are generated from it.

mod build;
mod hub;
mod port;
mod waiter;

pub use build::*;
pub use hub::*;
pub use port::*;
pub use waiter::*;
