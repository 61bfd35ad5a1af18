//! Tasks that wait for fds, on a loop of the kernel's.
#![cfg(all(target_os = "linux", not(miri)))]

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use pirn::Error;
use pirn_executor::*;

const MILLISECOND: Duration = Duration::from_millis(1);

fn with_hub<R>(program: impl FnOnce(&Hub) -> R) -> R {
    let capacity = Capacity {
        io: 16,
        timers: 2,
        tasks: 4,
    };
    run(&mut [0; 1024], capacity, program).expect("there is room")
}

async fn read(port: Pin<&Port<'_>>, mut stream: &UnixStream, bytes: &mut [u8]) -> Result<usize> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => port.readable().await?,
            result => return Ok(result.expect("it is open")),
        }
    }
}

#[test]
fn readers_and_writers_of_one_port_wait_side_by_side() {
    const SIZE: usize = 4_000_000;
    static MAIN: Wakers<1> = Wakers::new();
    static OTHER: Wakers<1> = Wakers::new();
    let (near, far) = UnixStream::pair().expect("there are sockets");
    near.set_nonblocking(true).expect("it is a socket");
    let echo = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let (mut reader, mut writer) = (&far, &far);
        reader.read_to_end(&mut bytes).expect("it is open");
        writer.write_all(&bytes).expect("it is open");
    });
    let received = with_hub(|hub| {
        let port = pin!(Port::new(hub, near.as_raw_fd()));
        let (port, near) = (port.as_ref(), &near);
        scope(hub, &OTHER, &mut Slots::new(), |tasks| {
            let writer = tasks.spawn(async move {
                port.writable().await.expect("there is room");
                let (bytes, mut written) = (vec![7; SIZE], 0);
                while written < SIZE {
                    match { near }.write(&bytes[written..]) {
                        Ok(count) => written += count,
                        Err(_) => port.writable().await.expect("it is open"),
                    }
                }
                near.shutdown(std::net::Shutdown::Write)
                    .expect("it is open");
            });
            block_on(hub, &MAIN, async move {
                let (mut bytes, mut received) = (vec![0; 100_000], 0);
                port.readable().await.expect("there will be something");
                loop {
                    match read(port, near, &mut bytes).await.expect("it is open") {
                        0 => break,
                        count => received += count,
                    }
                }
                writer.unwrap_or_else(|_| panic!("there is room")).await;
                received
            })
        })
    });
    assert_eq!(received, Ok(Ok(SIZE)));
    echo.join().expect("it ends");
}

#[test]
fn a_limit_ends_a_wait_for_an_fd_and_the_port_goes_on() {
    static MAIN: Wakers<1> = Wakers::new();
    let (near, mut far) = UnixStream::pair().expect("there are sockets");
    near.set_nonblocking(true).expect("it is a socket");
    let begun = Instant::now();
    let result = with_hub(|hub| {
        block_on(hub, &MAIN, async {
            let port = pin!(Port::new(hub, near.as_raw_fd()));
            let port = port.as_ref();
            let own = port.readable().within(MILLISECOND * 5).await;
            let around = timeout(hub, MILLISECOND * 5, port.readable()).await;
            far.write_all(b"x").expect("it is open");
            (
                own,
                around,
                port.readable().await,
                read(port, &near, &mut [0]).await,
            )
        })
    });
    let expected = (Err(Error::ETIMEDOUT), Err(Error::ETIMEDOUT), Ok(()), Ok(1));
    assert_eq!(result, Ok(expected));
    assert!(begun.elapsed() >= MILLISECOND * 10);
}

#[test]
fn misuse_of_a_port_is_an_error() {
    static MAIN: Wakers<1> = Wakers::new();
    let (near, _far) = UnixStream::pair().expect("there are sockets");
    with_hub(|hub| {
        let result = block_on(hub, &MAIN, async {
            let bad = pin!(Port::new(hub, -1));
            let none = bad.as_ref().readable().await;
            let port = pin!(Port::new(hub, near.as_raw_fd()));
            let tried = port.as_ref().readable().within(Duration::ZERO).await;
            (none, tried, port.as_ref().readable().try_now())
        });
        let expected = (Err(Error::EBADF), Err(Error::EAGAIN), Err(Error::EDEADLK));
        assert_eq!(result, Ok(expected));
    });
}

/// More ports than the loop has room for.
#[test]
fn a_port_without_a_slot_is_refused_and_works_when_there_is_one() {
    static MAIN: Wakers<1> = Wakers::new();
    let (near, mut far) = UnixStream::pair().expect("there are sockets");
    far.write_all(b"x").expect("it is open");
    let capacity = Capacity {
        io: 2,
        timers: 1,
        tasks: 1,
    };
    let result = run(&mut [0; 1024], capacity, |hub| {
        block_on(hub, &MAIN, async {
            let last = pin!(Port::new(hub, near.as_raw_fd()));
            {
                let first = pin!(Port::new(hub, near.as_raw_fd()));
                first.as_ref().readable().await?;
                assert_eq!(last.as_ref().readable().await, Err(Error::ENOSPC));
            }
            last.as_ref().readable().await
        })
    });
    assert_eq!(result, Ok(Ok(Ok(()))));
}

#[test]
fn a_wait_that_is_dropped_leaves_the_next_one_in_front() {
    static MAIN: Wakers<1> = Wakers::new();
    static READERS: Wakers<2> = Wakers::new();
    let (near, mut far) = UnixStream::pair().expect("there are sockets");
    let woken = Cell::new(0);
    with_hub(|hub| {
        let port = pin!(Port::new(hub, near.as_raw_fd()));
        let (port, woken) = (port.as_ref(), &woken);
        scope(hub, &READERS, &mut Slots::new(), |tasks| {
            let started = [1, 2].map(|number| {
                let task = tasks.spawn(async move {
                    port.readable().await.expect("it is open");
                    woken.set(number);
                });
                task.unwrap_or_else(|_| panic!("there is room"))
            });
            let [first, second] = started;
            let result = block_on(hub, &MAIN, async {
                sleep(hub, MILLISECOND).await.expect("it is over");
                drop(first);
                far.write_all(b"x").expect("it is open");
                second.await;
            });
            assert_eq!(result, Ok(()));
        })
        .expect("the wakers are free");
    });
    assert_eq!(woken.get(), 2);
}
