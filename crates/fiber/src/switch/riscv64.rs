#![expect(unsafe_code, reason = "the switch is assembly")]
//! RISC-V with 64 bits and double floats: `s0` to `s11` and `fs0` to `fs11` are preserved.

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
    ".option push",
    // This is assembled without the target's features.
    ".option arch, +d",
    "addi sp, sp, -208",
    ".cfi_def_cfa_offset 208",
    "sd ra, 0(sp)",
    ".cfi_offset ra, -208",
    "sd s0, 8(sp)",
    ".cfi_offset s0, -200",
    "sd s1, 16(sp)",
    ".cfi_offset s1, -192",
    "sd s2, 24(sp)",
    "sd s3, 32(sp)",
    "sd s4, 40(sp)",
    "sd s5, 48(sp)",
    "sd s6, 56(sp)",
    "sd s7, 64(sp)",
    "sd s8, 72(sp)",
    "sd s9, 80(sp)",
    "sd s10, 88(sp)",
    "sd s11, 96(sp)",
    "fsd fs0, 104(sp)",
    "fsd fs1, 112(sp)",
    "fsd fs2, 120(sp)",
    "fsd fs3, 128(sp)",
    "fsd fs4, 136(sp)",
    "fsd fs5, 144(sp)",
    "fsd fs6, 152(sp)",
    "fsd fs7, 160(sp)",
    "fsd fs8, 168(sp)",
    "fsd fs9, 176(sp)",
    "fsd fs10, 184(sp)",
    "fsd fs11, 192(sp)",
    "sd sp, 0(a0)",
    "mv sp, a1",
    "ld ra, 0(sp)",
    "ld s0, 8(sp)",
    "ld s1, 16(sp)",
    "ld s2, 24(sp)",
    "ld s3, 32(sp)",
    "ld s4, 40(sp)",
    "ld s5, 48(sp)",
    "ld s6, 56(sp)",
    "ld s7, 64(sp)",
    "ld s8, 72(sp)",
    "ld s9, 80(sp)",
    "ld s10, 88(sp)",
    "ld s11, 96(sp)",
    "fld fs0, 104(sp)",
    "fld fs1, 112(sp)",
    "fld fs2, 120(sp)",
    "fld fs3, 128(sp)",
    "fld fs4, 136(sp)",
    "fld fs5, 144(sp)",
    "fld fs6, 152(sp)",
    "fld fs7, 160(sp)",
    "fld fs8, 168(sp)",
    "fld fs9, 176(sp)",
    "fld fs10, 184(sp)",
    "fld fs11, 192(sp)",
    "addi sp, sp, 208",
    ".cfi_def_cfa_offset 0",
    ".cfi_restore ra",
    ".cfi_restore s0",
    ".cfi_restore s1",
    // Through t1 and not ra: this is a jump for the processor, not a return.
    "mv t1, ra",
    "jr t1",
    ".option pop",
    ".cfi_endproc",
}

function! {
    "pirn_fiber_begin_",
    ".cfi_startproc",
    ".cfi_undefined ra",
    "mv a0, s0",
    "jalr s1",
    "unimp",
    ".cfi_endproc",
}

/// Lays out a stack below `top` that calls `main(argument)` when it is switched to.
///
/// # Safety
///
/// At least 224 bytes below `top` are writable and belong to the new stack.
pub unsafe fn prepare(top: usize, main: Main, argument: usize) -> usize {
    let mut words = [0; 26];
    words[0] = begin as *const () as usize; // ra
    words[1] = argument; // s0
    words[2] = main as usize; // s1
    let pointer = (top & !15) - size_of_val(&words);
    // SAFETY: 26 words below `top`, as the caller promises; a multiple of 8.
    unsafe { (pointer as *mut [usize; 26]).write(words) };
    pointer
}

/// The pointer of the stack that runs.
#[inline(always)]
pub fn here() -> usize {
    let pointer: usize;
    // SAFETY: it copies a register.
    unsafe { asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// True if stacks can be switched in this process.
pub fn is_supported() -> bool {
    true
}
