#!/usr/bin/env python3
"""An echo server on pirn, in Python: sends back to every TCP client what it sends.

    cargo build --release -p pirn-capi
    examples/python/echo_server.py --port 7000 &
    printf 'hello\n' | nc -N 127.0.0.1 7000

Tells every ten seconds how much it has echoed. Ends on SIGINT, by the KeyboardInterrupt that
Python's own signal handler raises.

    examples/python/echo_server.py --self-test      clients, errors and interrupts against itself
"""

import argparse
import os
import random
import signal
import socket
import sys
import threading
import time

from pirn import READ, WRITE, Loop

MAX_CLIENTS = 64
BUFFER_SIZE = 65536


class Client:
    """Who does not read is not read from: at most one buffer waits to be sent."""

    def __init__(self, server, sock):
        self.server, self.sock, self.unsent, self.has_ended = server, sock, b"", False
        self.watcher = server.loop.io_add(sock, READ, self.on_ready)

    def on_ready(self, watcher, _ready):
        try:
            if not self.unsent:
                self.receive()
            self.send()
        except BlockingIOError:
            pass
        except OSError:
            return self.close()
        if self.has_ended and not self.unsent:
            return self.close()
        watcher.modify(WRITE if self.unsent else READ)

    def receive(self):
        self.unsent = self.sock.recv(BUFFER_SIZE)
        self.has_ended = not self.unsent

    def send(self):
        while self.unsent:
            sent = self.sock.send(self.unsent)
            self.unsent = self.unsent[sent:]
            self.server.echoed += sent

    def close(self):
        # Remove before close: afterwards the number may belong to somebody else.
        self.watcher.remove()
        self.sock.close()
        self.server.clients.discard(self)


class Server:
    def __init__(self, loop, address):
        self.loop, self.clients, self.echoed = loop, set(), 0
        self.sock = socket.create_server(address)
        self.sock.setblocking(False)
        self.watcher = loop.io_add(self.sock, READ, self.on_listener)

    def on_listener(self, _watcher, _ready):
        try:
            sock, _ = self.sock.accept()
        except OSError:
            return
        sock.setblocking(False)
        try:
            self.clients.add(Client(self, sock))
        except OSError:
            sock.close()  # full

    def close(self):
        for client in list(self.clients):
            client.close()
        self.watcher.remove()
        self.sock.close()


def serve(port, backend):
    loop = Loop(io=MAX_CLIENTS + 1, timers=1, tasks=1, backend=backend)
    server = Server(loop, ("127.0.0.1", port))
    print("listening on %s:%d" % server.sock.getsockname(), flush=True)

    def tell(_timer, _missed):
        print(f"{len(server.clients)} clients, {server.echoed} bytes echoed", flush=True)

    loop.timer_start(10, tell, period=10)
    try:
        loop.run()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    server.close()
    loop.close()


# ---- the self-test ----


def talk(address, failures):
    """A client: sends a megabyte in pieces, and wants the same back."""
    data = random.randbytes(1 << 20)
    with socket.create_connection(address) as sock:
        sock.settimeout(20)

        def send():
            for at in range(0, len(data), 10_000):
                sock.sendall(data[at : at + 10_000])
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = b"".join(iter(lambda: sock.recv(BUFFER_SIZE), b""))
        sender.join()
    if received != data:
        failures.append("what came back is not what was sent")


def check_echo(backend):
    loop = Loop(io=MAX_CLIENTS + 1, timers=2, tasks=4, backend=backend)
    server = Server(loop, ("127.0.0.1", 0))
    ticks, failures = [], []
    timer = loop.timer_start(0.001, lambda _timer, missed: ticks.append(missed), period=0.001)
    address = server.sock.getsockname()

    def clients():
        threads = [threading.Thread(target=talk, args=(address, failures)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        loop.call_soon_threadsafe(loop.stop)

    others = threading.Thread(target=clients)
    others.start()
    assert loop.run(), "it was stopped"
    others.join()
    assert not failures, failures
    assert server.echoed == 4 << 20, server.echoed
    assert ticks, "the timer fired"
    timer.stop()
    server.close()
    assert not loop.run(), "nothing keeps it going"
    loop.close()


def check_exceptions(backend):
    """What a callback raises leaves run, and the rest of the turn is there when it is run again."""
    loop = Loop(io=1, timers=1, tasks=8, backend=backend)
    called = []

    def fail():
        called.append("fail")
        raise ValueError("on purpose")

    for callback in (lambda: called.append("a"), fail, lambda: called.append("b")):
        loop.call_soon(callback)
    loop.timer_start(0, lambda _timer, _missed: 1 / 0)
    for expected in (ZeroDivisionError, ValueError):
        try:
            loop.run()
        except expected:
            continue
        raise AssertionError(f"{expected} was lost")
    # A run inside of a callback: nothing is in progress there.
    loop.call_soon(lambda: called.append(loop.run()))
    assert not loop.run()
    assert called == ["a", "fail", "b", False], called
    loop.close()


def is_inside_of_callback(traceback):
    """True if an exception came up in a callback, or while it was being called."""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "_handle":
            return True
        traceback = traceback.tb_next
    return False


def interrupter():
    """A process that sends this one a SIGINT, a moment after each byte that it gets."""
    requests, wanted = os.pipe()
    if os.fork() == 0:
        os.close(wanted)
        while os.read(requests, 1):
            time.sleep(random.uniform(0, 0.002))
            os.kill(os.getppid(), signal.SIGINT)
        os._exit(0)
    os.close(requests)
    return wanted


def check_interrupts(backend, count):
    """Every SIGINT becomes a KeyboardInterrupt, whenever it comes, and no event is lost by it."""
    interrupts = interrupter()
    loop = Loop(io=1, timers=4, tasks=8, backend=backend)
    ticks, is_over = [], threading.Event()
    # It sleeps most of the time.
    loop.timer_start(3600, lambda _timer, _missed: None)

    def tick(_timer, _missed):
        ticks.append(True)
        if is_awaited:
            loop.stop()

    def give_up():
        if not is_over.wait(60):
            print("an interrupt was lost, or an event with it", flush=True)
            os._exit(1)

    threading.Thread(target=give_up, daemon=True).start()
    for number in range(count):
        # Every other time there is no timer soon to end a wait that the signal came too early for.
        has_timer, is_awaited = number % 2 == 0, False
        try:
            if has_timer:
                loop.timer_start(random.uniform(0, 0.002), tick)
            os.write(interrupts, b"x")
            loop.run()
        except KeyboardInterrupt as interrupted:
            is_awaited = True
            # Python may have interrupted the callback itself, before it could do anything.
            if has_timer and not ticks and not is_inside_of_callback(interrupted.__traceback__):
                loop.run()
                assert ticks
            ticks.clear()
            continue
        raise AssertionError("run ended by itself")
    is_over.set()
    loop.close()
    os.close(interrupts)
    os.wait()


def self_test():
    # A shell starts what it runs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for backend in ("epoll", "poll", "select"):
        check_echo(backend)
        check_exceptions(backend)
        check_interrupts(backend, 100)
        print(f"{backend}: ok", flush=True)


def main():
    parser = argparse.ArgumentParser(description="An echo server on pirn.")
    parser.add_argument("--port", type=int, default=7000)
    parser.add_argument("--backend", default="auto", choices=["auto", "select", "poll", "epoll"])
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        self_test()
    else:
        serve(arguments.port, arguments.backend)
    return 0


if __name__ == "__main__":
    sys.exit(main())
