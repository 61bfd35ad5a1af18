//! Ten downloads at the same time, each in a fiber.
//!
//! ```text
//! cargo run -p pirn-fiber --example downloader
//! ```
//!
//! Shows: requests are sent in order and answered in any order, so all of them together take as
//! long as the slowest; and a time limit for all of them, after which the rest is cancelled.
//!
//! Watch for the difference to the program in C (`c-examples/gallery/downloader.c`): the fibers
//! borrow the list of results from the function that starts them. No lock is needed, because only
//! one fiber runs at a time, and the compiler checks that no fiber outlives its borrows.
//!
//! Next: `chat.rs`, the same loop with callbacks.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use pirn::{Error, Result};
use pirn_fiber::{Capacity, Hub, run};

const DOWNLOADS: u32 = 10;
const STEP: Duration = Duration::from_millis(20);
const SIZE: usize = 1000;

/// Answers each request, a line with a number of milliseconds, after that time.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.expect("a client has connected");
        thread::spawn(move || {
            let mut line = String::new();
            let mut reader = BufReader::new(&stream);
            reader.read_line(&mut line).expect("a request is text");
            let delay = line.trim().parse().expect("a request is a number");
            thread::sleep(Duration::from_millis(delay));
            // The client may have gone.
            let _ = stream.write_all(&[b'x'; SIZE]);
        });
    }
}

/// Returns how many bytes have come. Reads as if it blocked; meanwhile the other fibers run.
fn download(hub: &Hub, server: SocketAddr, delay: Duration) -> Result<usize> {
    let stream = TcpStream::connect(server).expect("the server listens");
    stream.set_nonblocking(true).expect("it is a socket");
    hub.port(stream.as_raw_fd(), |port| {
        port.write_all(format!("{}\n", delay.as_millis()).as_bytes(), None)?;
        let (mut bytes, mut received) = ([0; 256], 0);
        loop {
            match port.read(&mut bytes, None)? {
                0 => return Ok(received),
                count => received += count,
            }
        }
    })?
}

/// Starts all downloads, the slowest first, and returns which have ended within `limit`, in which
/// order. The others are cancelled.
fn download_all(server: SocketAddr, limit: Duration) -> Vec<u32> {
    let ended = RefCell::new(Vec::new());
    let mut block = vec![0; 2048];
    let capacity = Capacity {
        io: 16,
        timers: 2,
        tasks: 4,
    };
    let mut stacks = vec![[0; 65536]; DOWNLOADS as usize];
    run(&mut block, capacity, |hub| {
        hub.scope(|scope| {
            for (number, stack) in (0..DOWNLOADS).zip(&mut stacks) {
                let ended = &ended;
                let body = move || {
                    let delay = STEP * (DOWNLOADS - number);
                    match hub.limit(limit, || download(hub, server, delay)) {
                        Ok(Ok(received)) => {
                            assert_eq!(received, SIZE);
                            ended.borrow_mut().push(number);
                        }
                        Ok(Err(error)) => panic!("{error}"),
                        Err(error) => assert_eq!(error, Error::ETIMEDOUT),
                    }
                };
                scope.spawn(stack, body).expect("the stack is large enough");
            }
        });
    })
    .expect("the block is large enough");
    ended.into_inner()
}

/// Fails if a claim does not hold.
pub fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let server = listener.local_addr().expect("it is bound");
    thread::spawn(move || serve(&listener));

    let begun = Instant::now();
    let order = download_all(server, Duration::from_secs(60));
    let time = begun.elapsed();
    println!("{DOWNLOADS} downloads ended in the order {order:?}, after {time:?}");
    assert_eq!(order, (0..DOWNLOADS).rev().collect::<Vec<_>>());
    // One after the other they would take 55 steps.
    assert!(time >= STEP * DOWNLOADS && time < STEP * 40, "{time:?}");

    let order = download_all(server, STEP * 5);
    println!("{} ended within {:?}", order.len(), STEP * 5);
    assert!(order.len() < DOWNLOADS as usize);
}
