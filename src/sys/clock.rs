#![cfg_attr(
    find_vdso,
    expect(unsafe_code, reason = "rustix is told where the kernel's vDSO is")
)]
//! The kernel's monotonic clock.

use rustix::time::{ClockId, clock_gettime};

use crate::time::Instant;

/// The file with the auxiliary vector, which says where the vDSO is.
#[cfg(find_vdso)]
const AUXV: &core::ffi::CStr = c"/proc/self/auxv";

/// `CLOCK_MONOTONIC`. Through the vDSO, if there is one: no system call.
#[inline(never)]
pub(crate) fn monotonic() -> Instant {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = (time.tv_sec as u64).wrapping_mul(super::SECOND);
    Instant(seconds.wrapping_add(time.tv_nsec as u64))
}

/// Looks for the vDSO, once in a process, before the clock is read for the first time.
///
/// Left to itself rustix asks the kernel for the auxiliary vector (`PR_GET_AUXV`, since 6.4) and
/// trusts what it says of the vDSO. valgrind unmaps the vDSO, and tells so in its `/proc/self/auxv`
/// but not in that call: reading there ends the process. Where there is no `/proc` the clock costs
/// a system call.
#[cfg(find_vdso)]
pub(crate) fn find_vdso() {
    use rustix::param;

    /// Pairs of words in the vector. Linux has about 25, and ends it with a pair of zeroes.
    const PAIRS: usize = 48;
    const WORD: usize = size_of::<usize>();

    if param::page_size() != 0 {
        return;
    }
    // As the kernel lays them out at the start of a process: the end of the environment, then the
    // vector.
    let mut words = [0usize; 1 + 2 * (PAIRS + 1)];
    let mut bytes = [0u8; 2 * PAIRS * WORD];
    let Some(length) = read_auxv(&mut bytes) else {
        return;
    };
    let read = bytes.chunks_exact(WORD).map_while(<[u8]>::first_chunk);
    for (word, read) in words.iter_mut().skip(1).zip(read).take(length / WORD) {
        *word = usize::from_ne_bytes(*read);
    }
    /// What the name below means where rustix goes through the C library, because another crate of
    /// the program asked for that: rustix then has no `init`, and its `page_size` is never 0.
    #[allow(
        dead_code,
        reason = "the inner block's import comes first, if it has the name"
    )]
    unsafe fn init(_environment: *mut *mut u8) {}
    {
        #[allow(unused_imports, reason = "as above")]
        use rustix::param::*;

        // SAFETY: rustix asks for the environment of the process, which it skips to its end, and
        // the vector behind it, of which it copies what it knows. Here the environment is empty,
        // and the vector ends with zeroes, for the last pair was not written.
        unsafe { init(words.as_mut_ptr().cast()) };
    }
}

/// Reads the auxiliary vector of the process. The result is its length in bytes.
#[cfg(all(find_vdso, not(target_arch = "x86")))]
fn read_auxv(bytes: &mut [u8]) -> Option<usize> {
    use rustix::fs::{Mode, OFlags, open};

    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = open(AUXV, flags, Mode::empty()).ok()?;
    rustix::io::read(&file, bytes).ok()
}

/// As above, without rustix. On 32-bit x86 the vDSO has the entry for system calls too: rustix
/// looks for it in its first system call, and never again if it does not know the vector by then.
#[cfg(all(find_vdso, target_arch = "x86"))]
fn read_auxv(bytes: &mut [u8]) -> Option<usize> {
    use rustix::fs::OFlags;
    use syscalls::{Sysno, syscall1, syscall3, syscall4};

    const AT_FDCWD: isize = -100;

    let path = AUXV.as_ptr() as usize;
    let flags = (OFlags::RDONLY | OFlags::CLOEXEC).bits() as usize;
    // SAFETY: openat(2) reads the path, a string that ends with a zero and lives as long as the
    // program. It takes no mode, for these flags create no file.
    let file = unsafe { syscall4(Sysno::openat, AT_FDCWD as usize, path, flags, 0) }.ok()?;
    let (start, size) = (bytes.as_mut_ptr() as usize, bytes.len());
    // SAFETY: read(2) writes at most `size` bytes at `start`. They are those of `bytes`, which is
    // borrowed until the call has returned.
    let length = unsafe { syscall3(Sysno::read, file, start, size) };
    // SAFETY: close(2) takes an fd, which was opened here and which nothing else has.
    let _ = unsafe { syscall1(Sysno::close, file) };
    length.ok()
}

/// rustix looks for itself or, with the feature `own-auxv`, does without.
#[cfg(not(find_vdso))]
pub(crate) fn find_vdso() {}
