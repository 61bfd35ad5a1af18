#![expect(unsafe_code, reason = "the C face")]
//! How large a block must be.

use core::mem::offset_of;

use crate::storage::{Capacity, PER_IO, PER_TASK, PER_TIMER, fixed_size};

use super::head::{CWaker, Head, pirn_loop};

/// The first word of a block that `PIRN_STORAGE` declared.
pub const PIRN_STORAGE_MAGIC: u64 = 0x6b63_6f6c_6e72_6970;

/// The fixed part of a block in bytes. The header defines the same number; a test compares the two.
pub const PIRN_STORAGE_BASE: usize = if cfg!(not(host_only)) {
    3584
} else {
    HOST_ONLY_BASE
};

/// The value that the header defines with `PIRN_HOST_ONLY`.
pub(super) const HOST_ONLY_BASE: usize = if POINTER == 8 { 1584 } else { 1080 };

/// The result of `PIRN_STORAGE_SIZE` in C, computed from the sizes of the Rust types. `None` on
/// overflow.
pub(super) const fn storage_size(base: usize, capacity: Capacity) -> Option<usize> {
    let io = PER_C_IO.checked_mul(capacity.io as usize);
    let timers = PER_C_TIMER.checked_mul(capacity.timers as usize);
    let tasks = PER_C_TASK.checked_mul(capacity.tasks as usize);
    let (Some(io), Some(timers), Some(tasks)) = (io, timers, tasks) else {
        return None;
    };
    let Some(sum) = io.checked_add(timers) else {
        return None;
    };
    let Some(sum) = sum.checked_add(tasks) else {
        return None;
    };
    match sum.checked_add(base + 7) {
        Some(size) => Some(size / 8 * 8),
        None => None,
    }
}

const POINTER: usize = size_of::<*const ()>();
const PER_C_IO: usize = 48 + 2 * POINTER;
const PER_C_TIMER: usize = 40 + 2 * POINTER;
const PER_C_TASK: usize = 3 * POINTER;

const _: () = {
    assert!(PER_IO <= PER_C_IO && PER_TIMER <= PER_C_TIMER && PER_TASK <= PER_C_TASK);
    // Loom's atomics are larger; no loop is made under loom.
    assert!(cfg!(loom) || size_of::<pirn_loop>() + fixed_size::<CWaker>() <= PIRN_STORAGE_BASE);
    assert!(align_of::<pirn_loop>() <= align_of::<u64>());
    assert!(offset_of!(pirn_loop, 0) == 0);
    assert!(
        offset_of!(Head, magic) == 0
            && offset_of!(Head, io_and_timers) == 8
            && offset_of!(Head, tasks_and_epoch) == 16
    );
};

/// Return how many bytes a block for these capacities must have.
///
/// For capacities that are known only at run time; otherwise use the constant expression
/// `PIRN_STORAGE_SIZE(io, timers, tasks)`, which gives the same number. Returns 0 if the size does
/// not fit into a `size_t`. Any thread. Cost: O(1). Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_storage_size(io: u32, timers: u32, tasks: u32) -> usize {
    storage_size(PIRN_STORAGE_BASE, Capacity { io, timers, tasks }).unwrap_or(0)
}
