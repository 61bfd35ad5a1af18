"""Runs CPython's own tests of asyncio's locks and queues, as they are installed with Python, with
pirn's objects in the place of asyncio's.

    python3 cpython.py LIBRARY     exits 1 if a test fails that is not left out below, and 77 if
                                   there are no tests, or those of another version of Python

Debian 12 has the tests in the package libpython3.11-testsuite.
"""

import signal
import sys
import unittest

import objects

VERSIONS = [(3, 11), (3, 12), (3, 13)]
SECONDS = 10

# Why tests are left out, and which. Some are not in every version.
LEFT_OUT = {
    "what Python objects look like": """
        BarrierTests.test_repr ConditionTests.test_repr EventTests.test_repr LockTests.test_repr
        SemaphoreTests.test_repr QueueBasicTests.test_repr QueueBasicTests.test_str
        QueueBasicTests.test_generic_alias LockTests.test_lock_doesnt_accept_loop_parameter
        """,
    "they write to attributes that are private": """
        ConditionTests.test_ambiguous_loops QueueGetTests.test_get_with_putters
        """,
    "a capacity is a whole number": "QueuePutTests.test_float_maxsize",
    "a barrier is ready for its next round before the last one has run": """
        BarrierTests.test_draining_state
        BarrierTests.test_reset_barrier_when_tasks_half_draining
        BarrierTests.test_reset_barrier_when_tasks_half_draining_half_blocking
        BarrierTests.test_reset_barrier_while_tasks_draining
        """,
    "a barrier is broken by a party that leaves, and by nothing else": """
        BarrierTests.test_filling_tasks_cancel_one BarrierTests.test_abort_barrier
        BarrierTests.test_abort_barrier_when_exception
        BarrierTests.test_abort_barrier_when_exception_then_resetting
        BarrierTests.test_abort_barrier_when_tasks_half_draining_half_blocking
        """,
    "what was granted stays granted: a unit that is free does not wait until others have run, an "
    "item that was accepted is in the queue, and a waiter that was notified is not cancelled": """
        SemaphoreTests.test_acquire_fifo_order_2 QueuePutTests.test_put_cancel_drop
        ConditionTests.test_wait_cancel_after_notify
        ConditionTests.test_cancelled_error_re_aquire SemaphoreTests.test_acquire_fifo_order_4
        """,
}


def cases(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from cases(test)
        else:
            yield ".".join(test.id().split(".")[-2:]), test


def on_alarm(*_):
    raise TimeoutError(f"more than {SECONDS} seconds")


def complaint(test) -> str:
    """Runs a test. Returns the last line of what it complains of; empty if it passes."""
    result = unittest.TestResult()
    signal.alarm(SECONDS)
    try:
        test.run(result)
    except TimeoutError as error:
        return str(error)
    finally:
        signal.alarm(0)
    complaints = result.failures + result.errors
    return complaints[0][1].strip().splitlines()[-1] if complaints else ""


def main() -> int:
    if sys.version_info[:2] not in VERSIONS:
        print(f"skipped: the tests of Python {sys.version.split()[0]} are not known")
        return 77
    try:
        import test.test_asyncio.test_locks as locks
        import test.test_asyncio.test_queues as queues
    except ImportError as error:
        print(f"skipped: no tests ({error})")
        return 77
    objects.open_library(sys.argv[1])
    signal.signal(signal.SIGALRM, on_alarm)
    load = unittest.defaultTestLoader.loadTestsFromModule
    tests = dict(case for module in (locks, queues) for case in cases(load(module)))
    for name in " ".join(LEFT_OUT.values()).split():
        tests.pop(name, None)
    failed = 0
    with objects.in_place_of_asyncios():
        for name, test in tests.items():
            said = complaint(test)
            if said:
                print(f"{name}: {said}")
                failed += 1
    print(f"{len(tests)} tests of CPython's, {failed} complaints")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
