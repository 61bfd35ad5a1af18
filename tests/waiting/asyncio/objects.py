"""pirn's objects as asyncio's: Lock, Event, Condition, Semaphore, BoundedSemaphore, Barrier, Queue,
LifoQueue and PriorityQueue, each on the C functions alone.

A waiter that is woken continues its task at once. Each event loop of asyncio has a loop and a hub
of pirn's, whose turn runs in the event loop's iteration after the call that has woken something:
that is when asyncio runs the tasks that its own objects have woken.
"""

import asyncio
import collections
import contextlib
import ctypes
import errno
import weakref
from ctypes import CFUNCTYPE, byref, c_int, c_uint32, c_uint64, c_void_p

WAITS = 1 << 30
FOREVER = 2**64 - 1

library: ctypes.CDLL
sizes: dict[str, int] = {}


def open_library(path: str) -> None:
    """Opens the shared library, which exports size_of_NAME for each struct: see library.c."""
    global library
    library = ctypes.CDLL(path)
    objects = "event mutex semaphore condition barrier queue"
    for name in ("block", "hub", "waiter", *objects.split()):
        sizes[name] = ctypes.c_size_t.in_dll(library, f"size_of_{name}").value


def memory(size: int):
    """Zeros, aligned as any struct of the library."""
    return (c_uint64 * (size // 8 + 1))()


def must(rc: int) -> int:
    if rc < 0:
        raise OSError(-rc, errno.errorcode.get(-rc))
    return rc


# ---- loops and waits ----


class Host:
    """The loop and the hub of an event loop."""

    _hosts: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()

    def __init__(self, event_loop):
        self._event_loop = weakref.ref(event_loop)
        self._is_due = False
        self._block, self.hub = memory(sizes["block"]), memory(sizes["hub"])
        self._loop = c_void_p()
        must(library.host_init(byref(self._loop), self._block, self.hub))

    @classmethod
    def of(cls, event_loop) -> "Host":
        host = cls._hosts.get(event_loop)
        if host is None:
            host = cls._hosts[event_loop] = cls(event_loop)
        return host

    def kick(self) -> None:
        """Has a turn run in the next iteration of the event loop."""
        event_loop = self._event_loop()
        if not self._is_due and event_loop is not None and not event_loop.is_closed():
            self._is_due = True
            event_loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_due = False
        must(library.pirn_turn(self._loop, c_uint64(0)))


@CFUNCTYPE(None, c_void_p, c_void_p, c_int)
def on_wake(_hub, waiter, result):
    Wait.of[waiter].finish(result)


class Wait:
    """A wait with a waiter of its own: what a task awaits, in the way of asyncio.Future."""

    of: dict[int, "Wait"] = {}
    _asyncio_future_blocking = False
    # For a wait that goes on when it is cancelled, and ends with -ECANCELED later.
    is_stubborn = False

    def __init__(self, host: Host):
        self.host, self.result_code = host, None
        self._callbacks: list = []
        self._is_cancelled, self._message = False, None
        self.waiter = memory(sizes["waiter"])
        must(library.pirn_waiter_init(host.hub, self.waiter, on_wake, None))

    @property
    def address(self) -> int:
        return ctypes.addressof(self.waiter)

    async def run(self, begin) -> None:
        """Calls a function that begins the wait, and returns when it is over."""
        self._callbacks, self.result_code = [], None
        begun = begin()
        if begun == WAITS:
            self.of[self.address] = self
            await self
        else:
            self.result_code = begun
        must(self.result_code)

    def finish(self, result: int) -> None:
        del self.of[self.address]
        self.result_code = result
        if result == -errno.ECANCELED:
            self._is_cancelled = True
        for callback, context in self._callbacks:
            context.run(callback, self)

    # What a task asks of a future.

    def __await__(self):
        if not self.done():
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def get_loop(self):
        return self.host._event_loop()

    def done(self) -> bool:
        return self._is_cancelled or self.result_code is not None

    def cancelled(self) -> bool:
        return self._is_cancelled

    def result(self):
        if self._is_cancelled:
            raise asyncio.CancelledError(*([self._message] if self._message else []))
        return self.result_code

    def exception(self):
        self.result()

    def add_done_callback(self, callback, *, context):
        self._callbacks.append((callback, context))

    def cancel(self, msg=None) -> bool:
        if self.done():
            return False
        self._message = msg
        if self.is_stubborn:
            library.pirn_waiter_cancel(self.waiter, -errno.ECANCELED)
            self.host.kick()
            return True
        # What was granted goes on to the next waiter.
        must(library.pirn_waiter_drop(self.waiter))
        del self.of[self.address]
        self._is_cancelled = True
        for callback, context in self._callbacks:
            self.get_loop().call_soon(callback, self, context=context)
        self.host.kick()
        return True


class Object:
    """What all objects have: a struct, and a host from the first wait on."""

    struct = ""

    def __init__(self):
        self._memory = memory(sizes[self.struct])
        self._host = None
        # The waits that are not over, for the tests that look at asyncio's.
        self._waiters: collections.deque = collections.deque()

    def _get_host(self) -> Host:
        host = Host.of(asyncio.get_running_loop())
        if self._host is None:
            self._host = host
        if self._host is not host:
            raise RuntimeError(f"{self!r} is bound to a different event loop")
        return host

    def _call(self, name: str, *arguments) -> int:
        """Calls a function that may wake waiters."""
        result = getattr(library, name)(self._memory, *arguments)
        if self._host is not None:
            self._host.kick()
        return result

    async def _wait(self, name: str, *arguments, wait=None, among=None) -> Wait:
        """Begins a wait with a function, and returns when it is over. What the arguments point to
        stays meanwhile."""
        wait = wait or Wait(self._get_host())
        among = self._waiters if among is None else among
        among.append(wait)
        try:
            await wait.run(lambda: self._begin(name, wait.waiter, arguments))
        finally:
            among.remove(wait)
        return wait

    def _begin(self, name: str, waiter, arguments) -> int:
        begun = getattr(library, name)(self._memory, waiter, *arguments, c_uint64(FOREVER))
        if begun != WAITS:
            self._host.kick()
        return begun


class Manager:
    """`async with` for what is acquired and released."""

    async def __aenter__(self):
        await self.acquire()

    async def __aexit__(self, *_):
        self.release()


# ---- locks ----


class Lock(Object, Manager):
    struct = "mutex"

    def __init__(self):
        super().__init__()
        self._owner: Wait | None = None

    def locked(self) -> bool:
        return self._owner is not None

    async def acquire(self) -> bool:
        self._owner = await self._wait("pirn_mutex_lock_start")
        return True

    def release(self) -> None:
        if self._owner is None:
            raise RuntimeError("Lock is not acquired.")
        owner, self._owner = self._owner, None
        must(self._call("pirn_mutex_unlock_by", owner.waiter))


class Condition(Object, Manager):
    struct = "condition"

    def __init__(self, lock=None):
        super().__init__()
        self._lock = lock if lock is not None else Lock()
        self.locked, self.acquire = self._lock.locked, self._lock.acquire
        self.release = self._lock.release

    def __repr__(self):
        return f"<{type(self).__name__} [{'locked' if self.locked() else 'unlocked'}]>"

    async def wait(self) -> bool:
        if not self.locked():
            raise RuntimeError("cannot wait on un-acquired lock")
        self._get_host()
        owner, self._lock._owner = self._lock._owner, None
        owner.is_stubborn = True
        try:
            await self._wait("pirn_condition_wait_start", wait=owner)
        finally:
            # However the wait has ended, the lock is had back.
            self._lock._owner = owner
            owner.is_stubborn, owner._is_cancelled = False, False
        return True

    async def wait_for(self, predicate):
        while not (result := predicate()):
            await self.wait()
        return result

    def _begin(self, name, waiter, _arguments):
        mutex, forever = self._lock._memory, c_uint64(FOREVER)
        begun = library.pirn_condition_wait_start(self._memory, mutex, waiter, forever)
        # Whoever waits for the mutex has it now.
        self._host.kick()
        return begun

    def notify(self, n=1) -> None:
        if not self.locked():
            raise RuntimeError("cannot notify on un-acquired lock")
        must(self._call("pirn_condition_notify", c_uint32(n)))

    def notify_all(self) -> None:
        self.notify(2**32 - 1)


class Event(Object):
    struct = "event"

    def __repr__(self):
        return f"<{type(self).__name__} [{'set' if self.is_set() else 'unset'}]>"

    def is_set(self) -> bool:
        return bool(must(library.pirn_event_is_set(self._memory)))

    def set(self) -> None:
        must(self._call("pirn_event_set"))

    def clear(self) -> None:
        must(self._call("pirn_event_clear"))

    async def wait(self) -> bool:
        await self._wait("pirn_event_wait_start")
        return True


class Semaphore(Object, Manager):
    struct = "semaphore"
    most = 0

    def __init__(self, value=1):
        if value < 0:
            raise ValueError("Semaphore initial value must be >= 0")
        super().__init__()
        must(library.pirn_semaphore_init(self._memory, c_uint32(value), c_uint32(self.most)))

    def __repr__(self):
        state = "locked" if self.locked() else f"unlocked, value:{self._value}"
        return f"<{type(self).__name__} [{state}]>"

    @property
    def _value(self) -> int:
        # Behind the list of waiters, which is two pointers.
        return self._memory[2] & 0xFFFFFFFF

    def locked(self) -> bool:
        return self._value == 0 or self._memory[0] != 0

    async def acquire(self) -> bool:
        await self._wait("pirn_semaphore_acquire_start", c_uint32(1))
        return True

    def release(self) -> None:
        must(self._call("pirn_semaphore_release", c_uint32(1)))


class BoundedSemaphore(Semaphore):
    def __init__(self, value=1):
        self.most = value
        super().__init__(value)

    def release(self) -> None:
        try:
            super().release()
        except OSError:
            raise ValueError("BoundedSemaphore released too many times") from None


class Barrier(Object):
    struct = "barrier"

    def __init__(self, parties):
        if parties < 1:
            raise ValueError("parties must be > 0")
        super().__init__()
        self.parties = parties
        must(library.pirn_barrier_init(self._memory, c_uint32(parties)))

    def __repr__(self):
        state = "broken" if self.broken else "filling"
        return f"<{type(self).__name__} [{state}, waiters:{self.n_waiting}/{self.parties}]>"

    @property
    def n_waiting(self) -> int:
        return self._memory[2] >> 32

    @property
    def broken(self) -> bool:
        return bool(self._memory[3] & 0xFFFFFFFF)

    async def wait(self) -> int:
        try:
            return (await self._wait("pirn_barrier_wait_start")).result_code
        except BrokenPipeError:
            raise asyncio.BrokenBarrierError("Barrier is broken") from None

    async def reset(self) -> None:
        must(self._call("pirn_barrier_reset"))

    async def __aenter__(self):
        return await self.wait()

    async def __aexit__(self, *_):
        pass


# ---- queues ----


class Queue(Object):
    """The items of the C queue are the keys of Python's, which are numbers in a row."""

    struct = "queue"
    order = 0
    # A queue of asyncio's may be unbounded.
    MANY = 1 << 12

    def __init__(self, maxsize=0):
        super().__init__()
        self._maxsize, self._items = maxsize, {}
        self._getters: collections.deque = collections.deque()
        self._putters: collections.deque = collections.deque()
        self._put_count = 0
        self._room = memory(8 * (maxsize if maxsize > 0 else self.MANY))
        size = ctypes.c_size_t(8 * (maxsize if maxsize > 0 else self.MANY))
        self._prepare(self._memory, self._room, size)

    def _prepare(self, *array):
        must(library.pirn_queue_init(*array, 8, self.order))

    def __repr__(self):
        return f"<{type(self).__name__} maxsize={self._maxsize!r} size={self.qsize()}>"

    @property
    def maxsize(self) -> int:
        return self._maxsize

    def qsize(self) -> int:
        return must(library.pirn_queue_size(self._memory))

    def empty(self) -> bool:
        return self.qsize() == 0

    def full(self) -> bool:
        return 0 < self._maxsize <= self.qsize()

    def _new_key(self, item) -> c_uint64:
        self._put_count += 1
        self._items[self._put_count] = item
        return c_uint64(self._put_count)

    async def put(self, item) -> None:
        key = self._new_key(item)
        await self._wait("pirn_queue_put_start", byref(key), among=self._putters)

    def put_nowait(self, item) -> None:
        key = self._new_key(item)
        rc = self._call("pirn_queue_put_start", None, byref(key), c_uint64(0))
        if rc == -errno.EAGAIN:
            del self._items[key.value]
            raise asyncio.QueueFull
        must(rc)

    async def get(self):
        key = c_uint64()
        await self._wait("pirn_queue_get_start", byref(key), among=self._getters)
        return self._items.pop(key.value)

    def get_nowait(self):
        key = c_uint64()
        rc = self._call("pirn_queue_get_start", None, byref(key), c_uint64(0))
        if rc == -errno.EAGAIN:
            raise asyncio.QueueEmpty
        must(rc)
        return self._items.pop(key.value)

    def task_done(self) -> None:
        if self._call("pirn_queue_done") < 0:
            raise ValueError("task_done() called too many times")

    async def join(self) -> None:
        await self._wait("pirn_queue_join_start")


class LifoQueue(Queue):
    order = 1


BEFORE = CFUNCTYPE(c_int, c_void_p, c_void_p)


class PriorityQueue(Queue):
    def _prepare(self, *array):
        self._before = BEFORE(self._is_before)
        must(library.pirn_queue_init_priority(*array, 8, self._before))

    def _is_before(self, a, b) -> int:
        first, second = (c_uint64.from_address(address).value for address in (a, b))
        return self._items[first] < self._items[second]


CLASSES = (Lock, Event, Condition, Semaphore, BoundedSemaphore, Barrier)
CLASSES += (Queue, LifoQueue, PriorityQueue)


@contextlib.contextmanager
def in_place_of_asyncios():
    """While it is entered, asyncio.Lock and so on are those of this module."""
    theirs = {own.__name__: getattr(asyncio, own.__name__) for own in CLASSES}
    for own in CLASSES:
        setattr(asyncio, own.__name__, own)
    try:
        yield
    finally:
        for name, its in theirs.items():
            setattr(asyncio, name, its)
