#![expect(unsafe_code, reason = "the C face")]
//! The configuration of a loop, and structs that begin with their own size.

use crate::error::{Error, Result};

use super::host::pirn_host;

/// A flag of `pirn_config`: read the clock before and after every callback, for
/// `pirn_stats.longest_callback_ns`.
pub const PIRN_MEASURE: u32 = 1u32 << 0;

/// A flag of `pirn_config`: the program gets all events from `pirn_take`. Callbacks may be NULL.
/// The functions that would call them (`pirn_run`, `pirn_run_until`, `pirn_turn` and
/// `pirn_dispatch`) return -EOPNOTSUPP.
pub const PIRN_TAKE: u32 = 1u32 << 1;

/// A flag of `pirn_config`: do not check whether this process is a forked child. For programs that
/// do not fork, or whose children call `pirn_after_fork` or `pirn_deinit` before any other function
/// of the loop. Saves a system call in `pirn_io_add`, in `pirn_io_remove`, in each turn, and
/// whenever another thread wakes the loop.
///
/// If a child breaks that rule, it uses and changes the kernel objects of its parent. No other
/// thread of the parent may be inside `pirn_run` or a turn at the moment of the fork. If other
/// threads may have been posting at that moment, the child must call `pirn_after_fork` first, even
/// if it then calls `pirn_deinit`.
pub const PIRN_NO_FORK_CHECK: u32 = 1u32 << 2;

/// The configuration of a new loop. Zero the struct, set `size`, and set the fields that are to
/// differ from their defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_config {
    /// `sizeof(struct pirn_config)`. If it is smaller than the library's own struct, the missing
    /// fields are zero. If it is larger, the surplus bytes must be zero, else -E2BIG.
    pub size: u32,
    /// `PIRN_BACKEND_AUTO` (0, the default) or another `PIRN_BACKEND_*`.
    pub backend: u32,
    /// The capacity for I/O watchers. If all three capacities are 0, those of the block are used;
    /// it must then have been declared with `PIRN_STORAGE`.
    pub io: u32,
    /// The capacity for timers.
    pub timers: u32,
    /// The capacity for tasks. That for posts from other threads is half of it, rounded up.
    pub tasks: u32,
    /// `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`, or 0.
    pub flags: u32,
    /// The first generation of the handles. With the same seed a loop returns the same handles, so
    /// that a run can be repeated. But two loops with the same seed cannot tell their handles
    /// apart. 0, the default: the library derives a seed from the block's address, how often the
    /// block was used, and the clock.
    pub seed: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The application's functions for `PIRN_BACKEND_HOST`; NULL for all other backends.
    pub host: *const pirn_host,
}

/// Reads a struct that begins with its own size: fields that the caller's struct lacks are zero,
/// fields that this library does not know must be zero. The first `numbers` bytes of `T` are
/// `u32`s, the rest pointers.
///
/// # Safety
///
/// `T` is a C struct whose first field is a `u32` size and for which all zeroes is valid. `from` is
/// NULL (all zero) or readable for the size it says.
pub(super) unsafe fn read_sized<T: Copy>(from: *const T, numbers: usize) -> Result<T> {
    let mut known = core::mem::MaybeUninit::<T>::zeroed();
    if !from.is_null() {
        // SAFETY: not NULL, hence readable for the size it says; `known` is writable for its own.
        unsafe {
            copy_known(
                from.cast(),
                known.as_mut_ptr().cast(),
                size_of::<T>(),
                numbers,
            )?
        };
    }
    // SAFETY: all zero is valid, and so is what the caller filled in.
    Ok(unsafe { known.assume_init() })
}

/// The largest accepted `size` of a struct. A larger one was probably never set, so the memory
/// behind the struct is not read.
const LONGEST: usize = 256;

/// Copies the fields that both the caller's struct and this library's struct of `size` bytes have.
/// Not generic, so that the code exists once.
///
/// # Safety
///
/// `from` begins with its size as a `u32` and is readable for it, `to` is writable for `size`
/// bytes.
#[inline(never)]
unsafe fn copy_known(from: *const u8, to: *mut u8, size: usize, numbers: usize) -> Result<()> {
    // SAFETY: begins with its size.
    let said = unsafe { from.cast::<u32>().read_unaligned() } as usize;
    if said < size_of::<u32>() {
        return Err(Error::EBADMSG);
    }
    if said > LONGEST {
        return Err(Error::E2BIG);
    }
    let length = said.min(size);
    // A size that ends inside a field is an error. The numbers come first, four bytes each, then
    // the pointers.
    let field = if length > numbers {
        size_of::<usize>()
    } else {
        size_of::<u32>()
    };
    if length % field != 0 {
        return Err(Error::EINVAL);
    }
    for at in 0..said {
        // SAFETY: readable for the size it says.
        let from = unsafe { from.add(at) };
        // SAFETY: as above.
        let byte = unsafe { from.read() };
        if at < length {
            // SAFETY: writable for `size` bytes, of which `length` is at most all.
            let to = unsafe { to.add(at) };
            // SAFETY: as above.
            unsafe { to.write(byte) };
        } else if byte != 0 {
            return Err(Error::E2BIG);
        }
    }
    Ok(())
}
