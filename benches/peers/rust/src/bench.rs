//! What every workload stands on, as `../../workloads/bench.h`: options, meters, checks, random numbers, file descriptors.

use std::ffi::CString;
use std::io::Error;
use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

// ---- options ----

pub struct Options {
    /// How long each figure is measured.
    pub seconds: f64,
    /// A fixed small amount of work instead, for exact counts.
    pub fixed: bool,
    /// The same, its regions marked by system calls that a trace shows.
    pub mark: bool,
}

static OPTIONS: OnceLock<Options> = OnceLock::new();

pub fn options() -> &'static Options {
    OPTIONS.get_or_init(|| {
        let words: Vec<String> = std::env::args().collect();
        let after = |word: &str| words.iter().position(|other| other == word).and_then(|at| words.get(at + 1));
        Options {
            seconds: after("--seconds").and_then(|text| text.parse().ok()).unwrap_or(0.2),
            fixed: words.iter().any(|word| word == "--fixed"),
            mark: words.iter().any(|word| word == "--mark"),
        }
    })
}

pub fn is_fixed() -> bool {
    options().fixed || options().mark
}

// ---- checks ----

#[cold]
pub fn wrong(what: &str) -> ! {
    eprintln!("wrong result: {what}");
    std::process::exit(1)
}

pub fn skip(why: &str) -> ! {
    println!("{{\"skip\": \"{why}\"}}");
    std::process::exit(0)
}

/// For what can only fail when the bench or the machine is at fault.
pub fn must(result: libc::c_int) -> libc::c_int {
    if result < 0 {
        wrong(&format!("{}", Error::last_os_error()));
    }
    result
}

extern "C" fn on_watchdog(_signal: libc::c_int) {
    let text = b"wrong result: hangs: an event, a timer or a message was lost\n";
    // SAFETY: both may be called in a signal handler, and the text is as long as is said.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
        libc::_exit(1);
    }
}

/// A loop that waits for an event it has lost would wait for ever. By signal: beside a second thread the C library's read and
/// write take another, longer path.
pub fn watchdog(seconds: u32) {
    let handler: extern "C" fn(libc::c_int) = on_watchdog;
    // SAFETY: the handler does only what a signal handler may.
    unsafe {
        libc::signal(libc::SIGALRM, handler as libc::sighandler_t);
        libc::alarm(seconds);
    }
}

// ---- regions ----

pub type Region = fn(&mut dyn FnMut()) -> usize;

/// Functions of their own that callgrind finds by name and collects in. Each names itself, so that the compiler does not
/// make one of them, and does something after the call, so that it does not become a jump.
macro_rules! regions {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            pub fn $name(body: &mut dyn FnMut()) -> usize {
                body();
                std::hint::black_box(stringify!($name)).len()
            }
        )*
    };
}

regions! {
    measured_dispatch measured_idle
    measured_register measured_modify measured_toggle measured_stopstart measured_remove
    measured_add measured_pair measured_push_random measured_push_robin measured_turns_random measured_turns_robin
    measured_cancel measured_expire
    measured_defer_chain measured_batch measured_post measured_receive measured_trips measured_echo
    driver_next_round
}

// ---- results ----

pub struct Meter {
    pub metric: &'static str,
    pub time: Duration,
    pub operations: u64,
    pub rounds: u64,
    started: Instant,
}

impl Meter {
    pub fn new(metric: &'static str) -> Self {
        Meter { metric, time: Duration::ZERO, operations: 0, rounds: 0, started: Instant::now() }
    }

    fn mark(&self, what: &str) {
        let text = CString::new(format!("//bench/{what}/{}", self.metric)).unwrap_or_default();
        // SAFETY: a string that ends in a zero byte.
        unsafe { libc::access(text.as_ptr(), libc::F_OK) };
    }

    pub fn begin(&mut self) {
        if options().mark {
            self.mark("begin");
        }
        self.started = Instant::now();
    }

    pub fn end(&mut self, operations: usize) {
        self.time += self.started.elapsed();
        self.operations += operations as u64;
        self.rounds += 1;
        if options().mark {
            self.mark("end");
        }
    }

    /// `region`, measured.
    pub fn measure(&mut self, region: Region, operations: usize, mut body: impl FnMut()) {
        self.begin();
        region(&mut body);
        self.end(operations);
    }

    /// Another round? `fixed` rounds where the amount of work is fixed, else until the time is used up.
    pub fn goes_on(&self, fixed: u64) -> bool {
        if is_fixed() { self.rounds < fixed } else { self.rounds == 0 || self.time.as_secs_f64() < options().seconds }
    }

    pub fn report(&self) {
        if self.operations > 0 {
            let ns = self.time.as_nanos() as f64 / self.operations as f64;
            let (metric, operations, rounds) = (self.metric, self.operations, self.rounds);
            println!(
                "{{\"metric\": \"{metric}\", \"unit\": \"ns\", \"value\": {ns}, \"operations\": {operations}, \"rounds\": {rounds}}}"
            );
        }
    }
}

pub fn report(metric: &str, unit: &str, value: f64) {
    println!("{{\"metric\": \"{metric}\", \"unit\": \"{unit}\", \"value\": {value}}}");
}

pub fn percentile(samples: &mut [u64], percent: usize) -> f64 {
    samples.sort_unstable();
    if samples.is_empty() { 0.0 } else { samples[(samples.len() - 1) * percent / 100] as f64 }
}

// ---- random numbers: those of the C workloads ----

pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Random(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let next = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(next) * u128::from(bound)) >> 64) as u64
    }

    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            let other = self.below(i as u64 + 1) as usize;
            order.swap(i, other);
        }
        order
    }
}

// ---- file descriptors ----

pub fn fd_limit() -> usize {
    // SAFETY: all zero is a valid rlimit, which the call fills in.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: a valid place for the result.
    must(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) });
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: a valid limit.
    must(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) });
    limit.rlim_cur as usize
}

pub fn open_pair() -> [RawFd; 2] {
    let mut pair = [0; 2];
    // SAFETY: room for two fds.
    must(unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr())
    });
    pair
}

pub fn open_eventfd(value: u32) -> RawFd {
    // SAFETY: no memory is involved.
    must(unsafe { libc::eventfd(value, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })
}

/// As read(2).
#[inline(always)]
pub fn read(fd: RawFd, bytes: &mut [u8]) -> isize {
    // SAFETY: as much room as is said.
    unsafe { libc::read(fd, bytes.as_mut_ptr().cast(), bytes.len()) }
}

/// As write(2).
#[inline(always)]
pub fn write(fd: RawFd, bytes: &[u8]) -> isize {
    // SAFETY: as many bytes as is said.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) }
}

pub fn would_block() -> bool {
    Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
}

/// Until the socket does not take another byte: watching it for writing reports nothing then.
pub fn fill_socket(fd: RawFd) {
    let size: libc::c_int = 1; // the kernel makes it its minimum
    // SAFETY: an int, as this option wants it.
    must(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw const size).cast(), 4) });
    while write(fd, &[0; 4096]) > 0 || write(fd, &[0]) > 0 {}
}

pub fn use_processor(processor: usize) {
    let count = std::thread::available_parallelism().map_or(1, |count| count.get());
    // SAFETY: all zero is the empty set, and the processor is within it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor % count, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}
