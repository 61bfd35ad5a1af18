//! mio: readiness only, edge-triggered. A token is the address of the watcher.

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use crate::{Io, call, timeout};

const WAKE: Token = Token(0);

struct Loop {
    poll: Poll,
    registry: Registry,
    events: Events,
}

#[unsafe(no_mangle)]
extern "C" fn mio_open() -> *mut Loop {
    let poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    let events = Events::with_capacity(1024);
    Box::into_raw(Box::new(Loop {
        poll,
        registry,
        events,
    }))
}

functions! {
    mio_turn(this: Loop, waits: bool) -> bool {
        let mut woken = false;
        (*this).poll.poll(&mut (*this).events, timeout(waits)).unwrap();
        for event in (*this).events.iter() {
            match event.token() {
                WAKE => woken = true,
                Token(io) => call(io),
            }
        }
        woken
    }
    mio_add(this: Loop, io: *mut Io) -> () {
        let (fd, token) = ((*io).fd, Token(io as usize));
        (*this).registry.register(&mut SourceFd(&fd), token, Interest::READABLE).unwrap();
    }
    mio_modify(this: Loop, io: *mut Io, writes: bool) -> () {
        let (fd, token) = ((*io).fd, Token(io as usize));
        let both = Interest::READABLE | Interest::WRITABLE;
        let interest = if writes { both } else { Interest::READABLE };
        (*this).registry.reregister(&mut SourceFd(&fd), token, interest).unwrap();
    }
    mio_pause(this: Loop, io: *mut Io) -> () {
        (*this).registry.deregister(&mut SourceFd(&(*io).fd)).unwrap();
    }
    mio_resume(this: Loop, io: *mut Io) -> () { mio_add(this, io) }
    mio_remove(this: Loop, io: *mut Io) -> () { mio_pause(this, io) }
    mio_waker(this: Loop) -> *mut Waker {
        Box::into_raw(Box::new(Waker::new(&(*this).registry, WAKE).unwrap()))
    }
    mio_wake(this: Waker) -> () { (*this).wake().unwrap() }
}
