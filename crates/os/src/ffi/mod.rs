#![expect(
    unsafe_code,
    reason = "the functions of the core are called, which are C functions"
)]
#![allow(non_camel_case_types)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what C asks of pointers holds for all"
)]
//! The C functions. Their contracts are written in these files only; include/pirn/os.h is generated
//! from them.
//!
//! In C a source is a struct provided by the caller. It contains the source's fd, and a watcher for
//! that fd in the loop. This file has the functions that all kinds of sources share.

mod child;
mod clock;
mod files;
mod signal;

pub use child::*;
pub use clock::*;
pub use files::*;
pub use signal::*;

use core::ffi::{c_int, c_void};

use pirn_abi::{
    PIRN_BACKEND_HOST, PIRN_HIGH, PIRN_INVALID, PIRN_LOW, PIRN_READ, PIRN_UNREF, pirn_backend,
    pirn_io, pirn_io_add, pirn_io_fn, pirn_io_modify, pirn_io_remove, pirn_loop,
};

use crate::sys::{self, Errno, Result};

/// The options that every source passes on to its watcher.
const WATCHER_OPTIONS: u32 = PIRN_HIGH | PIRN_LOW | PIRN_UNREF;

/// The handle of a source that is not added.
const NO_IO: pirn_io = pirn_io {
    slot: 0,
    generation: 0,
};

/// The result of a C function that returns 0 on success.
fn status(result: Result<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => -error.raw_os_error(),
    }
}

/// Converts the result of a function of the core.
fn result(status: c_int) -> Result<()> {
    match status {
        0.. => Ok(()),
        _ => Err(sys::error(status.wrapping_neg())),
    }
}

/// Returns an error if no source can be added to this loop or with these options. `own` are the
/// options that only this kind of source has.
///
/// # Safety
///
/// `r#loop` is NULL or came from `pirn_init`.
unsafe fn check(r#loop: *mut pirn_loop, options: u32, own: u32) -> Result<()> {
    // SAFETY: passed on.
    let backend = unsafe { pirn_backend(r#loop) };
    result(backend)?;
    // A host chooses its own numbers for fds: a real fd could be mistaken for one of them.
    if backend == PIRN_BACKEND_HOST as c_int {
        return Err(Errno::OPNOTSUPP);
    }
    if options & !(WATCHER_OPTIONS | own) != 0 {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// Watches the fd of a source.
///
/// # Safety
///
/// `r#loop` is NULL or came from `pirn_init`; `callback` may be called with `source` until
/// `unwatch`.
unsafe fn watch(
    r#loop: *mut pirn_loop,
    fd: c_int,
    options: u32,
    callback: pirn_io_fn,
    source: *mut c_void,
) -> Result<pirn_io> {
    let mut io = NO_IO;
    let interest = PIRN_READ | options & WATCHER_OPTIONS;
    // SAFETY: the loop is passed on, and `io` is writable.
    result(unsafe { pirn_io_add(r#loop, fd, interest, callback, source, &mut io) })?;
    Ok(io)
}

/// Removes the watcher and closes the fd, unless the fd is lost. Does nothing in a forked child
/// that has not called `pirn_after_fork`.
///
/// # Safety
///
/// `r#loop` came from `pirn_init` and is readable; the fd is the source's own.
unsafe fn unwatch(r#loop: *mut pirn_loop, io: pirn_io, fd: c_int) -> Result<()> {
    // SAFETY: passed on.
    let removed = result(unsafe { pirn_io_remove(r#loop, io) });
    // Any other error means that the loop has ended, or that the program removed the watcher by its
    // handle.
    if removed == Err(Errno::CHILD) {
        return removed;
    }
    if fd >= 0 {
        // SAFETY: not negative, and passed on.
        unsafe { sys::close(fd) };
    }
    Ok(())
}

/// Pauses the watcher of a source.
///
/// # Safety
///
/// `r#loop` came from `pirn_init` and is readable.
unsafe fn rest(r#loop: *mut pirn_loop, io: pirn_io) {
    // SAFETY: passed on. The call fails only if the watcher was removed.
    unsafe { pirn_io_modify(r#loop, io, 0) };
}

/// True if `ready` contains `PIRN_INVALID`. If another part of the program has closed the fd, `fd`
/// is set to -1: the number may already belong to another file, which must not be closed.
fn is_lost(ready: u32, fd: &mut c_int) -> bool {
    let is_lost = ready & PIRN_INVALID != 0;
    if is_lost && *fd >= 0 && !sys::is_open(*fd) {
        *fd = -1;
    }
    is_lost
}
