# gdb commands for fibers: what each of them waits for, and its backtrace.
#
#   (gdb) source tools/gdb/pirn.py
#   (gdb) pirn fibers              all fibers of all hubs that are global variables
#   (gdb) pirn fibers &hub         those of one hub
#   (gdb) pirn bt 2                the backtrace of the fiber with this number in the list
#   (gdb) pirn bt all
#
# Works with a live process and with a core file; backtraces on the machines of FRAMES. The program
# has to be compiled with -g, and with a file that includes pirn/fiber.h.

import gdb
import gdb.unwinder

# What a switch leaves on the stack: for each machine the registers from the stack pointer on, in
# words, None where there is none; the register that holds the address to continue at; and how many
# words the frame has.
FRAMES = {
    "i386:x86-64": (["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"], "rip", "rsp", 7),
    "i386": (["edi", "esi", "ebx", "ebp", "eip"], "eip", "esp", 5),
    "aarch64": (
        ["x29", "pc"] + ["x%d" % number for number in range(19, 29)] + [None] * 8,
        "pc", "sp", 20,
    ),
    "riscv:rv64": (
        ["pc"] + ["s%d" % number for number in range(12)] + [None] * 13,
        "pc", "sp", 26,
    ),
}

# The numbers of the kinds, PIRN_FOR_... in the headers.
WAITS = {
    1: "to be woken", 2: "for an fd", 3: "for a fiber", 4: "for a group", 5: "for a pool",
    16: "for an event", 17: "for a mutex", 18: "for a semaphore", 19: "for a condition",
    20: "for a barrier", 21: "for a queue", 24: "for work",
}


def hubs(expression):
    """The hubs that an expression names; without one, those among the global variables."""
    if expression:
        value = gdb.parse_and_eval(expression)
        return [value if value.type.code == gdb.TYPE_CODE_PTR else value.address]
    found = []
    lines = gdb.execute("info variables -q -t ^struct.pirn_hub$", to_string=True).splitlines()
    for line in lines:
        if line.rstrip().endswith(";"):
            name = line.rstrip().rstrip(";").split()[-1].lstrip("*")
            found.append(gdb.parse_and_eval("&" + name))
    return found


def fibers(expression=""):
    """The live fibers of some hubs, as pointers."""
    kind = gdb.lookup_type("struct pirn_fiber").pointer()
    for hub in hubs(expression):
        fiber = hub["fibers_"].cast(kind)
        while int(fiber) != 0:
            yield hub, fiber
            fiber = fiber["next_"]


def waiting_for(waiter):
    """What a waiter waits for, in words."""
    kind = waiter["kind_"]
    number = int(kind["number"]) if int(kind) != 0 else 0
    text = WAITS.get(number, "for kind %d" % number)
    target = waiter["object_"]
    if number == 2:
        port = target.cast(gdb.lookup_type("struct pirn_port").pointer())
        text = "for fd %d" % int(port["fd"])
    elif int(target) != 0:
        text += " at %#x" % int(target)
    return text


def describe(hub, fiber):
    """One line about a fiber."""
    waiter = fiber["waiter_"]
    state = int(waiter["state_"]) & 3
    if int(hub["running_"]) == int(fiber):
        text = "runs"
    elif state == 2:
        text = "is ready"
    else:
        text = "waits " + waiting_for(waiter)
    name = fiber["name"].string() if int(fiber["name"]) != 0 else "-"
    stack = fiber["stack_"]
    used = int(stack["top_"]) - int(fiber["pointer_"])
    size = int(stack["top_"]) - int(stack["lowest_"])
    return "%s %#x %s, %d of %d bytes of stack" % (name, int(fiber), text, used, size)


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Unwinder(gdb.unwinder.Unwinder):
    """Puts the frame in which a fiber waits in the place of the innermost one."""

    sp = None

    def __init__(self):
        super().__init__("pirn fibers")

    def __call__(self, pending):
        if Unwinder.sp is None or pending.level() != 0:
            return None
        registers, pc, stack_pointer, size = FRAMES[pending.architecture().name()]
        word = gdb.lookup_type("unsigned long")
        words = gdb.Value(Unwinder.sp).cast(word.pointer())
        values = {name: words[at] for at, name in enumerate(registers) if name}
        sp = gdb.Value(Unwinder.sp).cast(word)
        info = pending.create_unwind_info(FrameId(sp, values[pc]))
        for name, value in values.items():
            info.add_saved_register(name, value)
        info.add_saved_register(stack_pointer, sp + size * word.sizeof)
        return info


gdb.unwinder.register_unwinder(None, Unwinder(), True)


def backtrace(hub, fiber):
    """Prints the backtrace of a fiber."""
    machine = gdb.selected_inferior().architecture().name()
    if int(hub["running_"]) != int(fiber):
        if machine not in FRAMES:
            raise gdb.GdbError("on %s fibers that wait have no backtrace" % machine)
        Unwinder.sp = int(fiber["pointer_"])
    gdb.invalidate_cached_frames()
    try:
        gdb.execute("backtrace")
    finally:
        Unwinder.sp = None
        gdb.invalidate_cached_frames()


class Pirn(gdb.Command):
    """Looks at the fibers of pirn: pirn fibers [HUB], pirn bt NUMBER|all [HUB]"""

    def __init__(self):
        super().__init__("pirn", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if words[:1] == ["fibers"]:
            for number, (hub, fiber) in enumerate(fibers("".join(words[1:]))):
                print("#%d %s" % (number, describe(hub, fiber)))
        elif words[:1] == ["bt"] and len(words) == 2:
            which, _, expression = words[1].partition(" ")
            for number, (hub, fiber) in enumerate(fibers(expression)):
                if which in ("all", str(number)):
                    print("#%d %s" % (number, describe(hub, fiber)))
                    backtrace(hub, fiber)
        else:
            raise gdb.GdbError(self.__doc__)


Pirn()
