"""The peers: where each is found, and how its executable is built. Nothing is installed."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
BUILD = HERE / "build"
LOAD = ROOT / "c-examples" / "load.c"
RUST = HERE / "rust"

C_FLAGS = (
    "-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-unused-function "
    f"-pthread -I{ROOT}/include"
).split()
# Every symbol is bound before main: no peer is charged for looking up its own functions.
LINK_FLAGS = ["-Wl,-z,now"]


@dataclass(frozen=True)
class Peer:
    name: str
    origin: str  # "package NAME" of Debian, "crate NAME", "pirn", or "" for the hand-written ones
    libraries: str = ""
    workloads: tuple[str, ...] = ()  # takes part in these alone; empty: in all

    @property
    def executable(self) -> Path:
        return BUILD / self.name

    @property
    def is_limit(self) -> bool:
        return not self.origin

    @property
    def is_pirn(self) -> bool:
        return self.name.startswith("pirn")

    def takes_part(self, arguments: tuple[str, ...]) -> bool:
        return not self.workloads or arguments[0] in self.workloads


# Where it matters what the loop asks the kernel with.
BACKEND_WORKLOADS = ("dispatch", "idle", "lateness", "periodic")

# What the Rust face differs in from the C face.
FACE_WORKLOADS = "dispatch idle register timers expire tasks posts pingpong".split()

# Static libraries where there are any, as programs that count instructions would link them.
PEERS = [
    Peer("raw", ""),
    Peer("wheel", "", workloads=("timers", "expire")),
    Peer("libev", "package libev-dev", "-l:libev.a -lm"),
    Peer("libuv", "package libuv1-dev", "-l:libuv_a.a -ldl -lrt"),
    Peer("libevent", "package libevent-dev", "-l:libevent.a -l:libevent_pthreads.a"),
    Peer("libuev", "package libuev-dev", "-l:libuev.a"),
    Peer("sd-event", "package libsystemd-dev", "-lsystemd"),
    Peer("mio", "crate mio"),
    Peer("polling", "crate polling"),
    Peer("pirn", "pirn"),
    Peer("pirn-poll", "pirn", workloads=BACKEND_WORKLOADS),
    Peer("pirn-select", "pirn", workloads=BACKEND_WORKLOADS),
    Peer("pirn-rust", "crate pirn", workloads=tuple(FACE_WORKLOADS)),
]


def run(*command, **options) -> subprocess.CompletedProcess:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, **options)


def must_run(*command, **options) -> str:
    done = run(*command, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stderr}")
    return done.stdout


def cargo_target(workspace: Path) -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or workspace / "target")


def is_there(peer: Peer) -> bool:
    """True if what the peer's adapter needs is installed."""
    if peer.origin.startswith("package "):
        package = peer.origin.split()[1]
        return run("dpkg", "-s", package).returncode == 0 if shutil.which("dpkg") else True
    return not peer.origin or shutil.which("cargo") is not None


def build(peer: Peer, pirn_library: str) -> str:
    """Returns the compiler's complaint; empty if there is none."""
    libraries = peer.libraries.split()
    if peer.origin == "pirn":
        libraries = [pirn_library or cargo_target(ROOT) / "release" / "libpirn.a"]
    elif peer.origin.startswith("crate "):
        libraries = [cargo_target(RUST) / "release" / "libpeers.a", "-ldl"]
    source = HERE / "adapters" / f"{peer.name}.c"
    output = ["-o", peer.executable, *LINK_FLAGS, *libraries]
    return run("cc", *C_FLAGS, source, BUILD / "load.o", *output).stderr


def find_and_build(wanted: list[str], pirn_library: str) -> list[Peer]:
    """Builds every wanted peer that is there, and says what became of the others."""
    BUILD.mkdir(exist_ok=True)
    must_run("cc", *C_FLAGS, "-c", LOAD, "-o", BUILD / "load.o")
    must_run("cc", *C_FLAGS, HERE / "without_auxv.c", "-o", BUILD / "without_auxv")
    shared = ["-fPIC", "-shared", HERE / "allocations.c", "-o", BUILD / "allocations.so"]
    must_run("cc", *C_FLAGS, *shared)
    peers = [peer for peer in PEERS if not wanted or peer.name in wanted]
    if any(peer.origin == "pirn" for peer in peers) and not pirn_library:
        must_run("cargo", "build", "--quiet", "--release", "-p", "pirn-capi", cwd=ROOT)
    if any(peer.origin.startswith("crate ") for peer in peers):
        must_run("cargo", "build", "--quiet", "--release", cwd=RUST)
    found = []
    for peer in peers:
        complaint = "not found" if not is_there(peer) else build(peer, pirn_library)
        if complaint:
            print(f"skipped: {peer.name} ({peer.origin}): {complaint.strip()}")
        else:
            found.append(peer)
    print("peers: " + ", ".join(peer.name for peer in found), flush=True)
    return found


def version(peer: Peer) -> str:
    """As the package manager, the lock file or git says."""
    kind, _, name = peer.origin.partition(" ")
    if kind == "package" and shutil.which("dpkg-query"):
        return run("dpkg-query", "-W", "-f", "${Version}", name).stdout
    if kind == "crate":
        lock = (RUST / "Cargo.lock").read_text().split(f'name = "{name}"\nversion = "')
        return lock[1].split('"')[0] if len(lock) > 1 else ""
    return run("git", "-C", ROOT, "describe", "--always", "--dirty").stdout.strip() if kind else ""
