//! What each op does to the loop, and what the oracle is told of it.

use pirn::{Duration, Error, Instant, Interest, Io, Limit, Ready, Repeat, When};

use super::actor::{Actor, LATER, Lp, on_io, on_post, on_task, on_timer};
use super::oracle::POST_CAPACITY;
use super::script::{Op, Period, Scope, Start};
use crate::simulation::Simulation;
use crate::world::World;

const MAX_FDS: usize = 12;

/// One of `all`, or `None` if there is none.
fn pick<T: Copy>(all: &[T], number: usize) -> Option<T> {
    // The latest are the most likely to live.
    all.len()
        .checked_sub(1)
        .map(|last| all[last - number % all.len().min(10)])
}

impl<W: World> Actor<W> {
    fn next_id(&mut self) -> usize {
        self.ids += 1;
        self.ids
    }

    pub fn perform(&mut self, event_loop: &mut Lp<'_, W>, op: Op) {
        self.idle_turns = 0;
        match op {
            Op::Pipe => self.make(Simulation::pipe),
            Op::Pair => self.make(Simulation::pair),
            Op::Duplicate(fd) => self.duplicate(fd),
            Op::Close(fd) => self.close(event_loop, fd),
            Op::Write(fd) => self.on_fd(fd, |this, fd| {
                let (real, model) = (
                    this.world.write(fd + this.offset, 1),
                    this.shadow.write(fd, 1),
                );
                assert_eq!(real, model, "write to {fd}");
            }),
            Op::Drain(fd) => self.on_fd(fd, Self::drain),
            Op::Fill(fd) => self.on_fd(fd, |this, fd| {
                this.world.fill(fd + this.offset);
                this.shadow.fill(fd);
            }),
            Op::Shutdown(fd) => self.on_fd(fd, |this, fd| {
                this.world.shutdown(fd + this.offset);
                this.shadow.shutdown(fd);
            }),
            Op::Add(fd, interest) => self.on_fd(fd, |this, fd| {
                let id = this.next_id();
                let has_room = this.oracle.io_used() < this.oracle.capacity.io;
                let result = event_loop.io_add(fd + this.offset, interest, on_io::<W>, id);
                assert_eq!(result.err(), (!has_room).then_some(Error::ENOSPC));
                if let Ok(io) = result {
                    this.ios.push((id, io));
                    this.oracle.add(id, fd, interest);
                }
            }),
            Op::Modify(io, interest) => {
                if let Some((id, io)) = pick(&self.ios, io) {
                    if !self.oracle.handlers.contains_key(&id) {
                        self.modify(event_loop, id, io, interest);
                    }
                }
            }
            Op::Remove(io) => {
                if let Some((id, io)) = pick(&self.ios, io) {
                    if !self.oracle.is_raised(id) {
                        self.remove(event_loop, id, io);
                    }
                }
            }
            Op::Feed(io, bits) => {
                if let Some((id, io)) = pick(&self.ios, io) {
                    if !self.oracle.handlers.contains_key(&id) {
                        self.feed(event_loop, id, io, bits);
                    }
                }
            }
            Op::Start(start, period) => self.start(event_loop, start, period),
            Op::Again(timer, delay) => {
                if let Some((id, timer)) = pick(&self.timers, timer) {
                    let deadline = self.turn_time(event_loop).saturating_add(delay);
                    let is_live = self.oracle.again(id, deadline);
                    let delay = Duration::from_nanos(delay);
                    assert_eq!(event_loop.timer_again(timer, delay), live(is_live));
                }
            }
            Op::Stop(timer) => {
                if let Some((id, timer)) = pick(&self.timers, timer) {
                    let is_live = self.oracle.timers.remove(&id).is_some();
                    assert_eq!(event_loop.timer_stop(timer), live(is_live));
                }
            }
            Op::Slack(timer, slack) => {
                // Of a timer that is due already it may come too late: not asked.
                if let Some((id, timer)) = pick(&self.timers, timer) {
                    if !self.oracle.timers.get(&id).is_some_and(|timer| timer.due) {
                        let is_live = self.oracle.slack(id, slack);
                        let slack = Duration::from_nanos(slack);
                        assert_eq!(event_loop.timer_slack(timer, slack), live(is_live));
                    }
                }
            }
            Op::Post => {
                let id = self.next_id();
                let has_room = self.oracle.post(id);
                let result = event_loop.task_post(on_task::<W>, id);
                assert_eq!(result.err(), (!has_room).then_some(Error::EAGAIN));
                self.tasks.extend(result.map(|task| (id, task)));
            }
            Op::Cancel(task) => {
                if let Some((id, task)) = pick(&self.tasks, task) {
                    let is_live = self.oracle.cancel(id);
                    assert_eq!(event_loop.task_cancel(task), live(is_live));
                }
            }
            Op::RemotePost => {
                let id = self.next_id();
                let has_room = self.oracle.remote_post(id);
                let result = event_loop.remote().post(on_post::<W>, id);
                assert_eq!(
                    result.err(),
                    (!has_room).then_some(Error::EAGAIN),
                    "of {POST_CAPACITY}"
                );
            }
            Op::RaiseAdd(bit, level) => {
                let id = self.next_id();
                let refusal = if self.oracle.has_handler(bit) {
                    Some(Error::EEXIST)
                } else {
                    (self.oracle.io_used() == self.oracle.capacity.io).then_some(Error::ENOSPC)
                };
                let result = event_loop.raise_add(bit, level, on_io::<W>, id);
                assert_eq!(result.err(), refusal);
                if let Ok(io) = result {
                    self.ios.push((id, io));
                    self.oracle.raise_add(id, bit, level);
                }
            }
            Op::Raise(bit) => {
                // Without a handler it would wait for one: nothing says in which turn that is
                // called.
                if self.oracle.has_handler(bit) {
                    self.oracle.raise(bit);
                    assert_eq!(event_loop.remote().raise(bit), Ok(()));
                }
            }
            Op::Wake => {
                self.woken = true;
                assert_eq!(event_loop.remote().wake(), Ok(()));
            }
            Op::Limit(callbacks) => {
                self.next_limit = callbacks;
                let time = Duration::ZERO;
                event_loop.set_limit(Limit { callbacks, time });
            }
            Op::Advance(time) => self.world.sleep(Duration::from_nanos(time)),
            Op::Turn(_) | Op::Grow(_) => unreachable!("made by whoever has the loop"),
        }
    }

    // ---- fds ----

    pub fn make(&mut self, make: fn(&Simulation) -> (i32, i32)) {
        if self.fds.len() + 2 > MAX_FDS {
            return;
        }
        let is_pipe = std::ptr::fn_addr_eq(make, Simulation::pipe as fn(&Simulation) -> (i32, i32));
        let model = make(&self.shadow);
        let real = if is_pipe {
            self.world.pipe()
        } else {
            self.world.pair()
        };
        if self.fds.is_empty() {
            self.offset = real.0 - model.0;
        }
        assert_eq!(
            real,
            (model.0 + self.offset, model.1 + self.offset),
            "the lowest free numbers"
        );
        self.fds.extend([model.0, model.1]);
    }

    fn on_fd(&mut self, number: usize, act: impl FnOnce(&mut Self, i32)) {
        if let Some(fd) = pick(&self.fds, number) {
            act(self, fd);
        }
    }

    fn duplicate(&mut self, number: usize) {
        if self.fds.len() < MAX_FDS {
            self.on_fd(number, |this, fd| {
                let copy = this.shadow.duplicate(fd);
                assert_eq!(this.world.duplicate(fd + this.offset), copy + this.offset);
                this.fds.push(copy);
            });
        }
    }

    pub fn drain(&mut self, fd: i32) {
        self.world.drain(fd + self.offset);
        self.shadow.drain(fd);
    }

    fn close(&mut self, event_loop: &mut Lp<'_, W>, number: usize) {
        self.on_fd(number, |this, fd| {
            let mut count = 0;
            this.oracle.watchers.retain(|_, watcher| {
                count += u32::from(watcher.fd == fd);
                watcher.fd != fd
            });
            assert_eq!(event_loop.fd_closing(fd + this.offset), Ok(count));
            assert_eq!(
                (this.world.close(fd + this.offset), this.shadow.close(fd)),
                (0, 0)
            );
            this.fds.retain(|known| *known != fd);
        });
        if self.fds.is_empty() {
            self.make(Simulation::pair);
        }
    }

    // ---- what both scripts and watchers do ----

    pub fn modify(&mut self, event_loop: &mut Lp<'_, W>, id: usize, io: Io, interest: Interest) {
        let is_live = self.oracle.modify(id, interest);
        assert_eq!(event_loop.io_modify(io, interest), live(is_live));
    }

    pub fn feed(&mut self, event_loop: &mut Lp<'_, W>, id: usize, io: Io, bits: u32) {
        let ready = Ready::from_bits_truncate(bits);
        let is_live = self.oracle.feed(id, ready);
        assert_eq!(event_loop.io_feed(io, ready), live(is_live));
    }

    pub fn remove(&mut self, event_loop: &mut Lp<'_, W>, id: usize, io: Io) {
        let is_live = self.oracle.remove(id);
        assert_eq!(event_loop.io_remove(io), live(is_live));
    }

    /// The time that delays count from. The loop reads the clock once a turn: what it says is
    /// taken, within bounds.
    fn turn_time(&mut self, event_loop: &mut Lp<'_, W>) -> u64 {
        let now = event_loop.now().as_nanos();
        assert!(now <= self.clock());
        if self.scope == Scope::Timed {
            now
        } else {
            LATER - 1
        }
    }

    fn start(&mut self, event_loop: &mut Lp<'_, W>, start: Start, period: Period) {
        let id = self.next_id();
        let (when, deadline) = match start {
            Start::Past(deadline) => (When::At(Instant::from_nanos(deadline)), deadline),
            Start::After(delay) => (
                When::After(Duration::from_nanos(delay)),
                self.clock().saturating_add(delay),
            ),
            Start::AfterCached(delay) => (
                When::AfterCached(Duration::from_nanos(delay)),
                self.turn_time(event_loop).saturating_add(delay),
            ),
            Start::Never => (When::At(Instant::NEVER), u64::MAX),
        };
        let repeat = match period {
            Period::Once => Repeat::Never,
            Period::Rate(period) => Repeat::FixedRate(Duration::from_nanos(period)),
            Period::Delay(period) => Repeat::FixedDelay(Duration::from_nanos(period)),
            Period::Skip(period) => Repeat::SkipMissed(Duration::from_nanos(period)),
        };
        let has_room = self.oracle.start(id, deadline, period);
        let result = event_loop.timer_start(when, repeat, on_timer::<W>, id);
        assert_eq!(result.err(), (!has_room).then_some(Error::ENOSPC));
        self.timers.extend(result.map(|timer| (id, timer)));
    }
}

/// What a call on a handle answers.
fn live(is_live: bool) -> Result<(), Error> {
    if is_live { Ok(()) } else { Err(Error::ENOENT) }
}
