//! Programs of fibers in Rust.
#![cfg(target_os = "linux")]

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use ::pirn_fiber::{Capacity, Hub, run};
use pirn::Error;

const MILLISECOND: Duration = Duration::from_millis(1);
const SOON: Option<Duration> = Some(Duration::from_secs(10));

/// Runs a program with stacks for it.
fn with_stacks<const N: usize, R>(program: impl FnOnce(&Hub, &mut [Vec<u8>; N]) -> R) -> R {
    let mut block = vec![0; 2048];
    let mut stacks = [(); N].map(|()| vec![0; 65536]);
    let capacity = Capacity {
        io: 16,
        timers: 2,
        tasks: 4,
    };
    run(&mut block, capacity, |hub| program(hub, &mut stacks)).expect("there is room")
}

#[test]
fn fibers_share_what_they_borrow() {
    let written = RefCell::new(String::new());
    with_stacks(|hub, [first, second]| {
        hub.scope(|scope| {
            for (stack, name) in [(first, 'a'), (second, 'b')] {
                let written = &written;
                let body = move || {
                    for _ in 0..3 {
                        written.borrow_mut().push(name);
                        hub.yield_now().expect("a fiber runs");
                    }
                };
                scope.spawn(stack, body).expect("the stack is large enough");
            }
        });
    });
    assert_eq!(written.into_inner(), "ababab");
}

#[test]
fn a_scope_waits_for_its_fibers() {
    let ended = Cell::new(0);
    let begun = Instant::now();
    with_stacks(|hub, [first, second]| {
        let sleep = |milliseconds: u32| {
            hub.sleep(MILLISECOND * milliseconds)
                .expect("nobody cancels");
            ended.set(ended.get() + 1);
        };
        let (sleep, ended) = (&sleep, &ended);
        hub.scope(|scope| {
            let slow = scope.spawn(first, move || sleep(20)).expect("room");
            let body = move || {
                sleep(5);
                slow.join(None).expect("it ends");
                assert_eq!(ended.get(), 2);
            };
            scope.spawn(second, body).expect("room");
        });
        assert_eq!(ended.get(), 2);
    });
    assert!(begun.elapsed() >= MILLISECOND * 20);
}

#[test]
fn fibers_of_a_scope_that_can_never_end_are_cancelled() {
    let result = Cell::new(Ok(0));
    with_stacks(|hub, [first, second]| {
        let (near, _far) = UnixStream::pair().expect("there are sockets");
        hub.port(near.as_raw_fd(), |port| {
            hub.scope(|scope| {
                let reads = || result.set(port.read(&mut [0], None));
                let reader = scope.spawn(first, reads).expect("room");
                let cancels = move || {
                    hub.sleep(MILLISECOND).expect("nobody cancels");
                    reader.cancel();
                };
                scope.spawn(second, cancels).expect("room");
            });
        })
        .expect("it is an fd");
    });
    assert_eq!(result.get(), Err(Error::ECANCELED));
}

#[test]
fn limits_hold_for_all_that_is_inside() {
    with_stacks(|hub, [first]| {
        hub.scope(|scope| {
            let body = || {
                let inner = Cell::new(Ok(()));
                let outer = hub.limit(MILLISECOND, || inner.set(hub.sleep(MILLISECOND * 1000)));
                assert_eq!(inner.get(), Err(Error::ECANCELED));
                assert_eq!(outer, Err(Error::ETIMEDOUT));
                assert_eq!(hub.limit(MILLISECOND * 1000, || 7), Ok(7));
            };
            scope.spawn(first, body).expect("room");
        });
    });
}

#[test]
fn an_echo_server_reads_as_if_it_blocked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let address = listener.local_addr().expect("it is bound");
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        stream.write_all(b"hello").expect("it is open");
        stream
            .shutdown(std::net::Shutdown::Write)
            .expect("it is open");
        std::io::read_to_string(stream).expect("it is text")
    });
    let serve = |hub: &Hub| {
        hub.port(listener.as_raw_fd(), |listener| {
            let fd = listener.accept(SOON)?;
            // SAFETY: just accepted, and nobody else's.
            #[expect(unsafe_code, reason = "an fd becomes the standard library's")]
            let _client = unsafe { OwnedFd::from_raw_fd(fd) };
            hub.port(fd, |port| {
                let mut bytes = [0; 100];
                loop {
                    let count = port.read(&mut bytes, SOON)?;
                    if count == 0 {
                        return Ok::<_, Error>(());
                    }
                    port.write_all(&bytes[..count], SOON)?;
                }
            })?
        })
    };
    // The program itself waits, without a fiber.
    with_stacks(|hub, []| serve(hub))
        .expect("it is an fd")
        .expect("the client is there");
    assert_eq!(client.join().expect("it ends"), "hello");
}

#[test]
fn misuse_is_an_error() {
    let mut small = [0; 8];
    let capacity = Capacity {
        io: 4,
        timers: 2,
        tasks: 2,
    };
    assert_eq!(run(&mut small, capacity, |_| ()), Err(Error::ENOBUFS));
    with_stacks(|hub, [stack]| {
        assert_eq!(hub.yield_now(), Err(Error::EDEADLK));
        assert_eq!(hub.port(-1, |_| ()), Err(Error::EBADF));
        assert_eq!(hub.limit(MILLISECOND, || ()), Err(Error::EDEADLK));
        let dropped = std::rc::Rc::new(());
        hub.scope(|scope| {
            let copy = dropped.clone();
            let refused = scope.spawn(&mut stack[..600], move || drop(copy));
            assert!(refused.is_err());
        });
        assert_eq!(std::rc::Rc::strong_count(&dropped), 1);
    });
}
