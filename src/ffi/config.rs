#![expect(unsafe_code, reason = "the C face")]
//! What a loop is made with.

use crate::error::{Error, Result};

use super::host::pirn_host;

/// A flag of `pirn_config`: read the clock around every callback, for
/// `pirn_stats.longest_callback_ns`.
pub const PIRN_MEASURE: u32 = 1u32 << 0;

/// A flag of `pirn_config`: all events are taken with `pirn_take`. Callbacks may be NULL, and what
/// would call them, `pirn_run`, `pirn_run_until`, `pirn_turn` and `pirn_dispatch`, returns
/// -EOPNOTSUPP.
pub const PIRN_TAKE: u32 = 1u32 << 1;

/// A flag of `pirn_config`: never ask the kernel whether this process is a copy that fork made, for
/// programs that do not fork, or whose children call `pirn_after_fork` or `pirn_deinit` before
/// anything else with the loop. Saves a system call in `pirn_io_add`, `pirn_io_remove`, each turn,
/// and what wakes the loop. In a child that breaks the rule the loop changes and uses the parent's
/// kernel objects. If other threads of the parent may have been posting when it forked, call
/// `pirn_after_fork` first, also to end the copy then; none of them may be inside `pirn_run` or a
/// turn.
pub const PIRN_NO_FORK_CHECK: u32 = 1u32 << 2;

/// How a loop is to be made. Zero it, set `size`, and set what is to differ from the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_config {
    /// `sizeof(struct pirn_config)`. Smaller: what is missing is zero. Larger: accepted if the
    /// surplus is zero, else -E2BIG.
    pub size: u32,
    /// `PIRN_BACKEND_AUTO` (0) or one of the others.
    pub backend: u32,
    /// I/O watchers there is to be room for. All three zero: as the block says that `PIRN_STORAGE`
    /// declared.
    pub io: u32,
    /// Timers there is to be room for.
    pub timers: u32,
    /// Tasks there is to be room for; half as many posts from elsewhere, rounded up.
    pub tasks: u32,
    /// `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`, or 0.
    pub flags: u32,
    /// Where the generations of handles begin: with the same seed a loop gives out the same
    /// handles, so that a run can be repeated. Handles of two loops with the same seed are taken
    /// for each other. 0: chosen by the block's address, how often it was used, and the clock.
    pub seed: u32,
    /// 0.
    pub reserved: u32,
    /// For `PIRN_BACKEND_HOST`, else NULL.
    pub host: *const pirn_host,
}

/// A struct that starts with its own size, as far as this library knows it. Its first `numbers`
/// bytes are `u32`s, the rest pointers.
///
/// # Safety
///
/// `T` is a C struct whose first field is a `u32` size and for which all zeroes is valid. `from` is
/// NULL (all zero) or readable for the size it says.
pub(super) unsafe fn extended<T: Copy>(from: *const T, numbers: usize) -> Result<T> {
    let mut known = core::mem::MaybeUninit::<T>::zeroed();
    if !from.is_null() {
        // SAFETY: not NULL, hence readable for the size it says; `known` is writable for its own.
        unsafe {
            extend(
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

/// The most bytes that a struct may say it has: what is beyond is a size that was never set, and is
/// not looked at.
const LONGEST: usize = 256;

/// Copies what there is of a struct of `size` bytes. One function for all types.
///
/// # Safety
///
/// `from` begins with its size as a `u32` and is readable for it, `to` is writable for `size`
/// bytes.
#[inline(never)]
unsafe fn extend(from: *const u8, to: *mut u8, size: usize, numbers: usize) -> Result<()> {
    // SAFETY: begins with its size.
    let said = unsafe { from.cast::<u32>().read_unaligned() } as usize;
    if said < size_of::<u32>() {
        return Err(Error::EBADMSG);
    }
    if said > LONGEST {
        return Err(Error::E2BIG);
    }
    let length = said.min(size);
    // Half a field is not a field. The numbers come first, four bytes each, then the pointers.
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
