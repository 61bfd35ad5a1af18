#![expect(
    unsafe_code,
    reason = "what std does not offer: system calls on bare fd numbers"
)]
//! The few system calls that the tests need and std has no name for. Each returns a count or a
//! negative errno.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_short, c_uint, c_ulong, c_void};

pub const EAGAIN: i32 = -11;
pub const EPIPE: i32 = -32;
pub const EBADF: i32 = -9;
pub const ECONNRESET: i32 = -104;

const AF_UNIX: c_int = 1;
const AF_INET: c_int = 2;
const SYS_PIDFD_OPEN: c_long = 434;
const O_RDWR_NOCTTY_NONBLOCK_CLOEXEC: c_int = 2 | 0o400 | O_NONBLOCK_CLOEXEC;
const SOCK_STREAM_NONBLOCK: c_int = 1 | 0o4000 | 0o2_000_000;
const O_NONBLOCK_CLOEXEC: c_int = 0o4000 | 0o2_000_000;
const SHUT_WR: c_int = 1;
const F_DUPFD_CLOEXEC: c_int = 1030;
const F_GETFD: c_int = 1;
const F_GETFL: c_int = 3;
const CLOCK_MONOTONIC: c_int = 1;
const MSG_OOB: c_int = 1;
const POLLIN: c_short = 1;

#[repr(C)]
struct PollRecord {
    fd: c_int,
    asked: c_short,
    found: c_short,
}

/// `struct sockaddr_in`; port and address in network order.
#[repr(C)]
struct InternetAddress {
    family: u16,
    port: [u8; 2],
    address: [u8; 4],
    zero: [u8; 8],
}

#[repr(C)]
#[derive(Default)]
struct Time {
    seconds: c_long,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn read(fd: c_int, buffer: *mut c_void, count: usize) -> isize;
    fn write(fd: c_int, buffer: *const c_void, count: usize) -> isize;
    fn send(fd: c_int, buffer: *const c_void, count: usize, flags: c_int) -> isize;
    fn close(fd: c_int) -> c_int;
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, fds: *mut c_int) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn connect(fd: c_int, address: *const InternetAddress, length: c_uint) -> c_int;
    fn shutdown(fd: c_int, how: c_int) -> c_int;
    fn mkfifo(path: *const c_char, mode: c_uint) -> c_int;
    fn posix_openpt(flags: c_int) -> c_int;
    fn unlockpt(fd: c_int) -> c_int;
    fn ptsname_r(fd: c_int, name: *mut c_char, length: usize) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn eventfd(count: c_uint, flags: c_int) -> c_int;
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int;
    fn timerfd_settime(
        fd: c_int,
        flags: c_int,
        new: *const [Time; 2],
        old: *mut [Time; 2],
    ) -> c_int;
    fn poll(fds: *mut PollRecord, count: c_ulong, timeout: c_int) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut Time) -> c_int;
}

fn answer(result: isize) -> i32 {
    if result >= 0 {
        result as i32
    } else {
        -std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
    }
}

/// Reads at most `count` bytes.
pub fn read_bytes(fd: i32, count: usize) -> i32 {
    let mut buffer = vec![0u8; count];
    // SAFETY: the buffer has `count` bytes.
    answer(unsafe { read(fd, buffer.as_mut_ptr().cast(), count) })
}

/// Writes `count` bytes of 1: for an eventfd a number it takes.
pub fn write_bytes(fd: i32, count: usize) -> i32 {
    let buffer = vec![1u8; count];
    // SAFETY: the buffer has `count` bytes.
    answer(unsafe { write(fd, buffer.as_ptr().cast(), count) })
}

/// Writes a number, as an eventfd wants it.
pub fn write_number(fd: i32, number: u64) -> i32 {
    // SAFETY: the number has eight bytes.
    answer(unsafe { write(fd, (&raw const number).cast(), 8) })
}

/// Sends one byte out of band.
pub fn send_urgent(fd: i32) -> i32 {
    // SAFETY: the string has one byte.
    answer(unsafe { send(fd, c"!".as_ptr().cast(), 1, MSG_OOB) })
}

pub fn close_fd(fd: i32) -> i32 {
    // SAFETY: a number that is not open is answered with EBADF; the tests close only what they
    // opened.
    answer(unsafe { close(fd) } as isize)
}

pub fn pipe() -> (i32, i32) {
    let mut fds = [-1; 2];
    // SAFETY: there is room for two numbers.
    let result = unsafe { pipe2(fds.as_mut_ptr(), O_NONBLOCK_CLOEXEC) };
    assert_eq!(answer(result as isize), 0, "pipe2");
    (fds[0], fds[1])
}

pub fn stream_pair() -> (i32, i32) {
    let mut fds = [-1; 2];
    // SAFETY: there is room for two numbers.
    let result = unsafe { socketpair(AF_UNIX, SOCK_STREAM_NONBLOCK, 0, fds.as_mut_ptr()) };
    assert_eq!(answer(result as isize), 0, "socketpair");
    (fds[0], fds[1])
}

/// A TCP socket that is not connected.
pub fn tcp_socket() -> i32 {
    // SAFETY: no memory is involved.
    answer(unsafe { socket(AF_INET, SOCK_STREAM_NONBLOCK, 0) } as isize)
}

/// Begins to connect to a port of this machine.
pub fn connect_locally(fd: i32, port: u16) -> i32 {
    let address = InternetAddress {
        family: AF_INET as u16,
        port: port.to_be_bytes(),
        address: [127, 0, 0, 1],
        zero: [0; 8],
    };
    // SAFETY: the address is as long as is said.
    answer(unsafe {
        connect(
            fd,
            &raw const address,
            size_of::<InternetAddress>() as c_uint,
        )
    } as isize)
}

pub fn make_fifo(path: &str) {
    let path = CString::new(path).expect("no NUL inside");
    // SAFETY: the path is a C string.
    let result = unsafe { mkfifo(path.as_ptr(), 0o600) };
    assert_eq!(answer(result as isize), 0, "mkfifo");
}

/// A new pseudo terminal's master, and the path of its slave.
pub fn open_terminal() -> (i32, String) {
    // SAFETY: no memory is involved.
    let master = answer(unsafe { posix_openpt(O_RDWR_NOCTTY_NONBLOCK_CLOEXEC) } as isize);
    // SAFETY: no memory is involved.
    assert_eq!(answer(unsafe { unlockpt(master) } as isize), 0, "unlockpt");
    let mut name = [0; 64];
    // SAFETY: the name has 64 bytes.
    let result = unsafe { ptsname_r(master, name.as_mut_ptr(), name.len()) };
    assert_eq!(result, 0);
    // SAFETY: ptsname_r has ended it with NUL.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    (master, name.to_string_lossy().into_owned())
}

/// An fd that becomes readable when the process ends.
pub fn process_fd(pid: u32) -> i32 {
    // SAFETY: the call takes two numbers.
    answer(unsafe { syscall(SYS_PIDFD_OPEN, pid as c_int, 0 as c_uint) } as isize)
}

pub fn shutdown_write(fd: i32) -> i32 {
    // SAFETY: no memory is involved.
    answer(unsafe { shutdown(fd, SHUT_WR) } as isize)
}

/// A duplicate under the lowest free number from `lowest` on.
pub fn duplicate_from(fd: i32, lowest: i32) -> i32 {
    // SAFETY: this command takes one number.
    answer(unsafe { fcntl(fd, F_DUPFD_CLOEXEC, lowest) } as isize)
}

/// The flags of the fd and of its open file.
pub fn flags(fd: i32) -> (i32, i32) {
    // SAFETY: this command takes no argument.
    let of_fd = answer(unsafe { fcntl(fd, F_GETFD) } as isize);
    // SAFETY: this command takes no argument.
    (of_fd, answer(unsafe { fcntl(fd, F_GETFL) } as isize))
}

pub fn event_fd(count: u32) -> i32 {
    // SAFETY: no memory is involved.
    answer(unsafe { eventfd(count, O_NONBLOCK_CLOEXEC) } as isize)
}

/// A timer's fd, not armed.
pub fn timer_fd() -> i32 {
    // SAFETY: no memory is involved.
    answer(unsafe { timerfd_create(CLOCK_MONOTONIC, O_NONBLOCK_CLOEXEC) } as isize)
}

/// Makes a timer's fd readable once, in so many nanoseconds, less than a second.
pub fn set_timer_fd(fd: i32, nanoseconds: c_long) {
    let once = Time {
        seconds: 0,
        nanoseconds,
    };
    let times = [Time::default(), once];
    // SAFETY: there are two times to read, and none is to be written.
    let result = unsafe { timerfd_settime(fd, 0, &raw const times, std::ptr::null_mut()) };
    assert_eq!(result, 0, "timerfd_settime");
}

/// Whether `fd` is readable within `timeout_ms`.
pub fn is_readable(fd: i32, timeout_ms: i32) -> bool {
    let mut record = PollRecord {
        fd,
        asked: POLLIN,
        found: 0,
    };
    // SAFETY: there is one record.
    let found = unsafe { poll(&raw mut record, 1, timeout_ms) };
    found == 1 && record.found & POLLIN != 0
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn monotonic() -> u64 {
    let mut time = Time::default();
    // SAFETY: there is room for one time.
    let result = unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut time) };
    assert_eq!(result, 0);
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}
