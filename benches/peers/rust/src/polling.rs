//! polling: readiness only; level-triggered, as it can be with epoll. A key is the address of the
//! watcher.

use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;

use polling::{Event, Events, PollMode, Poller};

use crate::{Io, call, timeout};

struct Loop {
    poller: Poller,
    events: Events,
}

#[unsafe(no_mangle)]
extern "C" fn polling_open() -> *mut Loop {
    let events = Events::with_capacity(NonZeroUsize::new(1024).unwrap());
    Box::into_raw(Box::new(Loop {
        poller: Poller::new().unwrap(),
        events,
    }))
}

unsafe fn change(this: *mut Loop, io: *mut Io, event: Event) {
    let fd = unsafe { BorrowedFd::borrow_raw((*io).fd) };
    unsafe { (*this).poller.modify_with_mode(fd, event, PollMode::Level) }.unwrap();
}

functions! {
    polling_turn(this: Loop, waits: bool) -> bool {
        (*this).events.clear();
        (*this).poller.wait(&mut (*this).events, timeout(waits)).unwrap();
        for event in (*this).events.iter() {
            call(event.key);
        }
        true // a notification is not told apart from a wait that ended otherwise
    }
    polling_add(this: Loop, io: *mut Io) -> () {
        let event = Event::readable(io as usize);
        (*this).poller.add_with_mode((*io).fd, event, PollMode::Level).unwrap();
    }
    polling_modify(this: Loop, io: *mut Io, writes: bool) -> () {
        let key = io as usize;
        change(this, io, if writes { Event::all(key) } else { Event::readable(key) });
    }
    polling_pause(this: Loop, io: *mut Io) -> () { change(this, io, Event::none(io as usize)) }
    polling_resume(this: Loop, io: *mut Io) -> () { polling_modify(this, io, false) }
    polling_remove(this: Loop, io: *mut Io) -> () {
        (*this).poller.delete(BorrowedFd::borrow_raw((*io).fd)).unwrap();
    }
    polling_waker(this: Loop) -> *mut Poller { &mut (*this).poller }
    polling_wake(this: Poller) -> () { (*this).notify().unwrap() }
}
