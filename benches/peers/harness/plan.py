"""What is measured: the cells of the tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One run of one executable: a workload with its arguments."""

    group: str
    arguments: tuple[str, ...]
    seconds: float
    quick: bool = False  # in --quick too
    most_rounds: int = 1000
    under: tuple[str, ...] = ()  # a program of the bench that runs the executable, with its arguments

    @property
    def title(self) -> str:
        return " ".join(self.arguments) + (f" ({' '.join(self.under)})" if self.under else "")

    @property
    def command(self) -> str:
        under = f"build/{' '.join(self.under)} " if self.under else ""
        return f"{under}build/PEER --seconds {self.seconds:g} {' '.join(self.arguments)}"


def cell(group: str, arguments: str, seconds: float, quick: bool = False, most_rounds: int = 1000, under: str = "") -> Cell:
    return Cell(group, tuple(arguments.split()), seconds, quick, most_rounds, tuple(under.split()))


GROUPS = {
    "dispatch": "Readiness: fds watched, of these ready before each round; the callback reads and writes one byte (16000: eventfds). ns per event",
    "register": "Watchers: register, modify, toggle and toggle back between two waits, stop and start between two waits, remove. ns per operation",
    "idle": "A turn that does not wait and finds nothing ready, with as many far timers. ns per turn",
    "timers": "Timers pending, and the order of their deadlines: add, add with a fresh clock, add one and cancel it, push forward "
    "(turns_: with a turn after every 64), cancel, expire. ns per operation",
    "tasks": "Deferred calls: a task that defers itself with a poll between (chain), without one, and 1000 in one go. ns per call",
    "posts": "Messages from as many threads as fast as they can; a round trip between two loops. ns per message or round trip",
    "echo": "TCP echo, 64 bytes, as many connections: answers per second, latency, server CPU per request",
    "mix": "The same with an idle timer per connection, pushed forward on every message, and a thread that posts",
    "lateness": "Timers on an idle machine, one after the other and a thousand at once: how late, how early, turns for nothing. "
    "Alone: 1 to 4 ms; short: 50 to 950 us, where the library's unit is finer than a millisecond",
    "refused": "The same where epoll_pwait2 is refused: with ENOSYS as by kernels before 5.11, with EPERM as by containers whose filter "
    "is older than the call",
}

FDS = (100, 1000, 4000, 16000)
TIMERS = (10, 1000, 10000, 100000, 1000000)

CELLS = [
    *(
        cell("dispatch", f"dispatch {count} {active}", 0.05, quick=(count, active) in ((100, 1), (1000, 1), (4000, 1), (1000, 100), (4000, 4000)))
        for count in FDS
        for active in (1, count // 10, count)
    ),
    cell("register", "register 1000", 0.02, quick=True),
    cell("idle", "idle 0", 0.05, quick=True),
    cell("idle", "idle 1", 0.05),
    cell("timers", "timers 10 random", 0.01),
    cell("timers", "timers 1000 random", 0.01, quick=True),
    cell("timers", "timers 10000 random", 0.01),
    cell("timers", "timers 10000 equal", 0.01),
    cell("timers", "timers 10000 increasing", 0.01),
    cell("timers", "timers 10000 decreasing", 0.01),
    cell("timers", "timers 100000 random", 0.01, quick=True),
    cell("timers", "timers 1000000 random", 0.01, most_rounds=3),
    cell("tasks", "tasks", 0.05, quick=True),
    cell("posts", "posts 1", 0.1, quick=True),
    cell("posts", "posts 4", 0.1),
    cell("posts", "pingpong", 0.1, quick=True),
    cell("echo", "echo 1", 0.4, quick=True),
    cell("echo", "echo 100", 0.4, quick=True),
    cell("echo", "echo 1000", 0.4),
    cell("mix", "mix 100", 0.4, quick=True),
    cell("lateness", "lateness", 0.3, quick=True),
    cell("lateness", "lateness short", 0.3, quick=True),
    *(
        cell("refused", arguments, 0.3, most_rounds=3, under=f"without_pwait2 {answer}")
        for arguments in ("lateness", "lateness short")
        for answer in ("ENOSYS", "EPERM")
    ),
]


# What pirn is to reach on an idle machine, in the unit that the table shows.
TIME_TARGETS = {f"{kind}_{percentile}": target for kind in ("alone", "short", "thousand") for percentile, target in (("p50", 80), ("p99", 200))}


@dataclass(frozen=True)
class Growth:
    """A chart with a line for each peer: one metric of a workload whose arguments hold `{n}`, over n."""

    name: str
    title: str
    axis: str
    arguments: str
    metric: str
    numbers: tuple[int, ...]

    def arguments_for(self, number: int) -> tuple[str, ...]:
        return tuple(self.arguments.format(n=number).split())


GROWTHS = [
    Growth("growth-fds", "A turn with one ready fd, by fds watched", "fds", "dispatch {n} 1", "dispatch", FDS),
    *(
        Growth(f"growth-timer-{metric.replace('_', '-')}", f"Timer: {title}, by timers pending", "timers", "timers {n} random", metric, TIMERS)
        for metric, title in (("add", "add"), ("push_random", "push forward, random one"), ("cancel", "cancel"), ("expire", "expire"))
    ),
]


@dataclass(frozen=True)
class Count:
    """A row of the table of instructions: `region` is a measured_ function, or several."""

    title: str
    arguments: tuple[str, ...]
    metric: str
    regions: tuple[str, ...]
    target: int | None = None

    @property
    def toggles(self) -> str:
        return " ".join(f"--toggle-collect='{region}'" for region in self.regions)


def count(title: str, arguments: str, metric: str, regions: str, target: int | None = None) -> Count:
    return Count(title, tuple(arguments.split()), metric, tuple(regions.split()), target)


# `target`: what pirn is to reach.
COUNTS = [
    count("event, 1000 fds, 100 ready per turn", "dispatch 1000 100", "dispatch", "measured_dispatch driver_next_round", 76),
    count("event, 100 fds, 1 ready per turn (the whole turn)", "dispatch 100 1", "dispatch", "measured_dispatch driver_next_round", 200),
    count("event, 1000 fds, 1 ready per turn", "dispatch 1000 1", "dispatch", "measured_dispatch driver_next_round"),
    count("event, 4000 fds, 1 ready per turn", "dispatch 4000 1", "dispatch", "measured_dispatch driver_next_round"),
    count("register one fd (plus 1 system call)", "register 1000", "register", "measured_register", 100),
    count("READ <-> READ+WRITE toggle between two waits", "register 1000", "toggle", "measured_toggle", 40),
    count("READ -> READ+WRITE, then a wait", "register 1000", "modify", "measured_modify"),
    count("stop + start between two waits", "register 1000", "stopstart", "measured_stopstart"),
    count("remove", "register 1000", "remove", "measured_remove"),
    count("idle turn (non-blocking, nothing ready)", "idle 0", "idle", "measured_idle", 110),
    count("idle turn, a timer an hour away", "idle 1", "idle", "measured_idle"),
    count("timer: add, 10k pending", "timers 10000 random", "add", "measured_add", 80),
    count("timer: add, clock read afresh", "timers 10000 random", "add_fresh", "measured_add_fresh"),
    count("timer: add one and cancel it", "timers 10000 random", "pair", "measured_pair"),
    count("timer: push forward, random one", "timers 10000 random", "push_random", "measured_push_random", 25),
    count("timer: push forward, round robin", "timers 10000 random", "push_robin", "measured_push_robin", 25),
    count("timer: push, random, a turn after every 64", "timers 10000 random", "turns_random", "measured_turns_random"),
    count("timer: push, round robin, a turn after every 64", "timers 10000 random", "turns_robin", "measured_turns_robin"),
    count("timer: cancel", "timers 10000 random", "cancel", "measured_cancel", 60),
    count("timer: expire", "timers 10000 random", "expire", "measured_expire", 80),
    count("post from another thread, in a burst", "posts 1", "burst", "measured_post measured_receive", 45),
    count("task that defers itself (a chain, a poll between)", "tasks", "chain", "measured_chain measured_defer_chain", 110),
    count("task that defers itself (no poll between)", "tasks", "chain_no_poll", "measured_defer_chain"),
    count("task, 1000 deferred in one go", "tasks", "batch", "measured_batch", 33),
]


@dataclass(frozen=True)
class Calls:
    """A row of the table of system calls. `only`: count these, else all."""

    title: str
    arguments: tuple[str, ...]
    metric: str
    only: tuple[str, ...] = ()
    per: str = "operation"


def calls(title: str, arguments: str, metric: str, only: str = "", per: str = "operation") -> Calls:
    return Calls(title, tuple(arguments.split()), metric, tuple(only.split()), per)


CALLS = [
    calls("event, one ready per turn (wait, read, write)", "dispatch 100 1", "dispatch"),
    calls("event, 1000 fds, 100 ready per turn", "dispatch 1000 100", "dispatch"),
    calls("idle turn", "idle 0", "idle"),
    calls("register one fd", "register 1000", "register"),
    calls("READ -> READ+WRITE, then a wait", "register 1000", "modify"),
    calls("READ <-> READ+WRITE toggle between two waits", "register 1000", "toggle"),
    calls("10,000 stop + start pairs of 1000 fds between two waits: epoll_ctl calls", "register 1000", "stopstart", "epoll_ctl", "round"),
    calls("remove", "register 1000", "remove"),
    calls("timer: add", "timers 1000 random", "add"),
    calls("timer: expire, 1000 at once", "timers 1000 random", "expire"),
    calls("timer of 1 to 4 ms, alone: until it fires", "lateness", "alone"),
    calls("timer of 50 to 950 us, alone: until it fires", "lateness short", "short"),
    calls("timer of 50 to 950 us, alone: epoll_pwait2 calls", "lateness short", "short", "epoll_pwait2"),
    calls("post from another thread, in a burst", "posts 1", "burst"),
    calls("cross-thread round trip", "pingpong", "pingpong"),
    calls("task that defers itself (a chain, a poll between)", "tasks", "chain"),
]
