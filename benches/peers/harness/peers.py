"""The peers: where each is found, and how its executable is built. Nothing is installed."""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
BUILD = HERE / "build"
RUST = HERE / "rust"

# Every symbol is bound before main: no peer is charged for looking up its own functions.
C_FLAGS = (
    "-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-unused-function "
    f"-pthread -I{ROOT}/include -Wl,-z,now"
).split()


@dataclass(frozen=True)
class Peer:
    name: str
    # "package NAME" of Debian, "crate NAME", "pirn", "pirn layers", or "" for the hand-written ones
    origin: str
    libraries: str = ""
    workloads: str = ""  # takes part in these alone; empty: in all of loops but "million"
    adapter: str = ""  # if it is not named like the peer, and with flags for the compiler

    @property
    def executable(self) -> Path:
        return BUILD / self.name

    @property
    def is_library(self) -> bool:
        """False for pirn itself and for what is no library but a limit."""
        return self.origin not in ("", "pirn", "pirn layers", "crate pirn")

    def takes_part(self, arguments: tuple[str, ...]) -> bool:
        chosen = self.workloads.split()
        others = ["million", *PIRN_FIBERS.split(), *TASKS.split(), WORK]
        return arguments[0] in chosen if chosen else arguments[0] not in others


# Where it matters what the loop asks the kernel with, and where the faces differ.
BACKENDS = "dispatch idle lateness periodic"
FACES = "dispatch idle register timers expire tasks posts pingpong"
# Static libraries where there are any, as programs that count instructions would link them.
PEERS = [
    Peer("raw", "", adapter='raw -DSCHEDULE="heap.h"'),
    Peer("wheel", "", workloads="timers expire", adapter='raw -DSCHEDULE="wheel.h"'),
    Peer("libev", "package libev-dev", "-l:libev.a -lm"),
    Peer("libuv", "package libuv1-dev", "-l:libuv_a.a -ldl -lrt"),
    Peer("libevent", "package libevent-dev", "-l:libevent.a -l:libevent_pthreads.a"),
    Peer("libuev", "package libuev-dev", "-l:libuev.a"),
    Peer("sd-event", "package libsystemd-dev", "-lsystemd"),
    Peer("mio", "crate mio", adapter="readiness -DFACE(function)=mio_##function"),
    Peer("polling", "crate polling", adapter="readiness -DFACE(function)=polling_##function"),
    Peer("pirn", "pirn"),
    Peer("pirn-poll", "pirn", "", BACKENDS, "pirn -DBACKEND=PIRN_BACKEND_POLL"),
    Peer("pirn-select", "pirn", "", BACKENDS, "pirn -DBACKEND=PIRN_BACKEND_SELECT"),
    Peer("pirn-host", "pirn", workloads="million"),
    Peer("pirn-rust", "crate pirn", workloads=FACES),
]
# Programs that wait: fibers.h.
SWITCHES = "switch spawn"
FIBERS = f"{SWITCHES} handover wake roundtrips footprint"
PIRN_FIBERS = f"{FIBERS} callbacks"
FIBER_PEERS = [
    Peer("pirn-fiber", "pirn layers", workloads=PIRN_FIBERS),
    Peer("context", "package libboost-context1.74-dev", "-l:libboost_context.a", SWITCHES),
    Peer("state-threads", "package libst-dev", "-l:libst.a -Wl,-z,noexecstack", FIBERS),
    Peer("pth", "package libpth-dev", "-l:libpth.a", FIBERS),
    Peer("threads", "", workloads=FIBERS),
]
# Tasks and work: adapters/pirn-tasks.c and adapters/pirn-work.c. The gate alone counts them.
TASKS = "yields items"
WORK = "work"
OWN_PEERS = [
    Peer("pirn-tasks", "crate pirn", workloads=TASKS),
    Peer("pirn-work", "pirn layers", workloads=WORK),
]


def run(*command, **options) -> subprocess.CompletedProcess:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, **options)


def must_run(*command, **options) -> None:
    done = run(*command, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stderr}")


def cargo_target(workspace: Path) -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or workspace / "target") / "release"


def build(peer: Peer, pirn_library: str) -> str:
    """Returns why the peer cannot be built; empty if it was."""
    kind, _, name = peer.origin.partition(" ")
    if kind == "package" and shutil.which("dpkg") and run("dpkg", "-s", name).returncode != 0:
        return "not found"
    libraries = peer.libraries.split()
    if kind == "pirn":
        built = BUILD / "layers" if name else cargo_target(ROOT)
        libraries = [pirn_library or built / "libpirn.a"]
    elif kind == "crate":
        libraries = [cargo_target(RUST) / "libpeers.a", "-ldl"]
    adapter, *flags = (peer.adapter or peer.name).split()
    sources = [HERE / "adapters" / f"{adapter}.c", BUILD / "load.o"]
    return run("cc", *C_FLAGS, *flags, *sources, "-o", peer.executable, *libraries).stderr


def find_and_build(wanted: list[str], pirn_library: str = "") -> list[Peer]:
    """Builds every wanted peer that is there, and says what became of the others."""
    BUILD.mkdir(exist_ok=True)
    must_run("cc", *C_FLAGS, "-c", ROOT / "c-examples" / "load.c", "-o", BUILD / "load.o")
    peers = [peer for peer in PEERS + FIBER_PEERS + OWN_PEERS if peer.name in wanted]
    peers = peers or PEERS
    origins = {peer.origin for peer in peers if not pirn_library}
    if "pirn" in origins:
        must_run("cargo", "build", "--quiet", "--release", "-p", "pirn-capi", cwd=ROOT)
    if "pirn layers" in origins:
        must_run(ROOT / "capi" / "archive.sh", BUILD / "layers")
    rust = ""
    if any(peer.origin.startswith("crate") for peer in peers):
        rust = run("cargo", "build", "--quiet", "--release", cwd=RUST).stderr
    found = []
    for peer in peers:
        complaint = peer.origin.startswith("crate") and rust or build(peer, pirn_library)
        if complaint:
            print(f"skipped: {peer.name} ({peer.origin}): {complaint}")
        else:
            found.append(peer)
    return found


# ---- with what something was measured ----


def version(peer: Peer) -> str:
    kind, _, name = peer.origin.partition(" ")
    if kind == "package" and shutil.which("dpkg-query"):
        return run("dpkg-query", "-W", "-f", "${Version}", name).stdout
    lock = (RUST / "Cargo.lock").read_text()
    found = re.search(f'name = "{name}"\nversion = "(.*)"', lock) if kind == "crate" else None
    return found[1] if found else ""


def compiler_version(name: str) -> str:
    return run(name, "--version").stdout.splitlines()[0]


def about(command: str, peers: list[Peer] = []) -> str:
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = [f"{peer.name} {version(peer)}" for peer in peers if peer.is_library]
    versions.append("pirn " + run("git", "-C", ROOT, "describe", "--always", "--dirty").stdout)
    return (
        f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} processors, Linux "
        f"{platform.release()}, load {os.getloadavg()[0]:.2f} at the beginning. "
        f"{compiler_version('cc')}. {compiler_version('rustc')}. {', '.join(versions).strip()}. "
        f"`{command}`, {time.strftime('%Y-%m-%d %H:%M')}."
    )
