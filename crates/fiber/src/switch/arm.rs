#![expect(unsafe_code, reason = "the switch is assembly")]
//! Arm with 32 bits, AAPCS: `r4` to `r11` are preserved, and `d8` to `d15` where floats are hard.

use core::arch::asm;

use super::Main;

/// Words that a switch stores: the registers, and the address to continue at.
#[cfg(target_abi = "eabihf")]
const WORDS: usize = 25;
#[cfg(not(target_abi = "eabihf"))]
const WORDS: usize = 9;

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

#[cfg(target_abi = "eabihf")]
function! {
    "pirn_fiber_switch_",
    ".fnstart",
    // This is assembled without the target's features.
    ".fpu vfpv3-d16",
    "vpush {{d8-d15}}",
    "push {{r4-r11, lr}}",
    "mov r2, sp",
    "str r2, [r0]",
    "mov sp, r1",
    "pop {{r4-r11, lr}}",
    "vpop {{d8-d15}}",
    "bx lr",
    ".cantunwind",
    ".fnend",
}

// Only with instructions that every Thumb has.
#[cfg(not(target_abi = "eabihf"))]
function! {
    "pirn_fiber_switch_",
    ".fnstart",
    "push {{r4-r7, lr}}",
    "mov r2, r8",
    "mov r3, r9",
    "mov r4, r10",
    "mov r5, r11",
    "push {{r2-r5}}",
    "mov r2, sp",
    "str r2, [r0]",
    "mov sp, r1",
    "pop {{r2-r5}}",
    "mov r8, r2",
    "mov r9, r3",
    "mov r10, r4",
    "mov r11, r5",
    "pop {{r4-r7, pc}}",
    ".cantunwind",
    ".fnend",
}

function! {
    "pirn_fiber_begin_",
    ".fnstart",
    "mov r0, r4",
    "blx r5",
    "udf #0",
    ".cantunwind",
    ".fnend",
}

/// Lays out a stack below `top` that calls `main(argument)` when it is switched to.
///
/// # Safety
///
/// At least 112 bytes below `top` are writable and belong to the new stack.
pub unsafe fn prepare(top: usize, main: Main, argument: usize) -> usize {
    let mut words = [0; WORDS];
    // r4 and r5 stand first with hard floats, and behind r8 to r11 without.
    let first = if cfg!(target_abi = "eabihf") { 0 } else { 4 };
    words[first] = argument;
    words[first + 1] = main as *const () as usize;
    words[8] = begin as *const () as usize;
    // An odd number of words, so that the stack is aligned to 8 when they have been popped.
    let pointer = (top & !7) - size_of_val(&words);
    // SAFETY: `WORDS` words below `top`, as the caller promises; a multiple of 4.
    unsafe { (pointer as *mut [usize; WORDS]).write(words) };
    pointer
}

/// The pointer of the stack that runs.
#[inline(always)]
pub fn here() -> usize {
    let pointer: usize;
    // SAFETY: it copies a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// True if stacks can be switched in this process.
pub fn is_supported() -> bool {
    true
}
