//! The ends of things that run, as the rules of every wait see them: of a fiber, of all members of
//! a group, of a member of a pool, whose slot is then free, and of work that a thread does.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::mem::zeroed;
use std::ptr::null_mut;
use std::rc::Rc;

use ::pirn_fiber::ffi::*;
use ::pirn_fiber::{pirn_fiber, pirn_group, pirn_pool, pirn_spawn};
use ::pirn_work::*;
use pirn_abi::*;
use pirn_wait::ffi::*;
use pirn_wait::*;

use super::subject::{Owned, Subject, Then, boxed, zero};
use super::support::{Caller, World, guarded};

const STACK: usize = 16 * 1024;

/// A fiber that is parked, and ends when it is woken.
struct Parked {
    fiber: *mut pirn_fiber,
    _stack: Vec<u64>,
    /// They are woken behind the fiber, so they run when it has ended, before those who join it.
    behind: RefCell<Vec<Rc<Caller>>>,
    world: Rc<World>,
}

unsafe extern "C" fn parks(hub: *mut pirn_hub, _user: *mut c_void) -> c_int {
    unsafe {
        let begun = pirn_park_start(pirn_fiber_self(hub), PIRN_FOREVER);
        pirn_fiber_await(hub, begun);
    }
    0
}

impl Parked {
    fn new(world: &Rc<World>) -> Parked {
        let (fiber, mut stack) = (zero(), vec![0u64; STACK / 8]);
        let (memory, body, hub) = (stack.as_mut_ptr().cast(), Some(parks as _), world.hub);
        let rc = unsafe { pirn_fiber_start(hub, fiber, memory, STACK, 0, body, null_mut()) };
        assert_eq!(rc, 0);
        world.turn();
        Parked {
            fiber,
            _stack: stack,
            behind: RefCell::default(),
            world: Rc::clone(world),
        }
    }

    fn end(&self) {
        wake(self.fiber.cast());
    }

    fn end_then(&self, then: Then) {
        self.end();
        self.behind
            .borrow_mut()
            .push(wake_behind(&self.world, then));
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
            self.world.turn();
            drop(unsafe { Box::from_raw(self.fiber) });
        }
    }
}

/// Ends the wait of a fiber, unless it has ended already.
fn wake(fiber: *mut pirn_waiter) {
    let rc = unsafe { pirn_waiter_wake(fiber, 0) };
    assert!(rc == 0 || rc == -ENOENT, "{rc}");
}

/// Wakes a waiter that does this.
fn wake_behind(world: &Rc<World>, then: Then) -> Rc<Caller> {
    let other = Caller::new(world, "other");
    let then = Cell::new(Some(then));
    other.then(move |_| then.take().expect("it is called once")());
    let begun = unsafe { pirn_park_start(other.waiter(), PIRN_FOREVER) };
    assert_eq!(begun, PIRN_WAITS);
    wake(other.waiter());
    other
}

pub struct Fiber {
    parked: Parked,
}

impl Fiber {
    pub fn new(world: &Rc<World>) -> Fiber {
        let parked = Parked::new(world);
        Fiber { parked }
    }
}

impl Subject for Fiber {
    fn name(&self) -> &'static str {
        "the end of a fiber"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_fiber_join_start(self.parked.fiber, waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_fiber_join_start(null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        self.parked.end();
    }
    fn owned(&self) -> Owned {
        Owned::NextTurn
    }
    fn grant_then(&self, then: Then) {
        self.parked.end_then(then);
    }
    fn is_for_all(&self) -> bool {
        true
    }
    // It has ended: there is nothing to wait for.
    fn cancelled(&self) -> c_int {
        0
    }
    fn again(&self) -> c_int {
        0
    }
    fn needs_waiter(&self) -> bool {
        true
    }
}

pub struct Group {
    group: *mut pirn_group,
    member: Parked,
}

impl Group {
    pub fn new(world: &Rc<World>) -> Group {
        let (group, member) = (zero(), Parked::new(world));
        assert_eq!(unsafe { pirn_group_add(group, member.fiber) }, 0);
        Group { group, member }
    }
}

impl Subject for Group {
    fn name(&self) -> &'static str {
        "the end of a group"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_group_join_start(self.group, waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_group_join_start(null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        self.member.end();
    }
    fn owned(&self) -> Owned {
        Owned::NextTurn
    }
    fn grant_then(&self, then: Then) {
        self.member.end_then(then);
    }
    fn is_for_all(&self) -> bool {
        true
    }
    // It has no members: there is nothing to wait for.
    fn cancelled(&self) -> c_int {
        0
    }
    // The members are cancelled then, and the one that was cancelled waits for their end too.
    fn cancels(&self) -> Option<c_int> {
        Some(0)
    }
    fn again(&self) -> c_int {
        0
    }
    fn needs_waiter(&self) -> bool {
        true
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.member.end();
            self.member.world.turn();
            drop(unsafe { Box::from_raw(self.group) });
        }
    }
}

/// A pool of one. Its member is parked.
pub struct Pool {
    pool: *mut pirn_pool,
    spawn: *mut pirn_spawn,
    /// The address of the next field, which is the argument of a member.
    argument: *mut *mut Cell<*mut pirn_waiter>,
    member: *mut Cell<*mut pirn_waiter>,
    _slot: Vec<u64>,
    behind: RefCell<Vec<Rc<Caller>>>,
    world: Rc<World>,
}

unsafe extern "C" fn parks_in_the_pool(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    unsafe {
        let member = *user.cast::<*mut Cell<*mut pirn_waiter>>();
        (*member).set(pirn_fiber_self(hub));
        parks(hub, user)
    }
}

impl Pool {
    pub fn new(world: &Rc<World>) -> Pool {
        let size = size_of::<pirn_fiber>().next_multiple_of(8) + STACK;
        let mut slot = vec![0u64; size / 8];
        let pool: pirn_pool = unsafe { zeroed() };
        pool.memory.slots.set(slot.as_mut_ptr().cast());
        pool.memory.slot_size.set(size);
        pool.memory.count.set(1);
        let member = boxed(Cell::new(null_mut()));
        let argument = boxed(member);
        let pool = Pool {
            pool: boxed(pool),
            spawn: boxed(pirn_spawn {
                body: Some(parks_in_the_pool),
                argument: argument.cast(),
                size: size_of::<*mut c_void>(),
            }),
            argument,
            member,
            _slot: slot,
            behind: RefCell::default(),
            world: Rc::clone(world),
        };
        assert_eq!(pool.start(null_mut(), 0), 0);
        world.turn();
        pool
    }
}

impl Subject for Pool {
    fn name(&self) -> &'static str {
        "a slot of a pool"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        let (hub, what) = (self.world.hub, self.spawn);
        unsafe { pirn_pool_spawn_start(hub, self.pool, waiter, what, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        let (hub, what) = (self.world.hub, self.spawn);
        Some(unsafe { pirn_pool_spawn_start(hub, null_mut(), waiter, what, 1) })
    }
    fn grant(&self) {
        wake(unsafe { (*self.member).get() });
    }
    fn owned(&self) -> Owned {
        Owned::NextTurn
    }
    fn grant_then(&self, then: Then) {
        self.grant();
        self.behind
            .borrow_mut()
            .push(wake_behind(&self.world, then));
    }
    // The slot is taken: the member was started with the grant.
    fn goes_on(&self) -> bool {
        false
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let group = unsafe { &raw mut (*self.pool).group };
            assert_eq!(unsafe { pirn_group_cancel(group) }, 0);
            self.world.turn();
            self.world.turn();
            assert_eq!(unsafe { (*self.pool).group.live.get() }, 0);
            drop(unsafe { Box::from_raw(self.pool) });
            drop(unsafe { Box::from_raw(self.spawn) });
            drop(unsafe { Box::from_raw(self.argument) });
            drop(unsafe { Box::from_raw(self.member) });
        }
    }
}

/// Work that a thread does when it is granted.
pub struct Work {
    workers: *mut pirn_workers,
    work: *mut pirn_work,
    is_done: Cell<bool>,
    then: *mut Cell<Option<Then>>,
    world: Rc<World>,
}

unsafe extern "C" fn works(_work: *mut pirn_work, _user: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn on_done(
    _: *mut pirn_hub,
    _: *mut pirn_work,
    _result: c_int,
    user: *mut c_void,
) {
    let then = unsafe { &*user.cast::<Cell<Option<Then>>>() };
    if let Some(then) = then.take() {
        guarded(then);
    }
}

impl Work {
    pub fn new(world: &Rc<World>) -> Work {
        let (workers, work, then) = (zero(), zero(), boxed(Cell::new(None)));
        assert_eq!(unsafe { pirn_workers_init(workers, 0) }, 0);
        let (function, done, user) = (Some(works as _), Some(on_done as _), then.cast());
        let rc = unsafe { pirn_work_submit(workers, world.hub, work, function, done, user) };
        assert_eq!(rc, 0);
        Work {
            workers,
            work,
            is_done: Cell::new(false),
            then,
            world: Rc::clone(world),
        }
    }
}

impl Subject for Work {
    fn name(&self) -> &'static str {
        "the end of work"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_work_wait_start(self.work, waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_work_wait_start(null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        if self.is_done.replace(true) {
            return;
        }
        assert_eq!(
            unsafe { pirn_workers_close(self.workers, PIRN_WORKERS_DRAIN) },
            0
        );
        let address = self.workers.expose_provenance();
        let thread = std::thread::spawn(move || {
            let workers = std::ptr::with_exposed_provenance_mut(address);
            unsafe { pirn_workers_run(workers) }
        });
        assert_eq!(thread.join().ok(), Some(0));
    }
    fn owned(&self) -> Owned {
        Owned::NextTurn
    }
    fn grant_then(&self, then: Then) {
        unsafe { (*self.then).set(Some(then)) };
        self.grant();
    }
    fn is_for_all(&self) -> bool {
        true
    }
    fn again(&self) -> c_int {
        0
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(
                unsafe { pirn_workers_close(self.workers, PIRN_WORKERS_NOW) },
                0
            );
            self.world.turn();
            drop(unsafe { Box::from_raw(self.workers) });
            drop(unsafe { Box::from_raw(self.work) });
            drop(unsafe { Box::from_raw(self.then) });
        }
    }
}
