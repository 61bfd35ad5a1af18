//! A world without a kernel: virtual time, and pipes and stream sockets that answer as Linux does
//! (fs/pipe.c `pipe_poll`, net/unix/af_unix.c `unix_poll`). What it says is held against the real
//! ones by every test that runs on both.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Condvar, Mutex};

use pirn::{
    BackendKind, Capabilities, Config, Duration, Error, Host, Instant, Interest, Loop, Memory,
    Readiness, Ready, Result, Wake,
};

use crate::os::{EAGAIN, EBADF, ECONNRESET, EPIPE};
use crate::world::World;

/// The number of the first fd, and what a pipe or a socket holds.
const FIRST: i32 = 200;
const ROOM: usize = 65536;
/// How long a wait without end may take before the test is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// One direction, or one socket with its receive queue.
#[derive(Default)]
struct Queue {
    queued: usize,
    /// The side that reads, and the side that writes, are gone or have shut it down.
    reader_gone: bool,
    writer_gone: bool,
}

#[derive(Clone, Copy)]
enum File {
    Reader { queue: usize },
    Writer { queue: usize },
    Socket { receives: usize, sends: usize },
}

/// An open file description.
struct Description {
    file: File,
    fds: u32,
    /// Of a socket: the peer closed and left unread what we had sent.
    reset: bool,
    peer: usize,
}

#[derive(Default)]
struct State {
    now: Instant,
    queues: Vec<Queue>,
    descriptions: Vec<Description>,
    fds: BTreeMap<i32, usize>,
    watched: BTreeMap<i32, Interest>,
    timeouts: Vec<Duration>,
    /// What the next wait fails with, when its time is over.
    failure: Option<Error>,
    /// What the host says it can do beside the common ground, and what it was asked to watch.
    extra: Capabilities,
    watch_calls: Vec<(i32, Interest)>,
    refusal: Option<Error>,
    /// What the host does in its next wait.
    during_wait: Option<Box<dyn FnOnce()>>,
}

impl State {
    fn insert(&mut self, description: usize) -> i32 {
        let fd = (FIRST..)
            .find(|fd| !self.fds.contains_key(fd))
            .expect("a number is free");
        self.fds.insert(fd, description);
        self.descriptions[description].fds += 1;
        fd
    }

    fn describe(&mut self, file: File, peer: usize) -> usize {
        self.descriptions.push(Description {
            file,
            fds: 0,
            reset: false,
            peer,
        });
        self.descriptions.len() - 1
    }

    /// What poll(2) would say of an fd, unmasked.
    fn readiness(&self, fd: i32) -> Ready {
        let Some(&description) = self.fds.get(&fd) else {
            return Ready::INVALID;
        };
        let mut ready = Ready::empty();
        let description = &self.descriptions[description];
        match description.file {
            File::Reader { queue } => {
                ready.set(Ready::READ, self.queues[queue].queued > 0);
                ready.set(Ready::HANGUP, self.queues[queue].writer_gone);
            }
            File::Writer { queue } => {
                ready.set(Ready::WRITE, self.queues[queue].queued < ROOM);
                ready.set(Ready::ERROR, self.queues[queue].reader_gone);
            }
            File::Socket { receives, sends } => {
                let (receives, sends) = (&self.queues[receives], &self.queues[sends]);
                ready.set(Ready::READ, receives.queued > 0 || receives.writer_gone);
                ready.set(Ready::PEER_CLOSED, receives.writer_gone);
                ready.set(Ready::HANGUP, receives.writer_gone && sends.writer_gone);
                ready.set(Ready::WRITE, sends.queued < ROOM || sends.reader_gone);
                ready.set(Ready::ERROR, description.reset);
            }
        }
        ready
    }

    fn close(&mut self, fd: i32) -> i32 {
        let Some(index) = self.fds.remove(&fd) else {
            return EBADF;
        };
        self.descriptions[index].fds -= 1;
        if self.descriptions[index].fds > 0 {
            return 0;
        }
        match self.descriptions[index].file {
            File::Reader { queue } => self.queues[queue].reader_gone = true,
            File::Writer { queue } => self.queues[queue].writer_gone = true,
            File::Socket { receives, sends } => {
                let unread = std::mem::take(&mut self.queues[receives].queued) > 0;
                let peer = self.descriptions[index].peer;
                self.descriptions[peer].reset |= unread;
                // The peer can neither send nor receive any more.
                self.queues[receives].reader_gone = true;
                self.queues[receives].writer_gone = true;
                self.queues[sends].writer_gone = true;
            }
        }
        0
    }
}

/// Ends a wait without end.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

#[derive(Clone, Copy)]
pub struct Ringer(&'static Bell);

impl Wake for Ringer {
    fn wake(&self) -> Result<()> {
        *self.0.rung.lock().unwrap() = true;
        self.0.changed.notify_all();
        Ok(())
    }
}

/// The host's half: what the loop asks.
pub struct SimulatedHost {
    state: Rc<RefCell<State>>,
    bell: &'static Bell,
}

impl Host for SimulatedHost {
    type Waker = Ringer;

    fn now(&mut self) -> Instant {
        self.state.borrow().now
    }

    fn wait(&mut self, timeout: Duration, ready: &mut [Readiness]) -> Result<usize> {
        let mut state = self.state.borrow_mut();
        state.timeouts.push(timeout);
        if let Some(act) = state.during_wait.take() {
            act();
        }
        if let Some(error) = state.failure.take() {
            state.now = state.now + timeout;
            return Err(error);
        }
        let mut found = 0;
        for (&fd, &interest) in &state.watched {
            let unasked = Ready::ERROR | Ready::HANGUP | Ready::INVALID;
            let mut heard = Ready::from_bits_truncate(interest.bits()) | unasked;
            heard.set(Ready::PEER_CLOSED, interest.contains(Interest::READ));
            let bits = (state.readiness(fd) & heard).bits();
            if bits != 0 {
                if let Some(place) = ready.get_mut(found) {
                    *place = Readiness { fd, ready: bits };
                    found += 1;
                }
            }
        }
        let mut rung = self.bell.rung.lock().unwrap();
        let was_rung = std::mem::take(&mut *rung);
        if found > 0 || was_rung || timeout == Duration::ZERO {
            return Ok(found);
        }
        if timeout != Duration::FOREVER {
            state.now = state.now + timeout;
            return Ok(0);
        }
        let (mut rung, expired) = self
            .bell
            .changed
            .wait_timeout_while(rung, PATIENCE.into(), |rung| !*rung)
            .unwrap();
        assert!(
            !expired.timed_out(),
            "the loop sleeps for ever, and nobody wakes it"
        );
        *rung = false;
        Ok(0)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NANOSECONDS | self.state.borrow().extra
    }

    fn watch(&mut self, fd: i32, interest: Interest) -> Result<()> {
        let mut state = self.state.borrow_mut();
        state.watch_calls.push((fd, interest));
        if interest.is_empty() {
            state.watched.remove(&fd);
        } else if let Some(error) = state.refusal {
            return Err(error);
        } else if state.fds.contains_key(&fd) {
            state.watched.insert(fd, interest);
        } else {
            return Err(Error::EBADF);
        }
        Ok(())
    }

    fn waker(&self) -> Ringer {
        Ringer(self.bell)
    }
}

/// The other half: what the test does.
#[derive(Default)]
pub struct Simulation {
    state: Rc<RefCell<State>>,
}

impl Simulation {
    fn make_host(&self) -> SimulatedHost {
        SimulatedHost {
            state: Rc::clone(&self.state),
            // Threads may ring it when the loop is gone.
            bell: Box::leak(Box::default()),
        }
    }

    /// Lets the host say from now on that it can do this too.
    pub fn can(&self, extra: Capabilities) {
        self.state.borrow_mut().extra |= extra;
    }

    /// What the host was asked to watch since the last call.
    pub fn watch_calls(&self) -> Vec<(i32, Interest)> {
        std::mem::take(&mut self.state.borrow_mut().watch_calls)
    }

    /// The timeouts of all waits since the last call.
    pub fn timeouts(&self) -> Vec<Duration> {
        std::mem::take(&mut self.state.borrow_mut().timeouts)
    }

    /// Sets the clock, backwards too.
    pub fn set_clock(&self, now: Instant) {
        self.state.borrow_mut().now = now;
    }

    /// Has the next wait fail, when its time is over.
    #[allow(dead_code, reason = "the model's waits do not fail")]
    pub fn fail_next_wait(&self, error: Error) {
        self.state.borrow_mut().failure = Some(error);
    }

    /// From now on the host refuses whatever interest there is.
    #[allow(dead_code, reason = "for the conformance suite")]
    pub fn refuse(&self, error: Error) {
        self.state.borrow_mut().refusal = Some(error);
    }

    /// Has the host do something in its next wait.
    #[allow(dead_code, reason = "for the conformance suite")]
    pub fn during_next_wait(&self, act: impl FnOnce() + 'static) {
        self.state.borrow_mut().during_wait = Some(Box::new(act));
    }

    /// What poll(2) would say. For the model.
    #[allow(dead_code, reason = "the conformance suite asks the loop instead")]
    pub fn readiness(&self, fd: i32) -> Ready {
        self.state.borrow().readiness(fd)
    }
}

impl World for Simulation {
    type Host = SimulatedHost;
    const KIND: BackendKind = BackendKind::Host;

    fn new() -> Self {
        let world = Simulation::default();
        // Not 0, so that points in the past exist.
        world.set_clock(Instant::from_nanos(1_000_000_000));
        world
    }

    fn open<'s, C>(
        &self,
        memory: Memory<'s>,
        config: Config,
    ) -> Result<Loop<'s, C, SimulatedHost>> {
        Loop::with_host(memory, self.make_host(), config)
    }

    fn host(&self) -> Option<SimulatedHost> {
        Some(self.make_host())
    }

    fn pipe(&self) -> (i32, i32) {
        let mut state = self.state.borrow_mut();
        let queue = state.queues.len();
        state.queues.push(Queue::default());
        let reader = state.describe(File::Reader { queue }, 0);
        let writer = state.describe(File::Writer { queue }, 0);
        (state.insert(reader), state.insert(writer))
    }

    fn pair(&self) -> (i32, i32) {
        let mut state = self.state.borrow_mut();
        let (a, b) = (state.queues.len(), state.queues.len() + 1);
        state.queues.extend([Queue::default(), Queue::default()]);
        let next = state.descriptions.len();
        let one = state.describe(
            File::Socket {
                receives: a,
                sends: b,
            },
            next + 1,
        );
        let other = state.describe(
            File::Socket {
                receives: b,
                sends: a,
            },
            next,
        );
        (state.insert(one), state.insert(other))
    }

    fn duplicate(&self, fd: i32) -> i32 {
        let mut state = self.state.borrow_mut();
        let description = state.fds[&fd];
        state.insert(description)
    }

    fn write(&self, fd: i32, count: usize) -> i32 {
        let mut state = self.state.borrow_mut();
        let Some(&index) = state.fds.get(&fd) else {
            return EBADF;
        };
        let queue = match state.descriptions[index].file {
            File::Reader { .. } => return EBADF,
            File::Writer { queue } | File::Socket { sends: queue, .. } => &mut state.queues[queue],
        };
        if queue.reader_gone || queue.writer_gone {
            return EPIPE;
        }
        let written = count.min(ROOM - queue.queued);
        queue.queued += written;
        if written == 0 { EAGAIN } else { written as i32 }
    }

    fn read(&self, fd: i32, count: usize) -> i32 {
        let mut state = self.state.borrow_mut();
        let Some(&index) = state.fds.get(&fd) else {
            return EBADF;
        };
        let queue = match state.descriptions[index].file {
            File::Writer { .. } => return EBADF,
            File::Reader { queue }
            | File::Socket {
                receives: queue, ..
            } => &mut state.queues[queue],
        };
        let taken = count.min(queue.queued);
        queue.queued -= taken;
        let is_over = queue.writer_gone;
        if taken == 0 && std::mem::take(&mut state.descriptions[index].reset) {
            return ECONNRESET;
        }
        if taken > 0 || is_over {
            taken as i32
        } else {
            EAGAIN
        }
    }

    fn shutdown(&self, fd: i32) {
        let mut state = self.state.borrow_mut();
        let Some(&index) = state.fds.get(&fd) else {
            return;
        };
        if let File::Socket { sends, .. } = state.descriptions[index].file {
            state.queues[sends].writer_gone = true;
        }
    }

    fn close(&self, fd: i32) -> i32 {
        self.state.borrow_mut().close(fd)
    }

    fn now(&self) -> Instant {
        self.state.borrow().now
    }

    fn sleep(&self, time: Duration) {
        let mut state = self.state.borrow_mut();
        state.now = state.now + time;
    }
}
