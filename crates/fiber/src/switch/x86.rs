#![expect(unsafe_code, reason = "the switch is assembly")]
//! x86, System V: `ebx`, `ebp`, `esi` and `edi` are preserved.

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
    "mov eax, [esp + 4]",
    "mov edx, [esp + 8]",
    "push ebp",
    ".cfi_adjust_cfa_offset 4",
    ".cfi_rel_offset ebp, 0",
    "push ebx",
    ".cfi_adjust_cfa_offset 4",
    ".cfi_rel_offset ebx, 0",
    "push esi",
    ".cfi_adjust_cfa_offset 4",
    ".cfi_rel_offset esi, 0",
    "push edi",
    ".cfi_adjust_cfa_offset 4",
    ".cfi_rel_offset edi, 0",
    "mov [eax], esp",
    "mov esp, edx",
    "pop edi",
    ".cfi_adjust_cfa_offset -4",
    ".cfi_restore edi",
    "pop esi",
    ".cfi_adjust_cfa_offset -4",
    ".cfi_restore esi",
    "pop ebx",
    ".cfi_adjust_cfa_offset -4",
    ".cfi_restore ebx",
    "pop ebp",
    ".cfi_adjust_cfa_offset -4",
    ".cfi_restore ebp",
    "pop ecx",
    ".cfi_adjust_cfa_offset -4",
    ".cfi_register eip, ecx",
    "jmp ecx",
    ".cfi_endproc",
}

function! {
    "pirn_fiber_begin_",
    ".cfi_startproc",
    ".cfi_undefined eip",
    "endbr32",
    "push esi",
    "call edi",
    "ud2",
    ".cfi_endproc",
}

/// Lays out a stack below `top` that calls `main(argument)` when it is switched to.
///
/// # Safety
///
/// At least 64 bytes below `top` are writable and belong to the new stack.
pub unsafe fn prepare(top: usize, main: Main, argument: usize) -> usize {
    // edi, esi, ebx, ebp, the address to jump to, and padding: `begin` pushes one word, and `call`
    // then finds the stack aligned to 16.
    let words = [
        main as usize,
        argument,
        0,
        0,
        begin as *const () as usize,
        0,
        0,
        0,
    ];
    let pointer = (top & !15) - size_of_val(&words);
    // SAFETY: eight words below `top`, as the caller promises; a multiple of 4.
    unsafe { (pointer as *mut [usize; 8]).write(words) };
    pointer
}

/// The pointer of the stack that runs.
#[inline(always)]
pub fn here() -> usize {
    let pointer: usize;
    // SAFETY: it copies a register.
    unsafe { asm!("mov {}, esp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// True if stacks can be switched in this process.
pub fn is_supported() -> bool {
    true
}
