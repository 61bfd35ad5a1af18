//! A chat: what one client writes, all others read.
//!
//! ```text
//! cargo run --example chat                  three clients of its own talk, and the program ends
//! ```
//!
//! Shows: callbacks in Rust. They are plain functions over a context of yours, the room, so that
//! each of them can reach all clients. Nothing is shared behind a lock or a reference count, and
//! nothing is `unsafe`.
//!
//! Note the number that is passed to `io_add` with the function: it is the client's place in the
//! room, and each event contains it.
//!
//! Next: `c-examples/gallery/server_auto.c`, the same in C.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use pirn::{Config, Core, Interest, Io, IoEvent, Loop, Storage};

const CLIENTS: usize = 8;

/// The context of the callbacks.
#[derive(Default)]
struct Room {
    clients: [Option<Client>; CLIENTS],
}

struct Client {
    stream: UnixStream,
    io: Io,
}

impl Room {
    /// Adds a client, or returns it if the room is full.
    fn enter(&mut self, core: &mut Core<'_, Room>, stream: UnixStream) -> Result<(), UnixStream> {
        let Some(place) = self.clients.iter().position(Option::is_none) else {
            return Err(stream);
        };
        if stream.set_nonblocking(true).is_err() {
            return Err(stream);
        }
        match core.io_add(stream.as_raw_fd(), Interest::READ, on_client, place) {
            Ok(io) => {
                self.clients[place] = Some(Client { stream, io });
                Ok(())
            }
            Err(_) => Err(stream),
        }
    }

    /// Sends to all clients except one. A client whose socket is full misses the message.
    fn tell_others(&mut self, speaker: usize, words: &[u8]) {
        for (place, client) in self.clients.iter_mut().enumerate() {
            if let Some(client) = client.as_mut().filter(|_| place != speaker) {
                let _ = client.stream.write(words);
            }
        }
    }
}

fn on_client(core: &mut Core<'_, Room>, room: &mut Room, event: IoEvent<usize>) {
    let place = event.user;
    let mut words = [0; 256];
    let Some(client) = room.clients[place].as_mut() else {
        return;
    };
    match client.stream.read(&mut words) {
        Ok(count @ 1..) => room.tell_others(place, &words[..count]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        // The end, or an error: it leaves. Dropping the stream closes the fd.
        _ => {
            core.io_remove(client.io).expect("its watcher is live");
            room.clients[place] = None;
        }
    }
}

/// Fails if a claim does not hold.
pub fn main() {
    let mut storage = Storage::<CLIENTS, 0, 0>::new();
    let mut event_loop = Loop::new(&mut storage, Config::default()).expect("epoll works here");
    let mut room = Room::default();
    let mut far_ends = Vec::new();
    for _ in 0..3 {
        let (near, far) = UnixStream::pair().expect("there are sockets");
        room.enter(&mut event_loop, near).expect("there is room");
        far_ends.push(far);
    }

    // All three talk, and hang up. The loop runs until the last one has left.
    for (number, far) in far_ends.iter_mut().enumerate() {
        far.write_all(format!("{number}").as_bytes())
            .expect("it is open");
        far.shutdown(std::net::Shutdown::Write).expect("it is open");
    }
    event_loop.run(&mut room).expect("the loop works");

    let heard: Vec<String> = far_ends
        .into_iter()
        .map(|far| std::io::read_to_string(far).expect("it is text"))
        .collect();
    println!("heard: {heard:?}");
    // Each client gets the messages sent while it was in the room, except its own.
    assert!(
        heard
            .iter()
            .enumerate()
            .all(|(number, words)| !words.contains(&number.to_string()))
    );
    assert!(heard.iter().any(|words| words.len() == 2));
}
