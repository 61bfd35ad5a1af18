#![expect(unsafe_code, reason = "the switch is assembly")]
//! AArch64, AAPCS64: `x19` to `x30` and the low halves of `v8` to `v15` are preserved.

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
    "stp x29, x30, [sp, #-160]!",
    ".cfi_def_cfa_offset 160",
    ".cfi_offset x29, -160",
    ".cfi_offset x30, -152",
    "stp x19, x20, [sp, #16]",
    ".cfi_offset x19, -144",
    ".cfi_offset x20, -136",
    "stp x21, x22, [sp, #32]",
    ".cfi_offset x21, -128",
    ".cfi_offset x22, -120",
    "stp x23, x24, [sp, #48]",
    ".cfi_offset x23, -112",
    ".cfi_offset x24, -104",
    "stp x25, x26, [sp, #64]",
    ".cfi_offset x25, -96",
    ".cfi_offset x26, -88",
    "stp x27, x28, [sp, #80]",
    ".cfi_offset x27, -80",
    ".cfi_offset x28, -72",
    "stp d8, d9, [sp, #96]",
    "stp d10, d11, [sp, #112]",
    "stp d12, d13, [sp, #128]",
    "stp d14, d15, [sp, #144]",
    "mov x9, sp",
    "str x9, [x0]",
    "mov sp, x1",
    "ldp x19, x20, [sp, #16]",
    "ldp x21, x22, [sp, #32]",
    "ldp x23, x24, [sp, #48]",
    "ldp x25, x26, [sp, #64]",
    "ldp x27, x28, [sp, #80]",
    "ldp d8, d9, [sp, #96]",
    "ldp d10, d11, [sp, #112]",
    "ldp d12, d13, [sp, #128]",
    "ldp d14, d15, [sp, #144]",
    "ldp x29, x30, [sp], #160",
    ".cfi_def_cfa_offset 0",
    ".cfi_restore x29",
    ".cfi_restore x30",
    // x16 may be the target of `br` at a place that begins with `bti c`.
    "mov x16, x30",
    "br x16",
    ".cfi_endproc",
}

function! {
    "pirn_fiber_begin_",
    ".cfi_startproc",
    ".cfi_undefined x30",
    // `bti jc`, as a hint that older assemblers know.
    "hint #38",
    "mov x0, x19",
    "blr x20",
    "brk #1",
    ".cfi_endproc",
}

/// Lays out a stack below `top` that calls `main(argument)` when it is switched to.
///
/// # Safety
///
/// At least 176 bytes below `top` are writable and belong to the new stack.
pub unsafe fn prepare(top: usize, main: Main, argument: usize) -> usize {
    let mut words = [0; 20];
    words[1] = begin as *const () as usize; // x30
    words[2] = argument; // x19
    words[3] = main as usize; // x20
    let pointer = (top & !15) - size_of_val(&words);
    // SAFETY: twenty words below `top`, as the caller promises; a multiple of 8.
    unsafe { (pointer as *mut [usize; 20]).write(words) };
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
