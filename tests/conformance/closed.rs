//! Fds closed while they are watched: every kind of file, every interest and option, every next
//! step of the program.
//!
//! Each watcher of the fd is told `INVALID` once, or nothing at all where `docs/TURN.md` says so.
//! No turn after turn returns at once without a call, no other watcher loses or gets an event, nor
//! does a later watcher of the same number.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::rc::Rc;

use pirn::{BackendKind, Duration, Error, Interest, Storage};

use crate::bench::{Bench, on_io};
use crate::os;
use crate::world::World;

const NONE: Interest = Interest::empty();
const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;
const BOTH: Interest = READ.union(WRITE);

claims! {
    all: ;
    kernel:
        closed_pipe_is_told_once_or_not_at_all
        closed_socket_is_told_once_or_not_at_all
        closed_listener_is_told_once_or_not_at_all
        closed_eventfd_is_told_once_or_not_at_all
        closed_timerfd_is_told_once_or_not_at_all
        closed_terminal_is_told_once_or_not_at_all
        closed_regular_file_is_told_once_or_not_at_all
        closed_device_is_told_once_or_not_at_all;
    epoll:
        file_that_a_duplicate_keeps_ready_is_found_out
        file_that_stays_ready_is_reported_for_ever;
    simulation: ;
}

/// A watched file: its number, and how it becomes readable.
struct Subject {
    fd: i32,
    /// Makes the file readable, by way of an fd of the same file where that is needed.
    rouse: Box<dyn Fn(i32)>,
    is_always_ready: bool,
}

fn pipe<W: World>(b: &Bench<'_, W>) -> Subject {
    let (fd, writer) = b.pipe();
    Subject {
        fd,
        rouse: Box::new(move |_| assert_eq!(os::write_bytes(writer, 1), 1)),
        is_always_ready: false,
    }
}

fn socket<W: World>(b: &Bench<'_, W>) -> Subject {
    let (fd, other) = b.pair();
    Subject {
        fd,
        // Without a duplicate the other end is closed, and this one cannot be written to.
        rouse: Box::new(move |_| {
            os::write_bytes(other, 1);
        }),
        is_always_ready: false,
    }
}

fn listener<W: World>(b: &Bench<'_, W>) -> Subject {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = Cell::new(None);
    Subject {
        fd: adopt(b, listener.into_raw_fd()),
        rouse: Box::new(move |_| client.set(TcpStream::connect(address).ok())),
        is_always_ready: false,
    }
}

fn eventfd<W: World>(b: &Bench<'_, W>) -> Subject {
    Subject {
        fd: adopt(b, os::event_fd(0)),
        rouse: Box::new(|same| {
            os::write_number(same, 1);
        }),
        is_always_ready: false,
    }
}

fn timerfd<W: World>(b: &Bench<'_, W>) -> Subject {
    Subject {
        fd: adopt(b, os::timer_fd()),
        rouse: Box::new(|same| os::set_timer_fd(same, 1)),
        is_always_ready: false,
    }
}

fn terminal<W: World>(b: &Bench<'_, W>) -> Subject {
    let (master, path) = os::open_terminal();
    let slave = OpenOptions::new().read(true).write(true).open(path);
    let slave = slave.unwrap();
    Subject {
        fd: adopt(b, master),
        // What is written comes by way of a thread of the kernel's.
        rouse: Box::new(move |same| {
            os::write_bytes(slave.as_raw_fd(), 1);
            assert!(os::is_readable(same, 1000));
        }),
        is_always_ready: false,
    }
}

fn regular_file<W: World>(b: &Bench<'_, W>) -> Subject {
    always_ready(b, "/proc/self/exe")
}

fn device<W: World>(b: &Bench<'_, W>) -> Subject {
    always_ready(b, "/dev/null")
}

fn always_ready<W: World>(b: &Bench<'_, W>, path: &str) -> Subject {
    Subject {
        fd: adopt(b, File::open(path).unwrap().into_raw_fd()),
        rouse: Box::new(|_| ()),
        is_always_ready: true,
    }
}

/// Moves an fd into the range of numbers that is this world's alone.
fn adopt<W: World>(b: &Bench<'_, W>, fd: i32) -> i32 {
    let moved = b.context.world.duplicate(fd);
    os::close_fd(fd);
    moved
}

/// What the program does after it has closed the fd.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Next {
    Nothing,
    Modify,
    Pause,
    Remove,
    /// A further watcher is added for the number.
    Join,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    interest: Interest,
    /// `ONESHOT`, `EDGE`, a priority.
    options: Interest,
    /// A second watcher of the fd reads, and has this priority.
    shared: Option<Interest>,
    has_duplicate: bool,
    /// The number is another pipe before the loop turns again.
    is_reused: bool,
    is_ready_before: bool,
    next: Next,
}

/// What the watchers of the fd must be told.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    /// Nothing, unless the kernel reports the file that the fd was, which lives on in a duplicate.
    Silence,
    /// `INVALID`, once.
    Lost,
    /// A watcher watches the number's new file.
    Watching,
}

impl Case {
    fn every(is_epoll: bool) -> Vec<Case> {
        let mut cases = Vec::new();
        let yes_and_no = [false, true];
        let edges: &[Interest] = if is_epoll {
            &[NONE, Interest::EDGE]
        } else {
            &[NONE]
        };
        for interest in [NONE, READ, WRITE, BOTH, Interest::URGENT] {
            for &edge in edges {
                for once in [NONE, Interest::ONESHOT] {
                    for (level, shared) in [
                        (NONE, None),
                        (NONE, Some(NONE)),
                        (NONE, Some(Interest::HIGH)),
                        (Interest::HIGH, Some(Interest::LOW)),
                    ] {
                        for bits in 0..8 {
                            for next in [
                                Next::Nothing,
                                Next::Modify,
                                Next::Pause,
                                Next::Remove,
                                Next::Join,
                            ] {
                                cases.push(Case {
                                    interest,
                                    options: edge | once | level,
                                    shared: shared.map(|level| level | edge),
                                    has_duplicate: yes_and_no[bits & 1],
                                    is_reused: yes_and_no[bits >> 1 & 1],
                                    is_ready_before: yes_and_no[bits >> 2],
                                    next,
                                });
                            }
                        }
                    }
                }
            }
        }
        cases
    }

    /// What the watchers ask for together, if the first asks for `first`.
    fn merged(&self, first: Interest) -> Interest {
        first | self.shared.map_or(NONE, |_| READ)
    }

    /// By the rules of `docs/TURN.md`. `asked` is what the first watcher asked for when the fd was
    /// closed.
    fn fate(&self, kind: BackendKind, is_always_ready: bool, asked: Interest) -> Fate {
        let before = self.merged(asked);
        let after = match self.next {
            Next::Modify => self.merged(BOTH),
            Next::Pause | Next::Remove => self.merged(NONE),
            Next::Nothing | Next::Join => before,
        };
        let joins = self.next == Next::Join;
        if kind != BackendKind::Epoll {
            // They watch numbers.
            return match (self.is_reused, after.is_empty() && !joins) {
                (true, _) => Fate::Watching,
                (false, true) => Fate::Silence,
                (false, false) => Fate::Lost,
            };
        }
        if is_always_ready {
            return if after.intersects(BOTH) || joins {
                Fate::Lost
            } else {
                Fate::Silence
            };
        }
        // The kernel is asked when something changes for it, and knows the file if the fd was in
        // its set.
        let arms_edge = self.options.contains(Interest::EDGE)
            && matches!(self.next, Next::Modify | Next::Pause);
        let has_heir = self.next == Next::Remove && self.shared.is_some();
        let is_asked = joins || !after.is_empty() && (after != before || arms_edge || has_heir);
        match (is_asked, before.is_empty()) {
            (false, _) => Fate::Silence,
            (true, true) if self.is_reused => Fate::Watching,
            (true, _) => Fate::Lost,
        }
    }
}

fn check_all<W: World>(subject: fn(&Bench<'_, W>) -> Subject, is_always_ready: bool) {
    for case in Case::every(W::KIND == BackendKind::Epoll) {
        if !(is_always_ready && case.options.contains(Interest::EDGE)) {
            check_case::<W>(subject, case);
        }
    }
}

fn check_case<W: World>(subject: fn(&Bench<'_, W>) -> Subject, case: Case) {
    let mut storage = Storage::<6, 1, 1>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let Subject {
        fd,
        rouse,
        is_always_ready,
    } = subject(&b);
    let (neighbour, neighbours_writer) = b.pipe();
    b.io("neighbour", neighbour, READ);

    // Who is called for the file after it was closed removes itself, as a program does whose read
    // fails.
    let is_closed = Rc::new(Cell::new(false));
    for (name, interest) in [
        ("first", Some(case.interest | case.options)),
        ("second", case.shared.map(|options| READ | options)),
    ] {
        let Some(interest) = interest else { continue };
        let is_closed = Rc::clone(&is_closed);
        b.io_then(name, fd, interest, move |event_loop, context| {
            let is_told = context.log.last().is_some_and(|call| call.ends_with(" I"));
            if is_closed.get() && !is_told {
                event_loop.io_remove(context.io(name)).unwrap();
            }
        });
    }
    if case.is_ready_before {
        rouse(fd);
    }
    let was_called = b.turn().iter().any(|call| call.starts_with("first"));
    b.turn();
    let is_resting = was_called && case.options.contains(Interest::ONESHOT);
    let asked = if is_resting { NONE } else { case.interest };

    let duplicate = case.has_duplicate.then(|| b.context.world.duplicate(fd));
    b.context.world.close(fd);
    is_closed.set(true);
    let (fresh, fresh_writer) = os::pipe();
    if case.is_reused {
        assert_eq!(os::duplicate_from(fresh, fd), fd);
    }
    let first = b.context.io("first");
    match case.next {
        Next::Nothing => {}
        Next::Modify => b.event_loop.io_modify(first, BOTH).unwrap(),
        Next::Pause => b.event_loop.io_modify(first, NONE).unwrap(),
        Next::Remove => b.event_loop.io_remove(first).unwrap(),
        Next::Join => {
            let user = b.context.name("joined");
            let edge = case.options & Interest::EDGE;
            let result = b.event_loop.io_add(fd, READ | edge, on_io::<W>, user);
            if case.is_reused {
                result.expect("the number is open");
            } else {
                assert_eq!(result, Err(Error::EBADF), "{case:?}");
            }
        }
    }
    if let Some(same) = duplicate {
        if !case.is_ready_before {
            rouse(same);
        }
    }

    // Turns, until one sleeps.
    let (mut calls, mut turns_in_vain) = (Vec::new(), 0);
    for turn in 0.. {
        let begun = os::monotonic();
        let called = b.turn_for(Duration::from_micros(50));
        if called.is_empty() {
            if os::monotonic() - begun >= 50_000 {
                break;
            }
            turns_in_vain += 1;
        }
        calls.extend(called);
        assert!(turn < 12, "it spins: {case:?}: {calls:?}");
    }
    assert!(turns_in_vain <= 3, "{turns_in_vain} in vain: {case:?}");
    // Nothing is left in the kernel where no duplicate lives, and all is done by taking out the
    // one.
    let rebuilds = b.event_loop.stats().rebuilds;
    assert!(rebuilds <= u64::from(case.has_duplicate), "{case:?}");

    let fate = case.fate(W::KIND, is_always_ready, asked);
    let lives_on = case.has_duplicate && W::KIND == BackendKind::Epoll && fate == Fate::Silence;
    for (name, is_there) in [
        ("first", case.next != Next::Remove),
        ("second", case.shared.is_some()),
    ] {
        let count = |start: &str| calls.iter().filter(|call| call.starts_with(start)).count();
        let (all, lost) = (count(name), count(&format!("{name} I")));
        let expected = usize::from(is_there && fate == Fate::Lost);
        // When the first has removed itself the second is lost, or is called as well.
        let is_right = (all, lost) == (expected, expected) || (lives_on && is_there && all <= 1);
        assert!(is_right, "{name}, {fate:?}: {case:?}: {calls:?}");
    }
    for other in ["joined", "neighbour"] {
        let is_called = calls.iter().any(|call| call.starts_with(other));
        assert!(!is_called, "{other}: {case:?}: {calls:?}");
    }

    // The neighbour and who joined are served as ever.
    assert_eq!(os::write_bytes(neighbours_writer, 1), 1);
    assert_eq!(b.turn(), ["neighbour R"], "{case:?}");
    b.context.world.read(neighbour, 1);
    if case.is_reused {
        assert_eq!(os::write_bytes(fresh_writer, 1), 1);
        let called = b.turn();
        let joined = case.next == Next::Join;
        assert_eq!(called.contains(&"joined R".to_owned()), joined, "{case:?}");
        assert!(
            called.len() == usize::from(joined) || fate == Fate::Watching,
            "{fate:?}: {case:?}: {called:?}"
        );
    }
    b.event_loop.fd_closing(fd).unwrap();
    if case.is_reused {
        os::close_fd(fd);
    }
    os::close_fd(fresh);
    os::close_fd(fresh_writer);
    b.event_loop.verify().unwrap();
}

fn closed_pipe_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(pipe, false);
}

fn closed_socket_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(socket, false);
}

fn closed_listener_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(listener, false);
}

fn closed_eventfd_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(eventfd, false);
}

fn closed_timerfd_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(timerfd, false);
}

fn closed_terminal_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(terminal, false);
}

fn closed_regular_file_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(regular_file, true);
}

fn closed_device_is_told_once_or_not_at_all<W: World>(_: &mut Bench<'_, W>) {
    check_all::<W>(device, true);
}

/// Reports until the kernel is asked for the first time, then `INVALID`, once; then one event of
/// the old entry, after which the set is rebuilt; then silence.
fn file_that_a_duplicate_keeps_ready_is_found_out<W: World>(_: &mut Bench<'_, W>) {
    for options in [NONE, Interest::EXCLUSIVE, Interest::HIGH] {
        for is_reused in [false, true] {
            for has_noise in [false, true] {
                let mut storage = Storage::<6, 1, 1>::new();
                let mut b = Bench::<W>::new(&mut storage);
                let (reader, writer) = b.pipe();
                let (noise, noise_writer) = b.pipe();
                let name = format!("{options:?}, reused: {is_reused}, noise: {has_noise}");
                b.io("lost", reader, READ | options);
                b.io_then("noise", noise, READ, move |_, _| {
                    os::read_bytes(noise, 1);
                });
                b.turn();
                os::write_bytes(writer, 1);
                let duplicate = b.context.world.duplicate(reader);
                b.context.world.close(reader);
                let (fresh, fresh_writer) = os::pipe();
                if is_reused {
                    assert_eq!(os::duplicate_from(fresh, reader), reader);
                }
                let mut calls = Vec::new();
                for _ in 0..8 {
                    if has_noise {
                        os::write_bytes(noise_writer, 1);
                    }
                    calls.extend(b.turn().into_iter().filter(|call| call != "noise R"));
                }
                let invalid = calls.iter().position(|call| call == "lost I");
                assert_eq!(
                    invalid.map(|at| at + 1),
                    Some(calls.len()),
                    "{name}: {calls:?}"
                );
                assert!(calls.len() <= 5, "{name}: {calls:?}");
                b.assert_silent();
                assert_eq!(b.event_loop.stats().rebuilds, 1, "{name}");
                for fd in [duplicate, fresh, fresh_writer] {
                    os::close_fd(fd);
                }
                b.event_loop.fd_closing(reader).unwrap();
                if is_reused {
                    os::close_fd(reader);
                }
            }
        }
    }
}

fn file_that_stays_ready_is_reported_for_ever<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    os::write_bytes(writer, 1);
    b.io("level", reader, READ);
    let (edge, edge_writer) = b.pipe();
    os::write_bytes(edge_writer, 1);
    b.io("edge", edge, READ | Interest::EDGE);
    assert_eq!(b.turn().len(), 2);
    for _ in 0..5000 {
        assert_eq!(b.turn(), ["level R"]);
    }
}
