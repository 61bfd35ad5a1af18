#![expect(unsafe_code, reason = "a stack is memory of the caller's")]
//! The memory of a fiber's stack: its canary, its filling, and its guard page.

use core::cell::Cell;
use core::ffi::{c_int, c_void};

use pirn_wait::{EINVAL, EOPNOTSUPP};

use crate::switch::here;
use crate::sys;
use crate::{PIRN_FIBER_FILL, PIRN_FIBER_GUARD, PIRN_FIBER_STACK_MIN};

/// The content of the lowest word. If it has changed, the stack has overflowed.
const CANARY: u64 = 0x6b63_6174_735f_6966;
/// The content of every word that was never used.
const FILL: u64 = 0x6e72_6970_6e72_6970;

/// More than a switch takes of the stack that it leaves.
const SWITCH: usize = 256;

/// Bytes above each stack for what a language keeps for each stack: see `pirn/fiber_cxx.h`.
const LANGUAGE: usize = 2 * size_of::<usize>();

/// The stack of a fiber. All zero: no stack.
#[repr(C)]
pub struct pirn_stack {
    // The lowest usable word.
    lowest: Cell<usize>,
    // The address behind the highest byte.
    top: Cell<usize>,
    // Bytes below `lowest` that are inaccessible.
    guard: Cell<u32>,
    is_filled: Cell<u32>,
}

impl pirn_stack {
    /// Prepares memory as a stack. Returns 0 or a negative errno.
    ///
    /// # Safety
    ///
    /// `memory` is `size` bytes of the caller's.
    pub(crate) unsafe fn prepare(&self, memory: *mut c_void, size: usize, options: u32) -> c_int {
        let word = size_of::<u64>();
        let (bottom, top) = (memory.addr(), memory.addr().saturating_add(size));
        let mut lowest = bottom.next_multiple_of(word);
        let mut guard = 0;
        if options & PIRN_FIBER_GUARD != 0 {
            // SAFETY: passed on.
            match unsafe { protect_lowest(memory, size) } {
                Ok((page, bytes)) => {
                    lowest = page + bytes;
                    guard = bytes;
                }
                Err(errno) => return -errno,
            }
        } else if top.saturating_sub(lowest) < PIRN_FIBER_STACK_MIN {
            return -EINVAL;
        }
        // Aligned as every machine wants it.
        let top = (top - LANGUAGE) & !15;
        self.lowest.set(lowest);
        self.top.set(top);
        self.guard.set(guard as u32);
        self.is_filled.set(options & PIRN_FIBER_FILL);
        let words = (top - lowest) / word;
        let pointer = memory.with_addr(lowest).cast::<u64>();
        if options & PIRN_FIBER_FILL != 0 {
            for at in 1..words {
                // SAFETY: inside the memory, which is the caller's to give.
                unsafe { pointer.wrapping_add(at).write(FILL) };
            }
        }
        // SAFETY: as above: at least `PIRN_FIBER_STACK_MIN` bytes are there.
        unsafe { pointer.write(CANARY) };
        let above = memory.with_addr(top).cast::<[usize; 2]>();
        // SAFETY: `LANGUAGE` bytes of the memory are above the stack.
        unsafe { above.write([0; 2]) };
        0
    }

    /// The address behind the highest byte.
    pub(crate) fn top(&self) -> usize {
        self.top.get()
    }

    /// How many bytes can be used.
    pub(crate) fn size(&self) -> usize {
        self.top.get() - self.lowest.get()
    }

    /// How many bytes are in use with this stack pointer.
    pub(crate) fn used(&self, pointer: usize) -> usize {
        self.top.get().saturating_sub(pointer).min(self.size())
    }

    fn word(&self, at: usize) -> u64 {
        let pointer = core::ptr::with_exposed_provenance::<u64>(self.lowest.get());
        // SAFETY: inside the stack, which stays until the fiber has ended, as documented.
        unsafe { pointer.wrapping_add(at).read() }
    }

    /// True if the canary is there, and the pointer is inside the stack.
    #[inline]
    pub(crate) fn is_intact(&self, pointer: usize) -> bool {
        pointer > self.lowest.get() && self.word(0) == CANARY
    }

    /// True if the stack, on which this runs, is intact and has room for a switch.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.is_intact(here().wrapping_sub(SWITCH))
    }

    /// The most bytes that were ever in use; 0 if the stack was not filled.
    pub(crate) fn deepest(&self) -> usize {
        if self.is_filled.get() == 0 {
            return 0;
        }
        let words = self.size() / size_of::<u64>();
        let free = (1..words).take_while(|at| self.word(*at) == FILL).count();
        self.size() - (free + 1) * size_of::<u64>()
    }

    /// Makes the guard page accessible again.
    pub(crate) fn release(&self) {
        let guard = self.guard.take() as usize;
        if guard != 0 {
            let page = core::ptr::with_exposed_provenance_mut(self.lowest.get() - guard);
            // SAFETY: the page that `prepare` has made inaccessible.
            unsafe { sys::unprotect(page, guard) };
        }
    }
}

/// Makes the lowest page of the memory inaccessible, and returns where it is and its size.
///
/// # Safety
///
/// `memory` is `size` bytes of the caller's.
unsafe fn protect_lowest(memory: *mut c_void, size: usize) -> Result<(usize, usize), c_int> {
    for &page in sys::PAGE_SIZES {
        // A page is a power of two.
        let at = memory.addr().saturating_add(page - 1) & !(page - 1);
        let end = memory.addr().saturating_add(size);
        if end.saturating_sub(at) < page + PIRN_FIBER_STACK_MIN {
            return Err(EINVAL);
        }
        // SAFETY: a page inside the memory, which nobody uses while the fiber has it.
        match unsafe { sys::protect(memory.with_addr(at), page) } {
            Ok(()) => return Ok((at, page)),
            Err(EINVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(EOPNOTSUPP)
}
