"""Random scripts with the objects of asyncio, of trio where it is installed, and of pirn: all must
leave the same trace.

    python3 witness.py LIBRARY [SEED [SCRIPTS]]     exits 1 at the first difference

Tasks lock, acquire, put, get, wait and notify, with and without time limits, and are cancelled, in
virtual time. No two tasks act at the same instant, because then the libraries promise different
things: asyncio lets a call overtake a waiter that was woken and has not run yet. Nor does anybody
hold the lock of the condition for longer, because in asyncio and trio a waiter whose limit ends
when it has been notified, and waits for that lock, goes to the end of the line.
"""

import asyncio
import contextlib
import importlib.util
import random
import selectors
import sys

import objects

TASKS = 6
ACTIONS = 12
# Task `n` acts at times that are `n` modulo this, and its limits end between them.
BEAT = TASKS + 1

OPERATIONS = ["lock", "acquire", "release", "put", "get", "wait", "notify", "set", "await", "clear"]
if sys.version_info >= (3, 13):
    # A waiter of a condition that is cancelled notifies another one, in any case.
    OPERATIONS = [name for name in OPERATIONS if name not in ("wait", "notify")]
QUEUES = ["Queue", "LifoQueue", "PriorityQueue"]


class Script:
    """What each task does: (operation, time limit or None, pause afterwards) in a row; and when it
    is cancelled, if it is."""

    def __init__(self, seed: int, operations=OPERATIONS, queues=QUEUES):
        chance = random.Random(seed)
        self.operations, self.queue = operations, chance.choice(queues)
        self.capacity, self.units = chance.randint(1, 3), chance.randint(1, 3)
        self.tasks = [[self.action(chance) for _ in range(ACTIONS)] for _ in range(TASKS)]
        lengths = [chance.randint(1, 150) if chance.random() < 0.3 else None for _ in range(TASKS)]
        self.cancelled_at = [length and length * BEAT + TASKS + 0.25 for length in lengths]

    def action(self, chance):
        limit = chance.randint(1, 5) * BEAT + 0.5 if chance.random() < 0.5 else None
        return chance.choice(self.operations), limit, chance.randint(1, 4)


async def play(script: Script, own: int, world, trace: list) -> None:
    """One task of a script, in a world that has objects and time."""
    for number, (operation, limit, pause) in enumerate(script.tasks[own]):
        # To its next beat.
        beats = int(world.now()) // BEAT + pause
        await world.sleep_until(beats * BEAT + own)
        try:
            async with world.limit(limit) as scope:
                result = await world.act(operation, (own, number))
            outcome = "late" if scope() else result
        except world.refusals as refusal:
            outcome = type(refusal).__name__
        trace.append((world.now(), own, operation, outcome))


class World:
    """The objects of a script: `lock`, `semaphore`, `condition` and `event`; `put` and `get` of a
    queue; and `sleep`."""

    refusals = (ValueError,)

    async def act(self, operation, item):
        if operation == "lock":
            async with self.lock:
                await self.sleep(BEAT)
        elif operation == "acquire":
            await self.semaphore.acquire()
        elif operation == "release":
            self.semaphore.release()
        elif operation == "put":
            await self.put(item)
        elif operation == "get":
            return await self.get()
        elif operation == "wait":
            async with self.condition:
                await self.condition.wait()
        elif operation == "notify":
            async with self.condition:
                self.condition.notify(2)
        elif operation == "await":
            await self.event.wait()
        else:
            getattr(self.event, operation)()


# ---- asyncio, and pirn's objects in its place ----


class VirtualSelector(selectors.DefaultSelector):
    """Nothing is ever ready: time passes instead."""

    passed = 0.0

    def select(self, timeout=None):
        self.passed += timeout or 0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-9

    def time(self):
        return round(self._virtual.passed, 3)


class Asyncio(World):
    def __init__(self, script: Script, of):
        self.lock, self.event, self.condition = of.Lock(), of.Event(), of.Condition()
        self.semaphore = of.BoundedSemaphore(script.units)
        queue = getattr(of, script.queue)(script.capacity)
        self.put, self.get, self.sleep = queue.put, queue.get, asyncio.sleep

    def now(self):
        return asyncio.get_running_loop().time()

    async def sleep_until(self, when):
        await asyncio.sleep(when - self.now())

    @contextlib.asynccontextmanager
    async def limit(self, seconds):
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                yield scope.expired
        except TimeoutError:
            pass

    @classmethod
    def trace(cls, script: Script, of=asyncio) -> list:
        async def main():
            world, loop = cls(script, of), asyncio.get_running_loop()
            tasks = [loop.create_task(play(script, own, world, trace)) for own in range(TASKS)]
            for task, when in zip(tasks, script.cancelled_at):
                if when:
                    loop.call_at(when, task.cancel)
            await asyncio.sleep(1000 * BEAT)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        trace: list = []
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())
        return trace


# ---- trio ----


class Trio(World):
    # It has no queue of another order, and no event that can be cleared.
    queues, operations = QUEUES[:1], OPERATIONS[:-1]

    def __init__(self, script: Script):
        import trio

        self.trio = trio
        self.lock, self.event, self.condition = trio.Lock(), trio.Event(), trio.Condition()
        self.semaphore = trio.Semaphore(script.units, max_value=script.units)
        sender, receiver = trio.open_memory_channel(script.capacity)
        self.put, self.get, self.sleep = sender.send, receiver.receive, trio.sleep

    def now(self):
        return round(self.trio.current_time(), 3)

    async def sleep_until(self, when):
        await self.trio.sleep_until(when)

    @contextlib.asynccontextmanager
    async def limit(self, seconds):
        scope = self.trio.CancelScope()
        if seconds is not None:
            scope.deadline = self.trio.current_time() + seconds
        with scope:
            yield lambda: scope.cancelled_caught

    @classmethod
    def trace(cls, script: Script) -> list:
        import trio
        import trio.testing

        async def main():
            world = cls(script)
            async with trio.open_nursery() as nursery:
                scopes = [trio.CancelScope() for _ in range(TASKS)]
                for own, scope in enumerate(scopes):

                    async def run(own=own, scope=scope):
                        with scope:
                            await play(script, own, world, trace)

                    if script.cancelled_at[own]:
                        scope.deadline = script.cancelled_at[own]
                    nursery.start_soon(run)
                await trio.sleep(1000 * BEAT)
                nursery.cancel_scope.cancel()

        trace: list = []
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(main, clock=clock)
        return trace


# ---- the comparison ----


def instant(action) -> tuple:
    return action[:2]


def first_difference(one: list, other: list) -> str:
    for ours, theirs in zip(one, other):
        if ours != theirs:
            return f"{ours} and {theirs}"
    return f"{len(one)} and {len(other)} actions"


def differs(name: str, seed: int, ours: list, theirs: list) -> bool:
    if ours != theirs:
        print(f"seed {seed}: pirn and {name} differ: {first_difference(ours, theirs)}")
    return ours != theirs


def main() -> int:
    objects.open_library(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    has_trio = importlib.util.find_spec("trio") is not None
    actions = 0
    for seed in range(first, first + count):
        script = Script(seed)
        ours = Asyncio.trace(script, objects)
        if differs("asyncio", seed, ours, Asyncio.trace(script)):
            return 1
        actions += len(ours)
        if has_trio:
            script = Script(seed, Trio.operations, Trio.queues)
            # In trio those who were not kept waiting yield too: only the instants are the same.
            ours, theirs = Asyncio.trace(script, objects), Trio.trace(script)
            if differs("trio", seed, sorted(ours, key=instant), sorted(theirs, key=instant)):
                return 1
    others = "asyncio and trio" if has_trio else "asyncio (skipped: trio, which is not installed)"
    print(f"seed {first}: {count} scripts, {actions} actions as with {others}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
