"""What is measured: the rows of the tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One run of one executable for its times: a workload with its arguments."""

    group: str
    title: str
    seconds: float
    quick: bool = False  # in --quick too

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(self.title.split())


GROUPS = {
    "dispatch": "Readiness: fds watched, and of these ready before each round; the callback reads "
    "and writes one byte. ns per event",
    "register": "Watchers: register, modify with a wait after it, toggle and toggle back between "
    "two waits, stop and start between two waits, pause and resume with a wait after each, remove. "
    "lose: one of 16,000 fds is closed while it is watched, then modified and removed. ns each",
    "idle": "A turn that does not wait and finds nothing ready, with so many far timers. ns each",
    "timers": "Timers pending: add, add with a fresh clock, add one and cancel it, push forward "
    "(turns_: with a turn after every 64), cancel a random one. ns per operation",
    "expire": "Timers with random deadlines within 20 ms, all due when the turn begins; each is "
    "called once and in order. ns per timer",
    "tasks": "Deferred calls: a task that defers itself with a poll between (chain), and 1000 in "
    "one go. ns per call",
    "posts": "A million messages from so many threads as fast as they can, to a loop on another "
    "processor, beside a ring of the program's own. The loop is idle between them, or does so much "
    "work for each that it never is. A round trip between two loops. ns per message or round trip",
    "million": "One loop with so many connections, a watcher and an idle timer each, on a "
    "simulated host: add both; an event, of 100 random ones in a turn, which pushes the timer "
    "forward; a push alone; a turn in which nothing happens. ns each",
    "open": "A new loop and its end, with room for so many watchers and timers where the caller "
    "gives the memory. ns for both",
    "echo": "TCP echo, 64 bytes, so many connections: answers per second, latency, server CPU",
    "lateness": "Timers on an idle machine, one after the other, of 1 to 4 ms (0) or of 50 to 950 "
    "us (1): how late, how early",
}
# What pirn is to reach on an idle machine.
LATENESS_TARGETS = {"p50 [us]": 80, "p99 [us]": 200}

FDS = (100, 1000, 4000)
TIMERS = (1000, 10_000, 100_000, 1_000_000)

CELLS = [
    *(
        Cell("dispatch", f"dispatch {fds} {active}", 0.05, quick=active == 1 or fds == 1000)
        for fds in FDS
        for active in (1, fds // 10, fds)
    ),
    Cell("register", "register 1000", 0.02, quick=True),
    Cell("register", "lose 16000", 0.02),
    Cell("idle", "idle 0", 0.05, quick=True),
    Cell("idle", "idle 1", 0.05),
    *(Cell("timers", f"timers {count}", 0.01, quick=count < 1_000_000) for count in TIMERS),
    *(Cell("expire", f"expire {count}", 0.05, quick=count < 1_000_000) for count in TIMERS),
    Cell("tasks", "tasks", 0.05, quick=True),
    Cell("posts", "posts 1", 0.2, quick=True),
    Cell("posts", "posts 4", 0.2, quick=True),
    Cell("posts", "posts 1 10", 0.2, quick=True),
    Cell("posts", "posts 4 10", 0.2, quick=True),
    Cell("posts", "pingpong", 0.1, quick=True),
    *(Cell("million", f"million {count}", 0.05) for count in TIMERS),
    Cell("open", "open 100000", 0.05, quick=True),
    Cell("echo", "echo 1", 0.4),
    Cell("echo", "echo 100", 0.4, quick=True),
    Cell("echo", "echo 1000", 0.4),
    Cell("lateness", "lateness 0", 0.3, quick=True),
    Cell("lateness", "lateness 1", 0.3, quick=True),
]

# Of programs that wait.
CLIENTS = (1, 10, 100, 1000)

FIBER_CELLS = [
    Cell("fibers", "switch", 0.1),
    Cell("fibers", "spawn", 0.1),
    Cell("fibers", "handover 1", 0.1),
    Cell("fibers", "handover 16", 0.1),
    *(Cell("fibers", f"roundtrips {count}", 0.1) for count in CLIENTS),
    Cell("fibers", "footprint 1000", 0),
]
# The rows of the table that docs/PERFORMANCE.md shows: title, cell, metric, unit.
FIBER_ROWS = [
    ("a fiber lets another run", "switch", "switch", "ns"),
    ("start a fiber and wait for its end", "spawn", "spawn", "ns"),
    ("an item through a queue of 1", "handover 1", "handover", "ns"),
    ("an item through a queue of 16", "handover 16", "handover", "ns"),
    ("an echo, 1 client", "roundtrips 1", "roundtrips", "ns"),
    ("an echo, 100 clients", "roundtrips 100", "roundtrips", "ns"),
    ("the same, with a limit on each read", "roundtrips 100", "roundtrips_limited", "ns"),
    ("memory of one that waits", "footprint 1000", "footprint", "bytes"),
    ("what the kernel has for it beside that", "footprint 1000", "kernel", "bytes"),
]
# callgrind loses count where these libraries switch by longjmp, and cannot follow the kernel.
FIBERS_COUNTED = ("pirn-fiber", "context")


@dataclass(frozen=True)
class Growth:
    """A chart with a line for each peer: one metric of a workload over the number in its title."""

    name: str
    title: str
    axis: str
    metric: str
    numbers: tuple[int, ...]
    arguments: str  # with {} for the number


# What docs/PERFORMANCE.md shows.
COUNTS_GROWTH = Growth(
    "growth-fds", "A turn with one ready fd", "fds watched", "dispatch", FDS, "dispatch {} 1"
)
TIMES_GROWTHS = [
    Growth("growth-expire", "A timer expires", "timers due at once", "expire", TIMERS, "expire {}"),
    Growth("growth-cancel", "Cancel a random timer", "timers", "cancel", TIMERS, "timers {}"),
]
FIBER_GROWTH = Growth(
    "growth-fibers",
    "A program for each client answers it",
    "clients",
    "roundtrips",
    CLIENTS,
    "roundtrips {}",
)


@dataclass(frozen=True)
class Count:
    """A row of a table of counts: a workload, and the metric that names its regions."""

    title: str
    workload: str
    metric: str
    target: int | None = None
    only: str = ""  # of system calls: these, else all

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(self.workload.split())


COUNTED = {
    "instructions": "Instructions in user space per operation, exact: what callgrind collects in "
    "the measured regions, less what entering and leaving them takes, divided by the operations",
    "system calls": "System calls per operation, between the marks that --mark makes",
    "bytes": "Memory: bytes from the heap and of the caller's, watcher and handle included. 1000 "
    "fds and 1000 timers",
}

COUNTS = [
    Count("event, 1000 fds, 100 ready per turn", "dispatch 1000 100", "dispatch", 76),
    Count("event, 100 fds, 1 ready per turn (the whole turn)", "dispatch 100 1", "dispatch", 200),
    Count("event, 1000 fds, 1 ready per turn", "dispatch 1000 1", "dispatch"),
    Count("event, 4000 fds, 1 ready per turn", "dispatch 4000 1", "dispatch"),
    Count("register one fd (plus 1 system call)", "register 1000", "register", 100),
    Count("READ <-> READ+WRITE toggle between two waits", "register 1000", "toggle", 40),
    Count("READ -> READ+WRITE, then a wait", "register 1000", "modify"),
    Count("stop + start between two waits", "register 1000", "stopstart"),
    Count("pause, then a wait", "register 1000", "pause"),
    Count("resume, then a wait", "register 1000", "resume"),
    Count("remove", "register 1000", "remove"),
    Count("oneshot: event and re-arm in its callback", "oneshot", "oneshot"),
    Count("idle turn (non-blocking, nothing ready)", "idle 0", "idle", 110),
    Count("idle turn, a timer an hour away", "idle 1", "idle"),
    Count("idle turn that a foreign loop calls for", "foreign", "foreign"),
    Count("timer: add, 10k pending", "timers 10000", "add", 80),
    Count("timer: add, clock read afresh", "timers 10000", "add_fresh"),
    Count("timer: add one and cancel it", "timers 10000", "pair"),
    Count("timer: push forward, random one", "timers 10000", "push_random", 25),
    Count("timer: push forward, round robin", "timers 10000", "push_robin", 25),
    Count("timer: push, random, a turn after every 64", "timers 10000", "turns_random"),
    Count("timer: push, round robin, a turn after every 64", "timers 10000", "turns_robin"),
    Count("timer: cancel", "timers 10000", "cancel", 60),
    Count("timer: expire, 1k due at once", "expire 1000", "expire"),
    Count("timer: expire, 10k due at once", "expire 10000", "expire", 80),
    Count("timer: expire, 100k due at once", "expire 100000", "expire"),
    Count("post from another thread, in a burst", "posts 1", "burst", 45),
    Count("task that defers itself (a chain, a poll between)", "tasks", "chain", 110),
    Count("task, 1000 deferred in one go", "tasks", "batch", 33),
    Count("a new loop with room for 100,000 of each, and its end", "open 100000", "open"),
]

# Programs that wait; "target" is the budget.
FIBER_COUNTS = [
    Count("fiber: lets another run", "switch", "switch", 120),
    Count("fiber: is started and joined", "spawn", "spawn"),
    Count("fibers: an item through a queue of 1", "handover 1", "handover", 300),
    Count("fibers: the same, with a limit on each get", "handover 1", "handover_limited", 320),
    Count("fibers: an item through a queue of 16", "handover 16", "handover", 110),
    Count("fiber: is woken, the call alone", "wake", "wake"),
    Count("fiber: runs and waits again", "wake", "wait"),
    Count("fiber: the same, with a limit on the wait", "wake", "wait_limited"),
    Count("fibers: an echo, the server's side", "roundtrips 100", "roundtrips", 240),
    Count("fibers: the same, with a limit on each read", "roundtrips 100", "roundtrips_limited"),
    Count("callbacks: the same echo", "callbacks 100", "callbacks"),
]
OWN_COUNTS = [
    Count("future: yields, and is polled again", "yields", "yield", 110),
    Count("futures: an item through a queue of 1", "items 1", "item", 500),
    Count("futures: an item through a queue of 16", "items 16", "item"),
    Count("work of nothing: there and back", "work", "work", 250),
]

WAITS = "epoll_wait epoll_pwait epoll_pwait2 poll ppoll pselect6"

CALLS = [
    Count("event, one ready per turn (wait, read, write)", "dispatch 100 1", "dispatch"),
    Count("event, 1000 fds, 100 ready per turn", "dispatch 1000 100", "dispatch"),
    Count("oneshot: event and re-arm in its callback", "oneshot", "oneshot"),
    Count("a turn by hand with nothing ready", "idle 0", "idle"),
    Count("the same, called for by a foreign loop", "foreign", "foreign"),
    Count("of these timerfd_settime", "foreign", "foreign", only="timerfd_settime"),
    Count("register one fd", "register 1000", "register"),
    Count("READ -> READ+WRITE, then a wait", "register 1000", "modify"),
    Count("READ <-> READ+WRITE toggle between two waits", "register 1000", "toggle"),
    Count("stop + start between two waits", "register 1000", "stopstart"),
    Count("pause, then a wait", "register 1000", "pause"),
    Count("resume, then a wait", "register 1000", "resume"),
    Count("remove", "register 1000", "remove"),
    Count("lose one of 16,000 fds: closed, modified, removed", "lose 16000", "lose"),
    Count("timer: add", "timers 1000", "add"),
    Count("timer of 1 to 4 ms, alone: until it fires", "lateness 0", "alone"),
    Count("timer of 50 to 950 us, alone: until it fires", "lateness 1", "short"),
    Count("a periodic timer alone, for each tick", "periodic", "periodic"),
    Count("of these waits", "periodic", "periodic", only=WAITS),
    Count("post from another thread, in a burst", "posts 1", "burst"),
    Count("cross-thread round trip", "pingpong", "pingpong"),
    Count("task that defers itself (a chain, a poll between)", "tasks", "chain"),
]

MEMORY = [
    Count("the loop", "memory", "loop"),
    Count("each fd", "memory", "fd"),
    Count("each timer", "memory", "timer"),
]
