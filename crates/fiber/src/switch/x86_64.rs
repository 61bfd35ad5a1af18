#![expect(unsafe_code, reason = "the switch is assembly")]
//! x86-64, System V: `rbx`, `rbp` and `r12` to `r15` are preserved.

use core::arch::asm;

use super::Main;

unsafe extern "C" {
    /// Leaves this stack, with its pointer in `*save`, for the stack that `to` points into.
    ///
    /// # Safety
    ///
    /// `save` is writable; `to` came from [`prepare`] or from the `save` of an earlier switch, and
    /// was not switched to since; the stack it points into is alive and nobody runs on it.
    #[link_name = "pirn_fiber_switch_"]
    pub fn switch(save: *mut usize, to: usize);
    /// The first instructions on a new stack.
    #[link_name = "pirn_fiber_begin_"]
    fn begin();
}

function! {
    "pirn_fiber_switch_",
    ".cfi_startproc",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbp, 0",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbx, 0",
    "push r12",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r12, 0",
    "push r13",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r13, 0",
    "push r14",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r14, 0",
    "push r15",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r15, 0",
    "mov [rdi], rsp",
    // The other stack looks the same: the information above holds for it too.
    "mov rsp, rsi",
    "pop r15",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r15",
    "pop r14",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r14",
    "pop r13",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r13",
    "pop r12",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r12",
    "pop rbx",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbx",
    "pop rbp",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbp",
    "pop rcx",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_register rip, rcx",
    "jmp rcx",
    ".cfi_endproc",
}

function! {
    "pirn_fiber_begin_",
    ".cfi_startproc",
    ".cfi_undefined rip",
    "endbr64",
    "mov rdi, r12",
    "call r13",
    "ud2",
    ".cfi_endproc",
}

/// Lays out a stack below `top` that calls `main(argument)` when it is switched to.
///
/// # Safety
///
/// At least 128 bytes below `top` are writable and belong to the new stack.
pub unsafe fn prepare(top: usize, main: Main, argument: usize) -> usize {
    // r15, r14, r13, r12, rbx, rbp, the address to jump to, and one word, so that `call` finds the
    // stack aligned to 16.
    let words = [
        0,
        0,
        main as usize,
        argument,
        0,
        0,
        begin as *const () as usize,
        0,
        0,
    ];
    let pointer = (top & !15) - size_of_val(&words);
    // SAFETY: nine words below `top`, as the caller promises; a multiple of 8.
    unsafe { (pointer as *mut [usize; 9]).write(words) };
    pointer
}

/// The pointer of the stack that runs.
#[inline(always)]
pub fn here() -> usize {
    let pointer: usize;
    // SAFETY: it copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// True if stacks can be switched in this process: not if it runs with a shadow stack, which would
/// have to be switched too.
pub fn is_supported() -> bool {
    let mut shadow_stack: usize = 0;
    // SAFETY: `rdsspq` reads the pointer of the shadow stack; where there is none it is a `nop`,
    // and leaves the 0.
    unsafe {
        asm!("rdsspq {0}", inout(reg) shadow_stack, options(nomem, nostack, preserves_flags));
    }
    shadow_stack == 0
}
