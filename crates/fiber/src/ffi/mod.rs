#![allow(non_camel_case_types)]
//! The C functions. What they promise is written here, once; include/pirn/fiber.h is generated from
//! it.

mod fiber;
mod group;
#[cfg(target_os = "linux")]
mod io;
mod pool;
mod port;
mod scope;

pub use fiber::*;
pub use group::*;
#[cfg(target_os = "linux")]
pub use io::*;
pub use pool::*;
pub use port::*;
pub use scope::*;
