#![expect(unsafe_code, reason = "the C face")]
//! Moving a live loop to another block.

use core::ffi::{c_int, c_void};

use crate::error::{Error, Result};

use crate::storage::{Capacity, Tables};

use super::memory::{PIRN_STORAGE_BASE, storage_size};
use super::{failure, pirn_loop, reactor};

/// Change the capacities of a live loop.
///
/// The loop's tables, with all watchers, timers, tasks and posts, move into `block`. All handles
/// stay valid. The loop itself stays at the front of the block given to `pirn_init`: its address
/// does not change, and you must keep at least that part of the block.
///
/// A capacity may become smaller if everything in use fits: the `slot` in the handle of every
/// watcher and timer must be below the new capacity, and the queued tasks and posts must fit.
///
/// During this call no thread or signal handler may post to this loop, or raise, wake or stop it.
/// They may continue when the call has returned.
///
/// @param block     memory aligned as a `uint64_t`; it belongs to the loop until the next
///                  `pirn_grow` or `pirn_deinit`
/// @param size      size of the block in bytes, at least `PIRN_STORAGE_SIZE(io, timers, tasks)`
/// @param io        the new capacity for I/O watchers
/// @param timers    the new capacity for timers
/// @param tasks     the new capacity for tasks; that for posts is half of it, rounded up
/// @param free      receives the address of the memory that you may use again: at the first growth
///                  the end of the block given to `pirn_init`, later the whole block of the
///                  previous growth; or NULL
/// @param free_size receives the size of that memory in bytes; or NULL. Both are unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; `block` is NULL or overlaps the present tables
/// - -EFAULT: the block is not aligned as a `uint64_t`
/// - -ENOBUFS: the block is too small
/// - -EBUSY: inside a callback or a run; a turn is not finished (because a limit interrupted it, or
///   because `pirn_wait` found events that were not dispatched yet); another thread is posting at
///   this moment; or something in use does not fit
/// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
///
/// Nothing has changed on an error. Cost: O(what was ever used of the old block, and the new
/// `tasks`), no system call. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_grow(
    r#loop: *mut pirn_loop,
    block: *mut c_void,
    size: usize,
    io: u32,
    timers: u32,
    tasks: u32,
    free: *mut *mut c_void,
    free_size: *mut usize,
) -> c_int {
    let capacity = Capacity { io, timers, tasks };
    // SAFETY: passed on.
    match unsafe { grow(r#loop, block, size, capacity) } {
        Ok((address, length)) => {
            if !free.is_null() {
                // SAFETY: not NULL, hence writable as documented.
                unsafe { free.write(address.cast()) };
            }
            if !free_size.is_null() {
                // SAFETY: as above.
                unsafe { free_size.write(length) };
            }
            0
        }
        Err(error) => failure(error),
    }
}

/// Returns the address and the size of the memory that is free now.
unsafe fn grow(
    r#loop: *mut pirn_loop,
    block: *mut c_void,
    size: usize,
    capacity: Capacity,
) -> Result<(*mut u8, usize)> {
    // SAFETY: passed on.
    unsafe { super::check(r#loop)? };
    // SAFETY: a live loop, as was checked.
    unsafe { super::running::idle(r#loop)? };
    // SAFETY: passed on; nobody is inside.
    let reactor = unsafe { reactor(r#loop)? };
    // SAFETY: as above; the tables are not part of the reactor that is borrowed.
    let (old, old_size) = unsafe { (*r#loop).0.tables };
    let new = block.cast::<u8>();
    let begins_within = |first: *mut u8, length: usize, other: *mut u8| {
        other.addr().wrapping_sub(first.addr()) < length
    };
    if block.is_null() || begins_within(old, old_size, new) || begins_within(new, size, old) {
        return Err(Error::EINVAL);
    }
    if !block.cast::<u64>().is_aligned() {
        return Err(Error::EFAULT);
    }
    if storage_size(PIRN_STORAGE_BASE, capacity).is_none_or(|needed| needed > size) {
        return Err(Error::ENOBUFS);
    }
    // SAFETY: writable, as documented, and lent until the tables move on; it is no part of the
    // loop's memory.
    let tables = unsafe { Tables::divide(new, size, capacity) }.ok_or(Error::ENOBUFS)?;
    reactor.move_to(tables, |shared, entries| {
        if shared.is_closed() {
            return Err(Error::ESHUTDOWN);
        }
        if !shared.fits(entries.len()) {
            return Err(Error::EBUSY);
        }
        // SAFETY: nobody else is inside, as documented.
        unsafe { shared.move_to(entries) };
        Ok(())
    })?;
    reactor.set_block_size(size);
    // SAFETY: a live loop, of which only the reactor is borrowed.
    unsafe { (*r#loop).0.tables = (new, size) };
    // SAFETY: as above.
    unsafe { (*r#loop).0.capacity = capacity };
    Ok((old, old_size))
}
