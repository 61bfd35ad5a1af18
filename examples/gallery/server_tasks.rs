//! An echo server: a bounded number of tasks, which are futures.
//!
//! ```text
//! cargo run -p pirn-sync --example server_tasks            many clients at once, and the end
//! ```
//!
//! Shows: `async` without a heap. The tasks are in `Slots` of this program, so that the memory for
//! all clients is known before the first one comes. A semaphore lets no more clients in than there
//! are slots. The others wait where they are, in the listening socket.
//!
//! Watch for the permit that is passed to `serve`: it is released when the future ends, however
//! that happens, and the accepting task goes on.
//!
//! Next: `downloader.rs`, where the same is done by fibers, and `c-examples/gallery/server_pool.c`.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::pin::{Pin, pin};
use std::thread;
use std::time::Duration;

use pirn::Result;
use pirn_executor::{Capacity, Hub, Port, Slots, Wakers, block_on, run, scope};
use pirn_sync::{Permit, Semaphore};

const ROOM: usize = 4;
const CLIENTS: usize = 30;
const MESSAGES: usize = 20;
const PATIENCE: Duration = Duration::from_secs(20);

static ACCEPTING: Wakers<1> = Wakers::new();
static SERVING: Wakers<ROOM> = Wakers::new();

/// How many clients are served, and how many were at most.
#[derive(Default)]
struct Count {
    now: Cell<usize>,
    most: Cell<usize>,
    ended: Cell<usize>,
}

fn error(error: pirn::Error) -> io::Error {
    io::Error::from_raw_os_error(error.errno())
}

async fn write_all(
    port: Pin<&Port<'_>>,
    mut stream: &TcpStream,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(full) if full.kind() == ErrorKind::WouldBlock => {
                port.writable().within(PATIENCE).await.map_err(error)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn echo(hub: &Hub, mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let port = pin!(Port::new(hub, stream.as_raw_fd()));
    let port = port.as_ref();
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => write_all(port, stream, &bytes[..count]).await?,
            Err(empty) if empty.kind() == ErrorKind::WouldBlock => {
                port.readable().within(PATIENCE).await.map_err(error)?;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn serve(hub: &Hub, stream: TcpStream, count: &Count, _room: Permit<'_, '_>) {
    count.now.set(count.now.get() + 1);
    count.most.set(count.most.get().max(count.now.get()));
    // A client that is gone or silent ends its own task alone.
    if echo(hub, &stream).await.is_ok() {
        count.ended.set(count.ended.get() + 1);
    }
    count.now.set(count.now.get() - 1);
}

/// Serves so many clients, and returns when the last one has left.
fn serve_all(listener: &TcpListener, clients: usize, count: &Count) -> Result<()> {
    let capacity = Capacity {
        io: ROOM as u32 + 2,
        timers: 1,
        tasks: 1,
    };
    run(&mut [0; 1024], capacity, |hub| {
        let rooms = pin!(Semaphore::new(hub, ROOM as u32));
        let rooms = rooms.as_ref();
        let mut slots = Slots::<_, ROOM>::new();
        println!(
            "{ROOM} clients at a time: {} bytes, and 8192 for the loop",
            size_of_val(&slots) + size_of_val(&SERVING)
        );
        scope(hub, &SERVING, &mut slots, |tasks| {
            block_on(hub, &ACCEPTING, async {
                let port = pin!(Port::new(hub, listener.as_raw_fd()));
                for _ in 0..clients {
                    let room = rooms.acquire(1).await?;
                    port.as_ref().readable().await?;
                    let (stream, _) = listener.accept().expect("a client is there");
                    match tasks.spawn(serve(hub, stream, count, room)) {
                        Ok(task) => task.detach(),
                        Err(_) => unreachable!("there are as many slots as permits"),
                    }
                }
                // All of them are free when the last client has left.
                rooms.acquire(ROOM as u32).await.map(drop)
            })
        })
    })???
}

/// Says something, and compares every byte that comes back.
fn talk(server: SocketAddr, number: usize) {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    for message in 0..MESSAGES {
        let said = [(number * MESSAGES + message) as u8; 777];
        let mut heard = [0; 777];
        stream.write_all(&said).expect("the server reads");
        stream.read_exact(&mut heard).expect("the server answers");
        assert_eq!(heard, said);
    }
    stream.shutdown(Shutdown::Write).expect("it is open");
    let rest = io::read_to_string(stream).expect("the server hangs up");
    assert_eq!(rest, "");
}

/// Fails if a claim does not hold.
pub fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let server = listener.local_addr().expect("it is bound");
    let talkers: Vec<_> = (0..CLIENTS)
        .map(|number| thread::spawn(move || talk(server, number)))
        .collect();
    let count = Count::default();
    serve_all(&listener, CLIENTS, &count).expect("the loop works");
    for talker in talkers {
        talker.join().expect("every byte came back");
    }
    println!(
        "served {}, {} at a time",
        count.ended.get(),
        count.most.get()
    );
    assert_eq!((count.ended.get(), count.now.get()), (CLIENTS, 0));
    assert!(count.most.get() <= ROOM);
}
