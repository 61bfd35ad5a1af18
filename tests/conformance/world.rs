//! What a loop can live in: the kernel under one of its three backends, or a simulation. Tests are
//! written against the trait.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Mutex;

use pirn::{BackendKind, Config, Duration, Host, Instant, Loop, Memory, NoHost, Result};

use crate::os;

/// Fds, time, and a loop upon them. What reads and writes return is a count or a negative errno,
/// and nothing ever blocks.
pub trait World: Sized + 'static {
    type Host: Host;
    const KIND: BackendKind;
    /// True if events are taken one by one, and their callbacks called by the test.
    const TAKES: bool = false;
    /// True if the loops are made by the functions for C.
    const IS_C: bool = false;

    fn new() -> Self;
    fn open<'s, C>(&self, memory: Memory<'s>, config: Config) -> Result<Loop<'s, C, Self::Host>>;

    /// The host of a simulated world.
    fn host(&self) -> Option<Self::Host> {
        None
    }

    /// The two ends of a pipe: what is read from, what is written to.
    fn pipe(&self) -> (i32, i32);
    /// Two connected stream sockets.
    fn pair(&self) -> (i32, i32);
    fn duplicate(&self, fd: i32) -> i32;
    fn write(&self, fd: i32, count: usize) -> i32;
    fn read(&self, fd: i32, count: usize) -> i32;
    fn shutdown(&self, fd: i32);
    /// Closes an fd of this world; the next one made gets the lowest free number.
    fn close(&self, fd: i32) -> i32;

    fn now(&self) -> Instant;
    fn sleep(&self, time: Duration);

    /// Writes until it would block.
    fn fill(&self, fd: i32) {
        while self.write(fd, 4096) > 0 {}
    }

    /// Reads until it would block, or to the end; how much there was.
    fn drain(&self, fd: i32) -> i32 {
        let mut total = 0;
        loop {
            match self.read(fd, 65536) {
                count if count > 0 => total += count,
                _ => return total,
            }
        }
    }
}

/// Numbers from here up, in ranges of `RANGE`, are for the fds of kernel worlds: tests run side by
/// side in one process, and one that closes an fd must not see its number taken by another.
const FIRST: i32 = 200;
const RANGE: i32 = 32;
const RANGES: i32 = 24;

static FREE_RANGES: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
static RANGES_MADE: Mutex<i32> = Mutex::new(0);

fn take_range() -> i32 {
    loop {
        if let Some(range) = FREE_RANGES
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
            .pop_first()
        {
            return range;
        }
        let mut made = RANGES_MADE
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        if *made < RANGES {
            *made += 1;
            return FIRST + (*made - 1) * RANGE;
        }
        drop(made);
        std::thread::sleep(Duration::from_millis(1).into());
    }
}

/// The kernel, under the backend with this number.
pub struct Kernel<const KIND: u32> {
    range: i32,
    open: RefCell<BTreeSet<i32>>,
}

pub type Select = Kernel<{ BackendKind::Select as u32 }>;
pub type Poll = Kernel<{ BackendKind::Poll as u32 }>;
pub type Epoll = Kernel<{ BackendKind::Epoll as u32 }>;
pub use crate::simulation::Simulation;

impl<const KIND: u32> Kernel<KIND> {
    /// Moves an fd into this world's range, so that it is closed at the end at the latest.
    pub fn adopt(&self, fd: i32) -> i32 {
        assert!(fd >= 0, "not opened: {fd}");
        let moved = self.duplicate(fd);
        os::close_fd(fd);
        moved
    }
}

impl<const KIND: u32> World for Kernel<KIND> {
    type Host = NoHost;
    const KIND: BackendKind = match KIND {
        1 => BackendKind::Select,
        2 => BackendKind::Poll,
        _ => BackendKind::Epoll,
    };

    fn new() -> Self {
        Kernel {
            range: take_range(),
            open: RefCell::default(),
        }
    }

    fn open<'s, C>(&self, memory: Memory<'s>, config: Config) -> Result<Loop<'s, C>> {
        let backend = Self::KIND;
        Loop::new(memory, Config { backend, ..config })
    }

    fn pipe(&self) -> (i32, i32) {
        let (reader, writer) = os::pipe();
        (self.adopt(reader), self.adopt(writer))
    }

    fn pair(&self) -> (i32, i32) {
        let (one, other) = os::stream_pair();
        (self.adopt(one), self.adopt(other))
    }

    fn duplicate(&self, fd: i32) -> i32 {
        let copy = os::duplicate_from(fd, self.range);
        assert!(
            (self.range..self.range + RANGE).contains(&copy),
            "too many fds in one test, or not open: {copy}"
        );
        self.open.borrow_mut().insert(copy);
        copy
    }

    fn write(&self, fd: i32, count: usize) -> i32 {
        os::write_bytes(fd, count)
    }

    fn read(&self, fd: i32, count: usize) -> i32 {
        os::read_bytes(fd, count)
    }

    fn shutdown(&self, fd: i32) {
        os::shutdown_write(fd);
    }

    fn close(&self, fd: i32) -> i32 {
        if self.open.borrow_mut().remove(&fd) {
            os::close_fd(fd)
        } else {
            os::EBADF
        }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(os::monotonic())
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time.into());
    }
}

impl<const KIND: u32> Drop for Kernel<KIND> {
    fn drop(&mut self) {
        for &fd in self.open.borrow().iter() {
            os::close_fd(fd);
        }
        FREE_RANGES
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
            .insert(self.range);
    }
}

/// A world in which events are taken instead of being called.
pub type Taking<W> = Variant<W, false>;
/// A world in which loops are made by the functions for C.
pub type ThroughC<W> = Variant<W, true>;

/// A world with another kind of loops.
pub struct Variant<W, const IS_C: bool>(W);

impl<W: World, const IS_C: bool> World for Variant<W, IS_C> {
    type Host = W::Host;
    const KIND: BackendKind = W::KIND;
    const TAKES: bool = !IS_C;
    const IS_C: bool = IS_C;

    fn new() -> Self {
        Variant(W::new())
    }

    fn open<'s, C>(&self, memory: Memory<'s>, config: Config) -> Result<Loop<'s, C, W::Host>> {
        self.0.open(memory, config)
    }

    fn host(&self) -> Option<W::Host> {
        self.0.host()
    }

    fn pipe(&self) -> (i32, i32) {
        self.0.pipe()
    }

    fn pair(&self) -> (i32, i32) {
        self.0.pair()
    }

    fn duplicate(&self, fd: i32) -> i32 {
        self.0.duplicate(fd)
    }

    fn write(&self, fd: i32, count: usize) -> i32 {
        self.0.write(fd, count)
    }

    fn read(&self, fd: i32, count: usize) -> i32 {
        self.0.read(fd, count)
    }

    fn shutdown(&self, fd: i32) {
        self.0.shutdown(fd);
    }

    fn close(&self, fd: i32) -> i32 {
        self.0.close(fd)
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep(&self, time: Duration) {
        self.0.sleep(time);
    }
}
