"""A sketch of a Python binding of pirn: ctypes, and pirn_take in the place of callbacks.

A C callback made by ctypes cannot raise: an exception in it is printed and forgotten, and so is the
KeyboardInterrupt of a signal that arrives there. pirn_take hands events over as data instead. The
callbacks are called by Python, between two calls of the library, and what they raise leaves
Loop.run. A loop that was left so can be run again and goes on with the event after that one.

    loop = Loop(io=64, timers=16, tasks=32)
    loop.io_add(sock, READ, lambda watcher, ready: ...)
    loop.timer_start(1.5, lambda timer, missed: ...)
    loop.run()

The library is libpirn.so: the environment variable PIRN_LIBRARY names it, or it is taken from
target/release, where `cargo build --release -p pirn-capi` puts it.
"""

import ctypes
import itertools
import os
import signal
import socket
import threading
from ctypes import c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

READ, WRITE = 0x1, 0x4
ERROR, HANGUP, INVALID, PEER_CLOSED = 0x8, 0x10, 0x20, 0x2000
UNREF = 0x200000
FOREVER = 2**64 - 1
BACKENDS = {"auto": 0, "select": 1, "poll": 2, "epoll": 3}

_TAKE = 0x2
_GOING = 3
_TIMER, _IO, _RAISED, _TASK, _POST = range(1, 6)


class _Handle(ctypes.Structure):
    """struct pirn_io, pirn_timer and pirn_task are alike."""

    _fields_ = [("slot", c_uint32), ("generation", c_uint32)]


class _Due(ctypes.Structure):
    _fields_ = [
        ("kind", c_uint32),
        ("fd", c_int32),
        ("handle", _Handle),
        ("ready", c_uint32),
        ("reserved", c_uint32),
        ("missed", c_uint64),
        ("callback", c_void_p),
        ("user", c_void_p),
        ("more", c_uint64 * 2),
    ]


class _Config(ctypes.Structure):
    """As much of struct pirn_config as is needed here: what is missing is zero."""

    _fields_ = [(name, c_uint32) for name in ("size", "backend", "io", "timers", "tasks", "flags")]


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    built = os.path.join(here, "../../target/release/libpirn.so")
    library = ctypes.CDLL(os.environ.get("PIRN_LIBRARY", built))
    loop, handle, out = c_void_p, _Handle, ctypes.POINTER
    arguments = {
        "pirn_init": [out(c_void_p), c_void_p, c_size_t, out(_Config)],
        "pirn_deinit": [loop],
        "pirn_io_add": [loop, c_int, c_uint32, c_void_p, c_void_p, out(_Handle)],
        "pirn_io_modify": [loop, handle, c_uint32],
        "pirn_io_remove": [loop, handle],
        "pirn_timer_start": [loop, c_uint64, c_uint64, c_uint32, c_void_p, c_void_p, out(_Handle)],
        "pirn_timer_stop": [loop, handle],
        "pirn_task_post": [loop, c_void_p, c_void_p, out(_Handle)],
        "pirn_remote_post": [loop, c_void_p, c_void_p],
        "pirn_stop": [loop],
        "pirn_ended": [loop],
        "pirn_prepare": [loop, c_uint64, out(c_uint64)],
        "pirn_wait": [loop, c_uint64],
        "pirn_take": [loop, out(_Due), c_uint32],
        "pirn_strerror": [c_int],
        "pirn_storage_size": [c_uint32] * 3,
    }
    for name, types in arguments.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, c_int
    library.pirn_strerror.restype = ctypes.c_char_p
    library.pirn_storage_size.restype = c_size_t
    return library


_pirn = _load()


def _check(result):
    """The result of a call, or the OSError that it stands for."""
    if result < 0:
        raise OSError(-result, _pirn.pirn_strerror(result).decode())
    return result


def _is_main_thread():
    """Signals and their wake-up fd are the main thread's."""
    return threading.current_thread() is threading.main_thread()


class Watcher:
    """What Loop.io_add returns."""

    def __init__(self, loop, fd):
        self._loop, self.fd, self._handle, self._key = loop, fd, _Handle(), None

    def modify(self, interest):
        _check(_pirn.pirn_io_modify(self._loop._address, self._handle, interest))

    def remove(self):
        _check(_pirn.pirn_io_remove(self._loop._address, self._handle))
        del self._loop._callbacks[self._key]


class Timer:
    """What Loop.timer_start returns."""

    def __init__(self, loop, is_periodic):
        self._loop, self._is_periodic = loop, is_periodic
        self._handle, self._key = _Handle(), None

    def stop(self):
        _check(_pirn.pirn_timer_stop(self._loop._address, self._handle))
        del self._loop._callbacks[self._key]


class Loop:
    """An event loop. What cannot be done raises OSError, with the errno of the library."""

    def __init__(self, io, timers, tasks, backend="auto"):
        # One watcher more: that of the signals.
        size = _pirn.pirn_storage_size(io + 1, timers, tasks)
        self._block = (c_uint64 * (size // 8))()
        self._address = c_void_p()
        config = _Config(ctypes.sizeof(_Config), BACKENDS[backend], io + 1, timers, tasks, _TAKE)
        out = ctypes.byref(self._address)
        _check(_pirn.pirn_init(out, self._block, size, ctypes.byref(config)))
        # What the library keeps for each callback is a number, which is not 0, for that is NULL.
        self._keys, self._callbacks = itertools.count(1), {}
        # Its kind is 0 while there is none that waits to be handled.
        self._due = _Due()
        # A signal that comes while the library waits ends the wait, and Python then calls the
        # handler. One that comes just before the wait would not end it. But Python writes each to
        # its wake-up fd too, which this loop watches.
        self._signals, self._signalled = socket.socketpair()
        self._signals.setblocking(False)
        self._signalled.setblocking(False)
        self.io_add(self._signals, READ | UNREF, self._drain)

    def close(self):
        _check(_pirn.pirn_deinit(self._address))
        self._callbacks.clear()
        # A signal may have ended a run before it could give the wake-up fd back.
        if _is_main_thread():
            before = signal.set_wakeup_fd(-1)
            if before != self._signalled.fileno():
                signal.set_wakeup_fd(before)
        self._signals.close()
        self._signalled.close()

    def _drain(self, _watcher, _ready):
        try:
            while self._signals.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _keep(self, *callback):
        key = next(self._keys)
        self._callbacks[key] = callback
        return key

    def _start(self, function, owner, *callback):
        """Calls `function` with a key for the callback, which is kept if that succeeds."""
        key = self._keep(owner, *callback)
        try:
            _check(function(key))
        except OSError:
            del self._callbacks[key]
            raise
        if owner is not None:
            owner._key = key
        return owner

    def io_add(self, file, interest, callback):
        """Has callback(watcher, ready) called when an fd, or an object with fileno(), is ready."""
        fd = file if isinstance(file, int) else file.fileno()
        watcher = Watcher(self, fd)
        out = ctypes.byref(watcher._handle)
        return self._start(
            lambda key: _pirn.pirn_io_add(self._address, fd, interest, None, key, out),
            watcher,
            callback,
        )

    def timer_start(self, delay, callback, period=0.0):
        """Has callback(timer, missed) called after so many seconds, and then in every period."""
        delay, period = round(delay * 1e9), round(period * 1e9)
        timer = Timer(self, period > 0)
        out = ctypes.byref(timer._handle)
        return self._start(
            lambda key: _pirn.pirn_timer_start(self._address, delay, period, 0, None, key, out),
            timer,
            callback,
        )

    def call_soon(self, callback):
        """Has callback() called in the next turn."""
        post = lambda key: _pirn.pirn_task_post(self._address, None, key, None)
        self._start(post, None, callback)

    def call_soon_threadsafe(self, callback):
        """The same from any thread. The loop is woken."""
        post = lambda key: _pirn.pirn_remote_post(self._address, None, key)
        self._start(post, None, callback)

    def stop(self):
        """Ends the run when the turn under way is over. From any thread."""
        _check(_pirn.pirn_stop(self._address))

    def run(self):
        """Turns until stopped, or until nothing keeps the loop going. True if it was stopped."""
        before = None
        try:
            if _is_main_thread():
                writer = self._signalled.fileno()
                before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            # What a run that an exception ended had taken and not handled. The rest of its turn is
            # still in the library: it is taken before anything new is waited for.
            self._handle()
            while (ended := _check(_pirn.pirn_ended(self._address))) == _GOING:
                timeout = c_uint64()
                _check(_pirn.pirn_prepare(self._address, FOREVER, ctypes.byref(timeout)))
                _check(_pirn.pirn_wait(self._address, timeout))
                # One at a time: so no callback is called for what the one before it has removed.
                while _check(_pirn.pirn_take(self._address, ctypes.byref(self._due), 1)):
                    self._handle()
            return ended != 0
        finally:
            if before is not None:
                signal.set_wakeup_fd(before)

    def _handle(self):
        """Handles the event that was taken, if there is one.

        The record says so, and not a variable: a signal handler may raise as soon as the library
        has returned, before Python has noted what it returned.
        """
        due, kind = self._due, self._due.kind
        if kind == 0:
            return
        key = due.user
        owner, callback = self._callbacks[key]
        arguments = {_TIMER: (owner, due.missed), _IO: (owner, due.ready)}.get(kind, ())
        # No call is made from here to that of the callback: no signal handler can come between.
        due.kind = 0
        if kind in (_TASK, _POST) or kind == _TIMER and not owner._is_periodic:
            del self._callbacks[key]
        callback(*arguments)
