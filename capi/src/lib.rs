#![cfg_attr(panic = "abort", no_std)]
#![cfg_attr(
    panic = "abort",
    expect(
        unsafe_code,
        reason = "the symbol that the language's runtime would supply"
    )
)]
//! The artifact: `libpirn.a` and `libpirn.so` for C programs.
//!
//! A crate of its own, for a no_std library needs a panic handler, and that cannot share a crate with tests that link std. It adds nothing
//! to what the main crate's `ffi` exports.
//!
//! It is made with the release profile, where panics abort. The other profiles unwind, for the tests' sake, which takes std: there this crate is only
//! looked at by the tools.

pub use pirn_core::ffi::*;

/// Nothing panics: the main crate has no panicking path, and what remains of its dependencies is listed, with the reason why it
/// is not reached, in tests/artifact/panics.txt. Should it be wrong the thread stops here and harms nobody.
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(panic = "abort")]
mod memory;

// The precompiled core library names the personality routine of unwinding, which never runs here. Weak, so that another Rust
// library in the same program may bring the real one.
#[cfg(panic = "abort")]
core::arch::global_asm!(
    ".section .text.rust_eh_personality,\"ax\"",
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    ".long 0",
    ".text"
);
