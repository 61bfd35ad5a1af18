#![expect(unsafe_code, reason = "the C face: blocks of raw memory become loops")]
//! Making a loop, ending it, and using it in a forked child.

use core::ffi::{c_int, c_void};
use core::mem::offset_of;

use crate::atomic::AtomicUsize;
use crate::backend::BackendKind;
use crate::error::{Error, Result};
use crate::reactor::Reactor;
use crate::storage::{Block, Capacity};

use super::config::{PIRN_MEASURE, PIRN_NO_FORK_CHECK, PIRN_TAKE, pirn_config, read_sized};
use super::head::{CWaker, Head, STORAGE_MAGIC, live_magic};
use super::host::open;
use super::memory::{HOST_ONLY_BASE, PIRN_STORAGE_BASE, storage_size};
use super::{failure, pirn_loop, reactor, status};

/// Make a loop in a block of memory.
///
/// The block must stay at its address until `pirn_deinit`, and the program must not write to it.
/// The loop uses no other memory. The block need not be zeroed: pass recycled memory as it is, with
/// the capacities in `config`. A block that still holds a live loop is refused with -EBUSY. A block
/// may be larger than required: the select backend then watches higher fds, up to 2^20, and the
/// epoll backend fetches more events at once, up to 1024.
///
/// @param loop   receives the loop's address; unchanged on error
/// @param block  memory aligned as a `uint64_t`: declared with `PIRN_STORAGE`, or any other memory
///               with the capacities in `config`
/// @param size   size of the block in bytes, at least `PIRN_STORAGE_SIZE` of its capacities
/// @param config the configuration, or NULL for the defaults: backend auto, capacities as declared
///               with `PIRN_STORAGE`
///
/// Returns 0, or
/// - -EINVAL: `loop` or `block` is NULL; unknown backend or flag; host functions missing, or given
///   without `PIRN_BACKEND_HOST`; a size that ends inside a field
/// - -EFAULT: the block is not aligned as a `uint64_t`
/// - -ENODATA: there are no capacities: those in `config` are 0, and the block was not declared
///   with `PIRN_STORAGE`
/// - -ENOBUFS: the block is too small for its capacities: see `pirn_storage_size`
/// - -ELIBBAD: the block was declared with `PIRN_HOST_ONLY`, but this library has other backends
///   than the host's
/// - -EBADMSG: the `size` field of config or host is not set
/// - -E2BIG: config or host has fields that this library does not know and that are not zero, or
///   its `size` is above 256
/// - -EBUSY: the block holds a live loop
/// - -EOPNOTSUPP: this library was built without that backend, or none of its backends works on
///   this machine
/// - -EMFILE, -ENFILE, -ENOMEM, -ENOSYS, -EPERM: the kernel's error; no fd stays open
/// - -ERANGE: backend select, and all fds that it can watch are in use
///
/// Opens one fd (select, poll) or two (epoll), which are closed on exec. Writes the places for
/// posts, which are half as many as `tasks`, and little else: the rest of the block is written as
/// it is used. Cost: O(tasks), three system calls. Any thread; the loop then belongs to the thread
/// that runs it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_init(
    r#loop: *mut *mut pirn_loop,
    block: *mut c_void,
    size: usize,
    config: *const pirn_config,
) -> c_int {
    if r#loop.is_null() {
        return failure(Error::EINVAL);
    }
    // SAFETY: passed on.
    let result = unsafe { plan(block, size, config) }.and_then(|plan| {
        // SAFETY: passed on.
        unsafe { make(block, size, &plan) }
    });
    match result {
        Ok(made) => {
            // SAFETY: not NULL, hence writable as documented.
            unsafe { r#loop.write(made) };
            0
        }
        Err(error) => failure(error),
    }
}

/// The checked arguments of `pirn_init`.
struct Plan {
    kind: BackendKind,
    config: pirn_config,
    capacity: Capacity,
    /// Counts the loops made in the block.
    epoch: u32,
}

/// Checks the arguments of `pirn_init`.
///
/// # Safety
///
/// As `pirn_init`.
unsafe fn plan(block: *mut c_void, size: usize, config: *const pirn_config) -> Result<Plan> {
    if block.is_null() {
        return Err(Error::EINVAL);
    }
    if !block.cast::<u64>().is_aligned() {
        return Err(Error::EFAULT);
    }
    if size < size_of::<[u64; 3]>() {
        return Err(Error::ENOBUFS);
    }
    // SAFETY: the block is aligned and longer than its first three words.
    let [magic, io_and_timers, tasks_and_epoch] = unsafe { block.cast::<[u64; 3]>().read() };
    if magic == live_magic(block.cast()) {
        return Err(Error::EBUSY);
    }
    // SAFETY: passed on.
    let config = unsafe { read_sized::<pirn_config>(config, offset_of!(pirn_config, host))? };
    let mut capacity = Capacity {
        io: config.io,
        timers: config.timers,
        tasks: config.tasks,
    };
    if capacity == Capacity::default() {
        if magic != STORAGE_MAGIC {
            return Err(Error::ENODATA);
        }
        capacity = Capacity {
            io: io_and_timers as u32,
            timers: (io_and_timers >> 32) as u32,
            tasks: tasks_and_epoch as u32,
        };
    }
    let kind = BackendKind::from_number(config.backend).ok_or(Error::EINVAL)?;
    if config.flags & !(PIRN_MEASURE | PIRN_TAKE | PIRN_NO_FORK_CHECK) != 0
        || config.reserved != 0
        || config.host.is_null() != (kind != BackendKind::Host)
    {
        return Err(Error::EINVAL);
    }
    if storage_size(PIRN_STORAGE_BASE, capacity).is_none_or(|needed| needed > size) {
        let is_for_host_only = storage_size(HOST_ONLY_BASE, capacity) == Some(size);
        return Err(if is_for_host_only {
            Error::ELIBBAD
        } else {
            Error::ENOBUFS
        });
    }
    Ok(Plan {
        kind,
        config,
        capacity,
        epoch: ((tasks_and_epoch >> 32) as u32).wrapping_add(1),
    })
}

/// Makes the loop in a block that is large enough for it.
///
/// # Safety
///
/// As `pirn_init`.
unsafe fn make(block: *mut c_void, size: usize, plan: &Plan) -> Result<*mut pirn_loop> {
    let Plan {
        kind,
        ref config,
        capacity,
        epoch,
    } = *plan;
    let made = block.cast::<pirn_loop>();
    // SAFETY: the loop's head has the size of `pirn_loop`, below `PIRN_STORAGE_BASE`, hence inside
    // the block.
    let rest = unsafe { made.add(1) }.cast::<u8>();
    let size_of_rest = size - size_of::<pirn_loop>();
    // SAFETY: what follows the head, to the end of the block, is writable and was lent by the
    // caller until deinit.
    let divided = unsafe { Block::<CWaker>::divide(rest, size_of_rest, capacity, epoch) };
    let mut divided = divided.ok_or(Error::EINVAL)?;
    let tables = Block::<CWaker>::table_memory(rest, size_of_rest).ok_or(Error::EINVAL)?;
    let area = divided.take_area();
    // SAFETY: passed on.
    let backend = unsafe { open(kind, config.host, area)? };
    let waker = backend.waker(config.flags & PIRN_NO_FORK_CHECK == 0);
    let parts = divided.with_size(size).into_parts(waker);
    let head = Head {
        magic: live_magic(made),
        io_and_timers: u64::from(capacity.io) | u64::from(capacity.timers) << 32,
        tasks_and_epoch: u64::from(capacity.tasks) | u64::from(epoch) << 32,
        shared: parts.shared,
        tables,
        capacity,
        inside: AtomicUsize::new(0),
        #[cfg(all(debug_assertions, linux_backend))]
        runner: super::running::Runner::default(),
        flags: config.flags,
        dispatch_with_hooks: None,
        call_timers: None,
        call_tasks: None,
        reactor: Reactor::new(
            backend,
            parts,
            config.flags & PIRN_MEASURE != 0,
            config.seed,
        ),
    };
    // SAFETY: inside the block, writable, aligned as a `u64` and thereby, as asserted above, as a
    // loop.
    unsafe { made.write(pirn_loop(head)) };
    Ok(made)
}

/// End a loop.
///
/// Closes the loop's own fds and leaves those of the application open. All watchers, timers and
/// tasks are removed, and no callback is called. If queued tasks or posts own memory, take them
/// back with `pirn_task_reclaim` first. Afterwards the block belongs to the caller, who may pass it
/// to `pirn_init` again.
///
/// In a forked child this discards the child's copy: the parent's loop is not affected, and it does
/// not matter what other threads of the parent were doing at the fork. For a fork inside a callback
/// see `pirn_after_fork`.
///
/// Before you call this, make sure that no thread or signal handler can still post to this loop, or
/// raise, wake or stop it.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback or a run; or another thread is posting to the loop at this moment:
///   call again
///
/// Nothing has changed on an error.
///
/// Cost: O(1), up to three system calls. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_deinit(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    let result = match unsafe { super::shared(r#loop) } {
        // SAFETY: a live loop, as `shared` has found.
        Ok(shared) => match unsafe { super::running::check_idle(r#loop) } {
            Ok(()) => shared.close_and_check_idle_here(),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    if result.is_ok() {
        // SAFETY: a live loop, and nothing of it is borrowed: not running, no other thread inside.
        let reactor = unsafe { &raw mut (*r#loop).0.reactor };
        // SAFETY: as above; it is not used again.
        unsafe { reactor.drop_in_place() };
        // SAFETY: as above. From now on the block contains its capacities and no loop.
        unsafe { (*r#loop).0.magic = STORAGE_MAGIC };
    }
    status(result)
}

/// Make a loop usable in a forked child.
///
/// A fork copies the loop's memory, but the kernel objects are shared with the parent. So in the
/// child the functions that would use them return -ECHILD: `pirn_io_add`, `pirn_io_remove`,
/// `pirn_fd_closing`, `pirn_fd`, `pirn_prepare`, `pirn_wait`, `pirn_turn`, `pirn_run` and
/// `pirn_run_until`. If a callback forks, the run in the child returns -ECHILD after that turn. All
/// other functions change only the child's copy. The child then has two choices. This function
/// gives the copy kernel objects of its own, and keeps its watchers, timers, tasks and posts.
/// `pirn_deinit` ends the copy. Neither affects the parent's loop.
///
/// Call this in the child only, and before another thread of the child uses the copy. The library
/// recognises a child by its process number. A child with the same number as its parent must
/// therefore call this function or `pirn_deinit` before any other: this happens if a process with
/// the number 1 creates a child in a new pid namespace.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback; or another thread was in a callback when the process forked, and
///   its stack has higher addresses than this one: call `pirn_abandon` first. On a stack of your
///   own, such as a coroutine's, the callback is not recognised: return from it before you call
///   this
/// - -EUCLEAN: another thread was changing the loop when the process forked; `pirn_deinit` is the
///   only choice left
/// - -EMFILE, -ENFILE, -ENOMEM: the kernel's error; you may call again
///
/// A watcher whose fd the child has closed is called with `PIRN_INVALID`. If you use `pirn_fd`,
/// call it again: the fd has changed. Cost: O(everything), and O(watchers) system calls. Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_after_fork(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    let result = unsafe { super::check(r#loop) }.and_then(|()| {
        // SAFETY: a live loop, as was checked.
        unsafe { super::running::idle(r#loop)? };
        // SAFETY: passed on; nobody is inside.
        unsafe { reactor(r#loop)? }.after_fork()
    });
    status(result)
}
