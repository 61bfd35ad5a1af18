//! Event loops in Rust behind C functions, for the one harness. `adapters/readiness.h` and
//! `adapters/pirn-rust.c` declare them. `tasks.rs` has whole workloads, of tasks.

/// Functions over a loop that trust their caller: `this` comes from the library's `open`, and
/// nobody but callbacks of the very call uses it meanwhile; the other pointers live.
macro_rules! functions {
    ($($name:ident($this:ident: $loop:ty $(, $word:ident: $type:ty)*) -> $out:ty $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($this: *mut $loop $(, $word: $type)*) -> $out {
                #[allow(unused_unsafe)]
                unsafe { $body }
            }
        )*
    };
}

/// What mio and polling know of a watcher, as the hand-written loop does.
#[repr(C)]
struct Io {
    callback: unsafe extern "C" fn(*mut Io),
    fd: std::os::fd::RawFd,
}

/// # Safety
/// `io` is the address of an `Io` that lives.
unsafe fn call(io: usize) {
    let io = io as *mut Io;
    unsafe { ((*io).callback)(io) };
}

fn timeout(waits: bool) -> Option<std::time::Duration> {
    (!waits).then_some(std::time::Duration::ZERO)
}

mod mio;
mod pirn;
mod polling;
mod tasks;
