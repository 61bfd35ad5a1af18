//! An echo server, for as many clients as its table has places.
//!
//! ```text
//! cargo run --example echo -- 7007            serves on 127.0.0.1:7007 until it is killed;
//!                                             without a port the kernel chooses one
//! cargo run --example echo -- --self-test     serves its own clients, more than it has room for;
//!                                             verifies every byte, and ends
//! ```
//!
//! It shows the parts of a server on pirn:
//!
//! - Everything has a fixed size: the loop's memory is a [`Storage`], the clients are in a table.
//!   When the table is full, no more clients are accepted.
//! - Back-pressure. The server reads the next bytes of a client only after it has sent the previous
//!   ones. While the client's socket is full, the watcher waits for `WRITE` instead of `READ`. When
//!   the table is full, the listener is paused, and new clients wait in the kernel.
//! - One read for each call: a client with more data is called again in the next turn, after the
//!   others.
//! - An idle timeout for each client, which is postponed whenever the client sends or receives.
//! - If `accept` fails for lack of fds or memory, the listener is paused for a while, so that the
//!   loop does not spin.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use pirn::{
    Config, Core, Duration, Interest, Io, IoEvent, Loop, Repeat, Storage, Timer, TimerEvent, When,
};

const CLIENTS: usize = 64;
const BUFFER: usize = 4096;
const IDLE: Duration = Duration::from_secs(60);
const REST: Duration = Duration::from_millis(100);

/// The context of the callbacks.
struct Server {
    listener: TcpListener,
    io: Option<Io>,
    clients: [Option<Client>; CLIENTS],
}

struct Client {
    stream: TcpStream,
    io: Io,
    idle: Timer,
    /// The received bytes. `sent` of the `received` bytes were sent back.
    buffer: [u8; BUFFER],
    received: usize,
    sent: usize,
}

impl Client {
    /// Sends the remaining bytes, receives once if there are none, and returns the next interest.
    fn serve(&mut self) -> io::Result<Interest> {
        if self.sent == self.received {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(received) => (self.received, self.sent) = (received, 0),
                Err(error) if is_temporary(&error) => return Ok(Interest::READ),
                Err(error) => return Err(error),
            }
        }
        while self.sent < self.received {
            match self.stream.write(&self.buffer[self.sent..self.received]) {
                Ok(sent) => self.sent += sent,
                Err(error) if is_temporary(&error) => return Ok(Interest::WRITE),
                Err(error) => return Err(error),
            }
        }
        Ok(Interest::READ)
    }
}

/// True if the call must be repeated when the socket is ready again: readiness is a hint.
fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Accepts waiting clients, as long as there are free places.
fn on_listener(event_loop: &mut Core<'_, Server>, server: &mut Server, event: IoEvent) {
    while let Some(place) = server.clients.iter().position(Option::is_none) {
        match server.listener.accept() {
            // A client that cannot be watched is closed, and that is all.
            Ok((stream, _)) => server.clients[place] = watch(event_loop, stream, place).ok(),
            Err(error) if is_temporary(&error) => return,
            Err(error) => {
                eprintln!("accept: {error}");
                // The connection stays where it is, so the listener stays ready. Should the timer
                // fail too, a leaving client will do.
                let _ = event_loop.timer_start(When::After(REST), Repeat::Never, on_rested, 0);
                break;
            }
        }
    }
    event_loop
        .io_modify(event.io, Interest::empty())
        .expect("a callback's handle is live");
}

fn watch(
    event_loop: &mut Core<'_, Server>,
    stream: TcpStream,
    place: usize,
) -> Result<Client, Box<dyn Error>> {
    stream.set_nonblocking(true)?;
    let idle = event_loop.timer_start(When::After(IDLE), Repeat::Never, on_idle, place)?;
    match event_loop.io_add(stream.as_raw_fd(), Interest::READ, on_client, place) {
        Ok(io) => Ok(Client {
            stream,
            io,
            idle,
            buffer: [0; BUFFER],
            received: 0,
            sent: 0,
        }),
        Err(error) => {
            event_loop.timer_stop(idle)?;
            Err(error.into())
        }
    }
}

fn on_client(event_loop: &mut Core<'_, Server>, server: &mut Server, event: IoEvent) {
    let Some(client) = &mut server.clients[event.user] else {
        return;
    };
    match client.serve() {
        Ok(interest) => {
            // Neither costs a system call, unless the interest is another one when the turn is
            // over.
            event_loop
                .io_modify(event.io, interest)
                .expect("a callback's handle is live");
            event_loop
                .timer_again(client.idle, IDLE)
                .expect("a client's timer is live");
        }
        Err(_) => leave(event_loop, server, event.user),
    }
}

fn on_idle(event_loop: &mut Core<'_, Server>, server: &mut Server, event: TimerEvent) {
    leave(event_loop, server, event.user);
}

fn on_rested(event_loop: &mut Core<'_, Server>, server: &mut Server, _event: TimerEvent) {
    listen_again(event_loop, server);
}

/// Ends a client: first the watcher, then the fd, which `TcpStream` closes.
fn leave(event_loop: &mut Core<'_, Server>, server: &mut Server, place: usize) {
    if let Some(client) = server.clients[place].take() {
        event_loop
            .io_remove(client.io)
            .expect("a client's handle is live");
        // ENOENT if it is this timer that has fired.
        let _ = event_loop.timer_stop(client.idle);
        listen_again(event_loop, server);
    }
}

fn listen_again(event_loop: &mut Core<'_, Server>, server: &Server) {
    if let Some(io) = server.io {
        event_loop
            .io_modify(io, Interest::READ)
            .expect("the listener's handle is live");
    }
}

/// More clients than there are places, all at once. Each sends more than the sockets between hold,
/// and reads while it sends.
fn verify(address: SocketAddr) -> io::Result<()> {
    const CONNECTIONS: usize = CLIENTS + 8;
    const CHUNKS: usize = 64;
    let all_connected = Barrier::new(CONNECTIONS);
    let converse = |number: usize| -> io::Result<()> {
        let connected = TcpStream::connect(address);
        all_connected.wait();
        let mut stream = connected?;
        stream.set_read_timeout(Some(Duration::from_secs(20).into()))?;
        let chunk: Vec<u8> = (0..8192)
            .map(|byte| (byte * 7 + number * 13) as u8)
            .collect();
        let mut sender = stream.try_clone()?;
        thread::scope(|scope| {
            let sending = scope.spawn(|| {
                (0..CHUNKS)
                    .try_for_each(|_| sender.write_all(&chunk))
                    .and_then(|()| sender.shutdown(Shutdown::Write))
            });
            let mut echo = vec![0; chunk.len()];
            for _ in 0..CHUNKS {
                stream.read_exact(&mut echo)?;
                if echo != chunk {
                    return Err(io::Error::other("other bytes came back"));
                }
            }
            if stream.read(&mut echo)? != 0 {
                return Err(io::Error::other("more bytes came back"));
            }
            sending
                .join()
                .map_err(|_| io::Error::other("the sender failed"))?
        })
    };
    thread::scope(|scope| {
        let converse = &converse;
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || converse(number)))
            .collect();
        clients.into_iter().try_for_each(|client| {
            client
                .join()
                .map_err(|_| io::Error::other("a client failed"))?
        })
    })?;
    println!(
        "{CONNECTIONS} clients, {} bytes each way, every byte as it was sent",
        CONNECTIONS * CHUNKS * 8192
    );
    Ok(())
}

/// Serves until killed, or until the test is over.
pub fn serve(port: u16, is_test: bool) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;

    // One watcher for each client and one for the listener, and as many timers: all the memory the
    // loop will ever use.
    let mut storage = Storage::<{ CLIENTS + 1 }, { CLIENTS + 1 }, 0>::new();
    let mut event_loop = Loop::new(&mut storage, Config::default())?;
    let mut server = Server {
        listener,
        io: None,
        clients: [const { None }; CLIENTS],
    };
    server.io =
        Some(event_loop.io_add(server.listener.as_raw_fd(), Interest::READ, on_listener, 0)?);
    println!("listening on {address} ({})", event_loop.backend().name());

    if !is_test {
        event_loop.run(&mut server)?;
        return Ok(());
    }
    let remote = event_loop.remote();
    thread::scope(|scope| {
        let test = scope.spawn(move || {
            let result = verify(address);
            // The only thing here that another thread may do with a loop: end its run.
            remote.stop().and(Ok(result))
        });
        event_loop.run(&mut server)?;
        test.join()
            .map_err(|_| "the test failed")??
            .map_err(Box::from)
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve(0, false),
        ["--self-test"] => serve(0, true),
        [port] => port
            .parse()
            .map_err(|_| format!("{port} is no port").into())
            .and_then(|port| serve(port, false)),
        _ => Err("usage: echo [PORT | --self-test]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}
