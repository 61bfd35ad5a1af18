#![expect(
    unsafe_code,
    reason = "the C face: raw pointers come in, C functions are called"
)]
#![allow(non_camel_case_types)]
#![allow(clippy::missing_safety_doc, reason = "said once, below")]

//! The C functions. Their contracts are written in these files only; include/pirn.h is generated
//! from them.
//!
//! The functions are unsafe because the caller must guarantee the following. `loop` is NULL or came
//! from `pirn_init`. The call is made on the loop's thread, unless the function's description
//! allows any thread. Outputs are NULL or writable. A struct that begins with its size is readable
//! for that size. Further conditions are in the description of the function.
//!
//! Every function takes the same steps: check the loop, check the arguments, borrow the reactor for
//! one call, convert the result. No part of the loop is borrowed while a callback runs.

mod head;

// Each of these is a section of the header; pirn.h.in has their order.
mod backend;
mod caller;
mod config;
mod embed;
mod error;
mod grow;
mod hook;
mod host;
mod info;
mod init;
mod io;
mod memory;
mod remote;
mod run;
mod running;
mod stats;
mod take;
mod task;
mod timer;

pub use backend::*;
pub use config::*;
pub use embed::*;
pub use error::*;
pub use grow::*;
pub use head::pirn_loop;
pub use hook::*;
pub use host::*;
pub use info::*;
pub use init::*;
pub use io::*;
pub use memory::*;
pub use remote::*;
pub use run::*;
pub use stats::*;
pub use take::*;
pub use task::*;
pub use timer::*;

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::remote::Shared;
use crate::token::Token;

macro_rules! handle {
    ($name:ident) => {
        impl From<Token> for $name {
            #[inline]
            fn from(token: Token) -> Self {
                $name {
                    slot: token.slot,
                    generation: token.generation,
                }
            }
        }

        impl From<$name> for Token {
            #[inline]
            fn from(handle: $name) -> Self {
                Token {
                    slot: handle.slot,
                    generation: handle.generation,
                }
            }
        }
    };
}

handle!(pirn_io);

handle!(pirn_timer);

handle!(pirn_task);

/// The result of a C function for an error.
#[inline]
fn failure(error: Error) -> c_int {
    -error.errno()
}

/// The result of a C function that returns 0 on success.
#[inline]
fn status(result: Result<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => failure(error),
    }
}

/// The result of a C function that returns a count.
fn count(result: Result<u32>) -> c_int {
    match result {
        Ok(count) => c_int::try_from(count).unwrap_or(c_int::MAX),
        Err(error) => failure(error),
    }
}

/// Writes the handle to `out`, if that is not NULL, and returns the result for C.
///
/// # Safety
///
/// `out` is NULL or writable.
#[inline]
unsafe fn write_handle<T: From<Token>>(result: Result<Token>, out: *mut T) -> c_int {
    match result {
        Ok(token) => {
            if !out.is_null() {
                // SAFETY: not NULL, hence writable, as the function's documentation asks of its
                // caller.
                unsafe { out.write(T::from(token)) };
            }
            0
        }
        Err(error) => failure(error),
    }
}

/// The callback as the core stores it. Returns `EINVAL` from the function for a NULL callback,
/// unless the loop was made with `PIRN_TAKE`.
macro_rules! callback {
    ($loop:expr, $callback:expr, $user:expr) => {
        $crate::callback::Callback {
            function: match $callback {
                Some(function) => $crate::ffi::address(function as *mut ()),
                // SAFETY: a live loop, as the caller has found.
                None if unsafe { $crate::ffi::takes($loop) } => $crate::ffi::NO_CALLBACK,
                None => return $crate::ffi::failure($crate::error::Error::EINVAL),
            },
            user: $user.cast(),
        }
    };
}

use callback;

/// Stands for a NULL callback in the core, which cannot store NULL. No function has this address.
const NO_CALLBACK: NonNull<()> = NonNull::dangling();

/// True if the loop was made with `PIRN_TAKE`: its callbacks are never called.
///
/// # Safety
///
/// A live loop.
#[inline]
unsafe fn takes(r#loop: *const pirn_loop) -> bool {
    // SAFETY: a live loop; the field was written by `pirn_init` and never changes.
    unsafe { (*r#loop).0.flags & PIRN_TAKE != 0 }
}

/// The function of a callback as the program passed it, NULL for `NO_CALLBACK`.
fn function(callback: &Callback) -> *mut () {
    if callback.function == NO_CALLBACK {
        core::ptr::null_mut()
    } else {
        callback.function.as_ptr()
    }
}

/// The address of a function, which is never NULL.
#[inline]
fn address(function: *mut ()) -> NonNull<()> {
    NonNull::new(function).unwrap_or(NonNull::dangling())
}

/// Borrows the loop's reactor for one call. Returns `EINVAL` from the function if the pointer is
/// not a live loop.
macro_rules! live_reactor {
    ($loop:expr) => {
        // SAFETY: the caller of the C function promises that the pointer is NULL or came from
        // `pirn_init`, and that it is on the loop's thread; the borrow ends before a callback is
        // called or the function returns.
        match unsafe { $crate::ffi::reactor($loop) } {
            Ok(reactor) => reactor,
            Err(error) => return $crate::ffi::failure(error),
        }
    };
}

use live_reactor;

/// Returns `EINVAL` unless the pointer is a live loop: the first word there must be `live_magic`,
/// which depends on the address.
///
/// # Safety
///
/// NULL, or readable for the size of a loop's head.
#[inline]
unsafe fn check(r#loop: *const pirn_loop) -> Result<()> {
    if r#loop.is_null() {
        return Err(Error::EINVAL);
    }
    // SAFETY: not NULL, hence readable as the caller promises. An unaligned read, because the
    // pointer may be misaligned: it is then no loop, and the comparison fails.
    let magic = unsafe { r#loop.cast::<u64>().read_unaligned() };
    if magic == head::live_magic(r#loop) {
        Ok(())
    } else {
        Err(Error::EINVAL)
    }
}

/// The part of the loop that only its own thread may use.
///
/// # Safety
///
/// As [`check`]. Also: the call is made on the loop's thread, no other borrow of the reactor
/// exists, and the borrow ends before a callback is called.
#[inline]
unsafe fn reactor<'a>(r#loop: *mut pirn_loop) -> Result<&'a mut head::CReactor> {
    // SAFETY: passed on.
    unsafe { check(r#loop)? };
    #[cfg(all(debug_assertions, linux_backend))]
    // SAFETY: a live loop.
    unsafe {
        running::check_thread(r#loop)?;
    }
    // SAFETY: a live loop holds an initialised reactor, and the caller promises that no other
    // borrow exists.
    Ok(unsafe { &mut (*r#loop).0.reactor })
}

/// The part of the loop that any thread may use.
///
/// # Safety
///
/// As [`check`].
#[inline]
unsafe fn shared<'a>(r#loop: *const pirn_loop) -> Result<&'a Shared<'static, head::CWaker>> {
    // SAFETY: passed on.
    unsafe { check(r#loop)? };
    // SAFETY: a live loop; the pointer was written by `pirn_init` and does not change.
    let shared = unsafe { (*r#loop).0.shared };
    // SAFETY: it points into the block, which exists as long as the loop, and all borrows of it are
    // shared.
    Ok(unsafe { &*shared })
}

/// The user data of a callback, for a call.
#[inline]
fn user_of(callback: &Callback) -> *mut c_void {
    callback.user.cast()
}
