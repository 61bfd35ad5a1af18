//! What is waited for, as the rules of every wait see it: something that a wait can be begun for,
//! and that can let one waiter, or all, through. Here are the objects of this crate.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::rc::Rc;

use pirn_abi::*;
use pirn_sync::*;
use pirn_wait::*;

use super::{Caller, World};

/// From when on a waiter owns what `grant` has made for it. Cancellation and time limits that come
/// later do not end its wait.
#[derive(Clone, Copy, PartialEq)]
pub enum Owned {
    /// When `grant` returns.
    AtOnce,
    /// When the loop has run something in its next turn, behind the timers of that turn: a fiber
    /// that comes to its end, or work that has come back. So a time limit that passes in the turn
    /// of the grant wins.
    NextTurn,
    /// Never: that an fd is ready is a hint. It is for the waiter that is the first when the kernel
    /// is asked, which is once more after the time limit. So rule 4 (a grant stays granted) does
    /// not apply, and rule 9 does.
    Never,
}

/// What the rules need to know of an object. A method that is not the default says how an object
/// differs, and the rules check that.
pub trait Subject {
    fn name(&self) -> &'static str;
    /// Begins a wait for what is not there.
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int;
    /// The same with NULL for the object. A parked waiter waits for no object: `None`.
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int>;
    /// Makes what one waiter waits for, or all.
    fn grant(&self);
    /// From when on this belongs to the waiter.
    fn owned(&self) -> Owned {
        Owned::AtOnce
    }
    /// Does the same as `grant`, and calls `then` when the waiter owns it and was not called yet.
    /// If it never owns it, `then` is called when `grant` has returned.
    fn grant_then(&self, then: Then) {
        self.grant();
        then();
    }
    /// True if `grant` is for all waiters.
    fn is_for_all(&self) -> bool {
        false
    }
    /// True if what was granted goes to the next one when its waiter is dropped.
    fn goes_on(&self) -> bool {
        !self.is_for_all()
    }
    /// The result of a wait that was granted, of the waiter at this place.
    fn result(&self, _place: usize) -> c_int {
        0
    }
    /// What others get when one leaves: usually nothing.
    fn breaks(&self) -> bool {
        false
    }
    /// What others get when one is cancelled: usually nothing.
    fn cancels(&self) -> Option<c_int> {
        self.breaks().then_some(-EPIPE)
    }
    /// What a waiter gets that begins to wait again when its wait has ended with a grant.
    fn again(&self) -> c_int {
        PIRN_WAITS
    }
    /// What a cancelled fiber gets that begins to wait for what is there.
    fn cancelled(&self) -> c_int {
        -ECANCELED
    }
    /// The wait of a waiter is over, and the waiter gives up what it has.
    fn ended(&self, _waiter: *mut pirn_waiter, _result: c_int) {}
    /// The waiter is dropped.
    fn dropped(&self, _waiter: *mut pirn_waiter) {}
    /// A waiter is needed: a callback that only tries is refused.
    fn needs_waiter(&self) -> bool {
        false
    }
}

/// On the heap, and reached by its address alone.
pub fn boxed<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

pub fn zero<T>() -> *mut T {
    boxed(unsafe { zeroed() })
}

macro_rules! freed {
    ($($name:ident: $($field:ident),*;)*) => {$(
        impl Drop for $name {
            fn drop(&mut self) {
                $(drop(unsafe { Box::from_raw(self.$field) });)*
            }
        }
    )*};
}

freed! {
    Event: event;
    Semaphore: semaphore;
    Condition: condition;
    LockedCondition: condition, mutex;
    Barrier: barrier;
    Queue: queue, storage;
    Get: got;
}

pub struct Event {
    event: *mut pirn_event,
}

impl Subject for Event {
    fn name(&self) -> &'static str {
        "event"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_event_wait_start(self.event, waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_event_wait_start(null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        assert_eq!(unsafe { pirn_event_set(self.event) }, 0);
        // The present waiters pass, though the event is clear again before they run.
        assert_eq!(unsafe { pirn_event_clear(self.event) }, 0);
    }
    fn is_for_all(&self) -> bool {
        true
    }
}

pub struct Semaphore {
    semaphore: *mut pirn_semaphore,
}

impl Subject for Semaphore {
    fn name(&self) -> &'static str {
        "semaphore"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_semaphore_acquire_start(self.semaphore, waiter, 1, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_semaphore_acquire_start(null_mut(), waiter, 1, 1) })
    }
    fn grant(&self) {
        assert_eq!(unsafe { pirn_semaphore_release(self.semaphore, 1) }, 0);
    }
}

pub struct Mutex {
    mutex: *mut pirn_mutex,
    _holder: Rc<Caller>,
    owner: Cell<*mut pirn_waiter>,
}

impl Mutex {
    fn new(world: &Rc<World>) -> Mutex {
        let (mutex, holder) = (zero(), Caller::new(world, "holder"));
        let owner = holder.waiter();
        assert_eq!(unsafe { pirn_mutex_lock_start(mutex, owner, 0) }, 0);
        let owner = Cell::new(owner);
        Mutex {
            mutex,
            _holder: holder,
            owner,
        }
    }
}

impl Subject for Mutex {
    fn name(&self) -> &'static str {
        "mutex"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_mutex_lock_start(self.mutex, waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_mutex_lock_start(null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        let owner = self.owner.replace(null_mut());
        if owner.is_null() {
            return;
        }
        assert_eq!(unsafe { pirn_mutex_unlock_by(self.mutex, owner) }, 0);
    }
    fn ended(&self, waiter: *mut pirn_waiter, result: c_int) {
        if result >= 0 {
            self.owner.set(waiter);
        }
    }
    // It is its own already.
    fn again(&self) -> c_int {
        -EDEADLK
    }
    fn needs_waiter(&self) -> bool {
        true
    }
}

impl Drop for Mutex {
    fn drop(&mut self) {
        // It is in the list of what its owner holds.
        unsafe { pirn_mutex_unlock_by(self.mutex, self.owner.get()) };
        drop(unsafe { Box::from_raw(self.mutex) });
    }
}

pub struct Condition {
    condition: *mut pirn_condition,
}

impl Subject for Condition {
    fn name(&self) -> &'static str {
        "condition without a mutex"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_condition_wait_start(self.condition, null_mut(), waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_condition_wait_start(null_mut(), null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        assert!((unsafe { pirn_condition_notify(self.condition, 1) }) >= 0);
    }
    fn needs_waiter(&self) -> bool {
        true
    }
}

pub struct LockedCondition {
    condition: *mut pirn_condition,
    mutex: *mut pirn_mutex,
}

impl Subject for LockedCondition {
    fn name(&self) -> &'static str {
        "condition with a mutex"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        let (condition, mutex) = (self.condition, self.mutex);
        let is_locked = (unsafe { pirn_mutex_lock_start(mutex, waiter, 0) }) == 0;
        let rc = unsafe { pirn_condition_wait_start(condition, mutex, waiter, timeout_ns) };
        if is_locked && rc != PIRN_WAITS {
            assert_eq!(unsafe { pirn_mutex_unlock_by(mutex, waiter) }, 0, "{rc}");
        }
        rc
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_condition_wait_start(null_mut(), self.mutex, waiter, 1) })
    }
    fn grant(&self) {
        assert!((unsafe { pirn_condition_notify(self.condition, 1) }) >= 0);
    }
    fn ended(&self, waiter: *mut pirn_waiter, _result: c_int) {
        // Whatever the result, the mutex is locked again.
        assert_eq!(unsafe { pirn_mutex_unlock_by(self.mutex, waiter) }, 0);
    }
    fn needs_waiter(&self) -> bool {
        true
    }
}

pub struct Barrier {
    barrier: *mut pirn_barrier,
    world: Rc<World>,
    others: RefCell<Vec<Rc<Caller>>>,
}

/// More than wait in any test.
const PARTIES: u32 = 6;

impl Subject for Barrier {
    fn name(&self) -> &'static str {
        "barrier"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_barrier_wait_start(self.barrier, waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_barrier_wait_start(null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        loop {
            let other = Caller::new(&self.world, "other");
            self.others.borrow_mut().push(Rc::clone(&other));
            match self.start(other.waiter(), PIRN_FOREVER) {
                PIRN_WAITS => {}
                rc => {
                    assert!(rc == PARTIES as c_int - 1 || rc == -EPIPE);
                    return;
                }
            }
        }
    }
    fn is_for_all(&self) -> bool {
        true
    }
    fn result(&self, place: usize) -> c_int {
        place as c_int
    }
    fn breaks(&self) -> bool {
        true
    }
}

/// A queue of one.
struct Queue {
    queue: *mut pirn_queue,
    storage: *mut u8,
}

fn queue(put: u32) -> Queue {
    let (queue, storage) = (zero(), boxed(0u8));
    let array = storage.cast();
    let rc = unsafe { pirn_queue_init(queue, array, 1, 1, PIRN_QUEUE_FIFO) };
    assert_eq!(rc, 0);
    for _ in 0..put {
        put_one(queue);
    }
    Queue { queue, storage }
}

static ITEM: u8 = 7;

fn put_one(queue: *mut pirn_queue) {
    let item = (&raw const ITEM).cast();
    let rc = unsafe { pirn_queue_put_start(queue, null_mut(), item, 0) };
    assert!(rc == 0 || rc == -EAGAIN, "{rc}");
}

pub struct Get {
    queue: Queue,
    got: *mut u8,
}

impl Subject for Get {
    fn name(&self) -> &'static str {
        "queue, get"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_queue_get_start(self.queue.queue, waiter, self.got.cast(), timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_queue_get_start(null_mut(), waiter, self.got.cast(), 1) })
    }
    fn grant(&self) {
        put_one(self.queue.queue);
    }
    fn ended(&self, _waiter: *mut pirn_waiter, result: c_int) {
        let got = unsafe { self.got.replace(0) };
        assert_eq!(got, if result == 0 { ITEM } else { 0 });
    }
}

pub struct Put {
    queue: Queue,
}

impl Subject for Put {
    fn name(&self) -> &'static str {
        "queue, put"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        let item = (&raw const ITEM).cast();
        unsafe { pirn_queue_put_start(self.queue.queue, waiter, item, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        let item = (&raw const ITEM).cast();
        Some(unsafe { pirn_queue_put_start(null_mut(), waiter, item, 1) })
    }
    fn grant(&self) {
        let mut item = 0u8;
        let to = (&raw mut item).cast();
        let rc = unsafe { pirn_queue_get_start(self.queue.queue, null_mut(), to, 0) };
        assert_eq!((rc, item), (0, ITEM));
    }
    // The item is in the queue, and stays there.
    fn goes_on(&self) -> bool {
        false
    }
}

pub struct Join {
    queue: Queue,
}

impl Subject for Join {
    fn name(&self) -> &'static str {
        "queue, join"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_queue_join_start(self.queue.queue, waiter, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_queue_join_start(null_mut(), waiter, 1) })
    }
    fn grant(&self) {
        unsafe { pirn_queue_done(self.queue.queue) };
    }
    fn is_for_all(&self) -> bool {
        true
    }
    // All is done.
    fn again(&self) -> c_int {
        0
    }
}

/// A linked queue, from which waiters get items.
pub struct Linked {
    queue: *mut pirn_queue,
    got: *mut *mut pirn_link,
    items: RefCell<Vec<*mut pirn_link>>,
}

impl Linked {
    fn new() -> Linked {
        let queue = zero();
        let rc = unsafe { pirn_queue_init_linked(queue, PIRN_QUEUE_FIFO) };
        assert_eq!(rc, 0);
        Linked {
            queue,
            got: boxed(null_mut()),
            items: RefCell::default(),
        }
    }
}

impl Subject for Linked {
    fn name(&self) -> &'static str {
        "linked queue, get"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_queue_get_start(self.queue, waiter, self.got.cast(), timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_queue_get_start(null_mut(), waiter, self.got.cast(), 1) })
    }
    fn grant(&self) {
        let item = zero();
        self.items.borrow_mut().push(item);
        let rc = unsafe { pirn_queue_put_start(self.queue, null_mut(), item.cast(), 0) };
        assert_eq!(rc, 0);
    }
    fn ended(&self, _waiter: *mut pirn_waiter, result: c_int) {
        let got = unsafe { self.got.replace(null_mut()) };
        assert_eq!(self.items.borrow().contains(&got), result == 0);
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        for item in self.items.take() {
            drop(unsafe { Box::from_raw(item) });
        }
        drop(unsafe { Box::from_raw(self.queue) });
        drop(unsafe { Box::from_raw(self.got) });
    }
}

/// What is done at some time.
pub type Then = Box<dyn FnOnce()>;

/// How a subject is made.
pub type Make = fn(&Rc<World>) -> Rc<dyn Subject>;

/// One of each.
pub const OBJECTS: [Make; 10] = [
    |_| Rc::new(Event { event: zero() }),
    |_| Rc::new(Semaphore { semaphore: zero() }),
    |world| Rc::new(Mutex::new(world)),
    |_| Rc::new(Condition { condition: zero() }),
    |_| {
        Rc::new(LockedCondition {
            condition: zero(),
            mutex: zero(),
        })
    },
    |world| {
        let barrier = zero();
        assert_eq!(unsafe { pirn_barrier_init(barrier, PARTIES) }, 0);
        Rc::new(Barrier {
            barrier,
            world: Rc::clone(world),
            others: RefCell::new(Vec::new()),
        })
    },
    |_| {
        Rc::new(Get {
            queue: queue(0),
            got: boxed(0),
        })
    },
    |_| Rc::new(Put { queue: queue(1) }),
    |_| Rc::new(Join { queue: queue(1) }),
    |_| Rc::new(Linked::new()),
];
