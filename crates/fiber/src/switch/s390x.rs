#![expect(unsafe_code, reason = "the switch is assembly")]
//! s390x: `r6` to `r15` and `f8` to `f15` are preserved. The registers go where the ABI has room
//! for them in the caller's frame.

use core::arch::asm;

use super::Main;

unsafe extern "C" {
    /// Leaves this stack, with its pointer in `*save`, for the stack that `to` points into.
    ///
    /// # Safety
    ///
    /// As on x86-64.
    #[link_name = "pirn_fiber_switch_"]
    pub fn switch(save: *mut usize, to: usize);
    /// The first instructions on a new stack.
    #[link_name = "pirn_fiber_begin_"]
    fn begin();
}

function! {
    "pirn_fiber_switch_",
    ".cfi_startproc",
    "stmg %r6, %r15, 48(%r15)",
    ".cfi_offset %r14, -48",
    ".cfi_offset %r15, -40",
    "aghi %r15, -64",
    ".cfi_adjust_cfa_offset 64",
    "std %f8, 0(%r15)",
    "std %f9, 8(%r15)",
    "std %f10, 16(%r15)",
    "std %f11, 24(%r15)",
    "std %f12, 32(%r15)",
    "std %f13, 40(%r15)",
    "std %f14, 48(%r15)",
    "std %f15, 56(%r15)",
    "stg %r15, 0(%r2)",
    "lgr %r15, %r3",
    "ld %f8, 0(%r15)",
    "ld %f9, 8(%r15)",
    "ld %f10, 16(%r15)",
    "ld %f11, 24(%r15)",
    "ld %f12, 32(%r15)",
    "ld %f13, 40(%r15)",
    "ld %f14, 48(%r15)",
    "ld %f15, 56(%r15)",
    "lmg %r6, %r15, 112(%r15)",
    ".cfi_adjust_cfa_offset -64",
    "br %r14",
    ".cfi_endproc",
}

function! {
    "pirn_fiber_begin_",
    ".cfi_startproc",
    ".cfi_undefined %r14",
    "lgr %r2, %r6",
    "basr %r14, %r7",
    "j .+2",
    ".cfi_endproc",
}

/// Lays out a stack below `top` that calls `main(argument)` when it is switched to.
///
/// # Safety
///
/// At least 240 bytes below `top` are writable and belong to the new stack.
pub unsafe fn prepare(top: usize, main: Main, argument: usize) -> usize {
    // The frame that `main` finds above itself: 160 bytes in which it saves registers.
    let frame = (top & !7) - 160;
    let mut words = [0; 28];
    words[14] = argument; // r6
    words[15] = main as usize; // r7
    words[22] = begin as *const () as usize; // r14
    words[23] = frame; // r15
    let pointer = frame - 64;
    // SAFETY: 28 words below `top`, as the caller promises: 64 bytes of floats, 160 of the frame; a
    // multiple of 8.
    unsafe { (pointer as *mut [usize; 28]).write(words) };
    pointer
}

/// The pointer of the stack that runs.
#[inline(always)]
pub fn here() -> usize {
    let pointer: usize;
    // SAFETY: it copies a register.
    unsafe { asm!("lgr {}, %r15", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// True if stacks can be switched in this process.
pub fn is_supported() -> bool {
    true
}
