#![cfg_attr(panic = "abort", no_std)]
#![cfg_attr(
    panic = "abort",
    expect(
        unsafe_code,
        reason = "the symbol that the language's runtime would supply"
    )
)]
//! What each object of the C library needs besides its functions: a panic handler, the name of the
//! personality routine, and the memory functions that the compiler calls.
//!
//! The core and each layer are objects of their own in `libpirn.a`. Each is made with fat LTO and
//! contains its own copy of this crate, whose symbols nobody else sees.
//!
//! Only profiles in which panics abort make such objects. In the others, which the tests use, this
//! crate is empty, because they link the standard library, which has all of this.

/// Nothing panics: pirn has no panicking path, and what remains of its dependencies is listed, with
/// the reason why it is not reached, in tests/artifact/panics.txt. Should it be wrong the thread
/// stops here and harms nobody.
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(all(
    panic = "abort",
    target_os = "linux",
    any(target_arch = "arm", target_arch = "x86")
))]
mod arithmetic;
#[cfg(all(panic = "abort", target_arch = "aarch64"))]
mod atomics;
#[cfg(all(
    panic = "abort",
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "x86",
        target_arch = "aarch64",
        target_arch = "arm",
        target_arch = "riscv64"
    )
))]
mod memory;
#[cfg(all(panic = "abort", target_os = "none", target_arch = "arm"))]
mod thumb;

// The precompiled core library names the personality routine of unwinding, which never runs here.
// Weak, so that another Rust library in the same program may bring the real one.
#[cfg(panic = "abort")]
core::arch::global_asm!(
    ".section .text.rust_eh_personality,\"ax\"",
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    ".long 0",
    ".text"
);

// On ARM each entry of the tables for unwinding names the routine that would read it. The linker
// wants the names, and nobody calls them: a program that unwinds has its own, which it finds by
// number.
#[cfg(all(panic = "abort", target_arch = "arm", target_os = "linux"))]
core::arch::global_asm!(
    "__aeabi_unwind_cpp_pr0 = 0",
    "__aeabi_unwind_cpp_pr1 = 0",
    "__aeabi_unwind_cpp_pr2 = 0",
);
