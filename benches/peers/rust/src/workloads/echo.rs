//! A TCP echo server, and the same with timers and messages, as `../../../workloads/echo.h`. The client is the same program.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::bench::{self, Meter, is_fixed, measured_echo, must, options, report, use_processor, wrong};
use crate::{Handler, Library, Limits};

const LISTENER: usize = 0;
const POSTS: usize = 16384;
const IDLE: Duration = Duration::from_secs(60);
/// The last message.
const END: usize = usize::MAX;

struct Echo {
    listener: RawFd,
    /// Connection `i` has token `i + 1`.
    connections: Vec<RawFd>,
    closed: usize,
    expected: usize,
    requests: usize,
    timers: bool,
    posts: bool,
    received: usize,
    finished: Arc<AtomicBool>,
}

impl Echo {
    fn accept<L: Library>(&mut self, context: &mut L::Context<Self>) {
        loop {
            // SAFETY: no address is asked for.
            let fd = unsafe {
                libc::accept4(self.listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            };
            if fd < 0 {
                if !bench::would_block() {
                    wrong("accept4 failed");
                }
                return;
            }
            let yes: libc::c_int = 1;
            // SAFETY: an int, as this option wants it.
            must(unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const yes).cast(), 4) });
            self.connections.push(fd);
            let token = self.connections.len();
            L::io_add(context, fd, token);
            if self.timers {
                L::timer_add(context, token, IDLE);
            }
        }
    }

    fn close<L: Library>(&mut self, context: &mut L::Context<Self>, token: usize, fd: RawFd) {
        if self.timers {
            L::timer_cancel(context, token);
        }
        L::io_remove(context, fd, token);
        // SAFETY: it was ours, and nothing watches it any more.
        unsafe { libc::close(fd) };
        self.closed += 1;
        if self.closed == self.expected {
            self.finished.store(true, Ordering::SeqCst);
            if !self.posts {
                L::stop(context);
            }
        }
    }
}

impl<L: Library> Handler<L> for Echo {
    fn io(&mut self, context: &mut L::Context<Self>, token: usize) {
        if token == LISTENER {
            return self.accept::<L>(context);
        }
        let fd = self.connections[token - 1];
        let mut bytes = [0; 4096];
        let size = bench::read(fd, &mut bytes);
        if size > 0 {
            if bench::write(fd, &bytes[..size as usize]) != size {
                wrong("a short write");
            }
            self.requests += 1;
            if self.timers {
                L::timer_push(context, token, IDLE);
            }
        } else if size == 0 {
            self.close::<L>(context, token, fd);
        } else if !bench::would_block() {
            wrong("read failed");
        }
    }

    fn timer(&mut self, _context: &mut L::Context<Self>, _token: usize) {
        wrong("an idle timeout that every message pushes forward fired");
    }

    fn message(&mut self, context: &mut L::Context<Self>, message: usize) {
        if message == END {
            return L::stop(context);
        }
        if message != self.received {
            wrong("a message came out of turn");
        }
        self.received += 1;
    }
}

fn process_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the result.
    must(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) });
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn open<L: Library>(listener: &TcpListener, connections: usize, timers: bool, posts: bool) -> L::Loop<Echo> {
    let echo = Echo {
        listener: listener.as_raw_fd(),
        connections: Vec::with_capacity(connections),
        closed: 0,
        expected: connections,
        requests: 0,
        timers,
        posts,
        received: 0,
        finished: Arc::new(AtomicBool::new(false)),
    };
    let limits = Limits {
        io: connections + 2,
        timers: if timers { connections + 1 } else { 0 },
        tasks: 0,
        posts: if posts { POSTS } else { 0 },
    };
    L::open(limits, echo)
}

fn serve<L: Library>(events: &mut L::Loop<Echo>, listener: &TcpListener, connections: usize) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    L::io_add(L::parts(events).0, listener.as_raw_fd(), LISTENER);
    let amount = if is_fixed() { format!("{}", 2000 / connections + 1) } else { format!("{:.3}s", options().seconds) };
    let program = std::env::current_exe().map(|mine| mine.with_file_name("client")).unwrap_or_default();
    let arguments = [port.to_string(), connections.to_string(), amount];
    let client = Command::new(program).args(arguments).stdout(Stdio::inherit()).spawn();
    let mut client = client.unwrap_or_else(|_| wrong("no client beside this program"));
    use_processor(0);
    let before = process_ns();
    let mut meter = Meter::new("echo");
    meter.begin();
    measured_echo(&mut || L::run(events));
    meter.end(L::parts(events).1.requests);
    let used = process_ns() - before;
    if !client.wait().is_ok_and(|status| status.success()) {
        wrong("the client found a wrong byte, or none");
    }
    let requests = L::parts(events).1.requests as f64;
    report("cpu", "ns", used / requests);
    println!("{{\"metric\": \"requests\", \"unit\": \"count\", \"value\": {requests}, \"operations\": {requests}}}");
}

fn listen() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|_| wrong("no port to listen on"));
    // The standard library's backlog is short of a thousand.
    // SAFETY: a listening socket may be told again.
    must(unsafe { libc::listen(listener.as_raw_fd(), 4096) });
    listener.set_nonblocking(true).unwrap_or_else(|_| wrong("no way to make the listener non-blocking"));
    listener
}

pub fn echo<L: Library>(connections: usize) {
    let listener = listen();
    let mut events = open::<L>(&listener, connections, false, false);
    serve::<L>(&mut events, &listener, connections);
}

pub fn mix<L: Library>(connections: usize) {
    if !L::HAS_TIMERS {
        bench::skip("no timers");
    }
    let listener = listen();
    let mut events = open::<L>(&listener, connections, true, true);
    let mailbox = L::mailbox(&mut events);
    let finished = L::parts(&mut events).1.finished.clone();
    let writer = thread::spawn(move || {
        use_processor(1);
        for number in 0.. {
            let is_last = finished.load(Ordering::SeqCst);
            if !L::post::<Echo>(&mailbox, if is_last { END } else { number }) {
                wrong("a queue with room for every message is full");
            }
            if is_last {
                return number;
            }
            thread::sleep(Duration::from_micros(500));
        }
        0
    });
    serve::<L>(&mut events, &listener, connections);
    if writer.join().unwrap_or(0) != L::parts(&mut events).1.received {
        wrong("not every message");
    }
}
