//! aarch64: the functions that the compiler calls for atomic operations.
//!
//! The compiler calls them instead of choosing instructions when it does not know whether the
//! processor has the atomic instructions of ARMv8.1. The ones that come with the language ask the C
//! library (`getauxval`), so a program would need one. These always use the instructions that every
//! processor has. They are local to the one object that the artifact is, as the memory functions
//! are.
//!
//! A name ends with the size in bytes and the memory order. Every order is served by the strongest:
//! acquire and release. The operand is in x0 (for cas: expected in x0, new in x1), the address in
//! the last argument, the old value is returned in x0.

use core::arch::global_asm;

global_asm!(
    // One function under its four names.
    ".macro atomic name",
    ".section .text.__aarch64_\\name,\"ax\"",
    ".balign 4",
    ".irp order, relax, acq, rel, acq_rel",
    ".type __aarch64_\\name\\()_\\order, %function",
    "__aarch64_\\name\\()_\\order:",
    ".endr",
    ".endm",
    ".macro change name, instruction, register, suffix",
    "atomic ld\\name",
    "    mov \\register\\()16, \\register\\()0",
    "1:  ldaxr\\suffix \\register\\()0, [x1]",
    "    \\instruction \\register\\()17, \\register\\()0, \\register\\()16",
    "    stlxr\\suffix w15, \\register\\()17, [x1]",
    "    cbnz w15, 1b",
    "    ret",
    ".endm",
    // size: bytes; suffix: of the instructions; extend: what makes the expected value as wide as a
    // loaded one.
    ".macro atomics size, register, suffix, extend",
    "atomic cas\\size",
    "    \\extend \\register\\()16, \\register\\()0",
    "1:  ldaxr\\suffix \\register\\()0, [x2]",
    "    cmp \\register\\()0, \\register\\()16",
    "    b.ne 2f",
    "    stlxr\\suffix w17, \\register\\()1, [x2]",
    "    cbnz w17, 1b",
    "2:  ret",
    "atomic swp\\size",
    "    mov \\register\\()16, \\register\\()0",
    "1:  ldaxr\\suffix \\register\\()0, [x1]",
    "    stlxr\\suffix w17, \\register\\()16, [x1]",
    "    cbnz w17, 1b",
    "    ret",
    "change add\\size, add, \\register, \\suffix",
    "change clr\\size, bic, \\register, \\suffix",
    "change eor\\size, eor, \\register, \\suffix",
    "change set\\size, orr, \\register, \\suffix",
    ".endm",
    "atomics 1, w, b, uxtb",
    "atomics 2, w, h, uxth",
    "atomics 4, w, , mov",
    "atomics 8, x, , mov",
    ".purgem atomic",
    ".purgem change",
    ".purgem atomics",
    ".text",
);
