#![expect(
    unsafe_code,
    reason = "the C face: raw pointers come in, C functions are called"
)]
#![allow(non_camel_case_types)]
#![allow(clippy::missing_safety_doc, reason = "said once, below")]

//! The C functions. What they promise is written here, once; include/pirn.h is generated from it.
//!
//! The functions are unsafe because pointers come from C: `loop` is NULL or came from `pirn_init`,
//! and the call is made on the loop's thread unless its text says otherwise; outputs are NULL or
//! writable; a struct that begins with its size is readable for that size. What else a function
//! asks is in its text.
//!
//! Every function follows the same steps: check the loop, check the arguments, borrow the reactor
//! for one call, translate the result. Nothing of the loop is borrowed while a callback runs.

mod head;

// Those that are sections of the header, in its order: see pirn.h.in.
mod backend;
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

/// What a function returns for an error.
#[inline]
fn failure(error: Error) -> c_int {
    -error.errno()
}

/// What a function returns that has nothing to tell but success.
#[inline]
fn status(result: Result<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => failure(error),
    }
}

/// What a function returns that counts.
fn count(result: Result<u32>) -> c_int {
    match result {
        Ok(count) => c_int::try_from(count).unwrap_or(c_int::MAX),
        Err(error) => failure(error),
    }
}

/// Gives a handle to the caller, if it wants it, or tells why there is none.
///
/// # Safety
///
/// `out` is NULL or writable.
#[inline]
unsafe fn give<T: From<Token>>(result: Result<Token>, out: *mut T) -> c_int {
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

/// A callback as the core keeps it, or `EINVAL` for NULL where NULL is not allowed.
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

/// What stands for a NULL callback in the core, which keeps no NULL: no function begins at this
/// address.
const NO_CALLBACK: NonNull<()> = NonNull::dangling();

/// True if the loop was made with `PIRN_TAKE`: nothing calls its callbacks.
///
/// # Safety
///
/// A live loop.
#[inline]
unsafe fn takes(r#loop: *const pirn_loop) -> bool {
    // SAFETY: of a live loop; written by `pirn_init`, and never again.
    unsafe { (*r#loop).0.flags & PIRN_TAKE != 0 }
}

/// The address of a callback's function: NULL if it was NULL.
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

/// Borrows the loop's own half for one call, or returns from the function with what is wrong with
/// the pointer.
macro_rules! enter {
    ($loop:expr) => {
        // SAFETY: the caller of the C function promises that the pointer is NULL or came from
        // `pirn_init`, and that it is on the loop's thread; the borrow ends before a callback is
        // made or the function returns.
        match unsafe { $crate::ffi::reactor($loop) } {
            Ok(reactor) => reactor,
            Err(error) => return $crate::ffi::failure(error),
        }
    };
}

use enter;

/// Whether the pointer is a live loop: what it points at begins with a word that is made of its
/// address.
///
/// # Safety
///
/// NULL, or readable for the size of a loop's head.
#[inline]
unsafe fn check(r#loop: *const pirn_loop) -> Result<()> {
    if r#loop.is_null() {
        return Err(Error::EINVAL);
    }
    // SAFETY: not NULL, hence readable as the caller promises. Read without regard to alignment: a
    // misaligned pointer is no loop and is found out by the comparison.
    let magic = unsafe { r#loop.cast::<u64>().read_unaligned() };
    if magic == head::live_magic(r#loop) {
        Ok(())
    } else {
        Err(Error::EINVAL)
    }
}

/// The loop's own half.
///
/// # Safety
///
/// As [`check`], and: on the loop's thread, with no other borrow of the reactor alive. It ends
/// before a callback is made.
#[inline]
unsafe fn reactor<'a>(r#loop: *mut pirn_loop) -> Result<&'a mut head::CReactor> {
    // SAFETY: passed on.
    unsafe { check(r#loop)? };
    #[cfg(all(debug_assertions, linux_backend))]
    // SAFETY: a live loop.
    unsafe {
        run::check_thread(r#loop)?;
    }
    // SAFETY: a live loop holds an initialised reactor; that the borrow is the only one the caller
    // promises.
    Ok(unsafe { &mut (*r#loop).0.reactor })
}

/// The half of the loop that any thread may touch.
///
/// # Safety
///
/// As [`check`].
#[inline]
unsafe fn shared<'a>(r#loop: *const pirn_loop) -> Result<&'a Shared<'static, head::CWaker>> {
    // SAFETY: passed on.
    unsafe { check(r#loop)? };
    // SAFETY: of a live loop the pointer was written by `pirn_init` and does not change.
    let shared = unsafe { (*r#loop).0.shared };
    // SAFETY: it points into the block, which stays while the loop lives, and is only ever borrowed
    // shared.
    Ok(unsafe { &*shared })
}

/// Takes a callback apart again for a call.
#[inline]
fn user_of(callback: &Callback) -> *mut c_void {
    callback.user.cast()
}
