"""The peers: where each is found, and how its executable is built. Nothing is installed."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
BUILD = HERE / "build"

C_FLAGS = "-std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -pthread".split()
# Every symbol is bound before main: no peer is charged for looking up its own functions.
LINK_FLAGS = ["-Wl,-z,now"]


@dataclass
class Peer:
    name: str
    package: str  # what has to be there, for the message when it is not
    headers: list[str] = field(default_factory=list)
    pkg_config: str = ""
    libraries: list[str] = field(default_factory=list)
    rust: bool = False
    is_limit: bool = False  # hand-written, not a library
    workloads: tuple[str, ...] = ()  # takes part in these alone; empty: in all

    @property
    def executable(self) -> Path:
        return BUILD / self.name

    @property
    def is_pirn(self) -> bool:
        return self.name.startswith("pirn")

    def takes_part(self, arguments: tuple[str, ...]) -> bool:
        return not self.workloads or arguments[0] in self.workloads


# Where it matters what the loop asks the kernel with.
BACKEND_WORKLOADS = ("dispatch", "idle", "lateness")

# Static libraries where there are any, as programs that count instructions would link them.
PEERS = [
    Peer("raw", "", is_limit=True),
    Peer("wheel", "", is_limit=True),
    Peer("libev", "Debian package libev-dev", ["ev.h"], libraries=["-l:libev.a", "-lm"]),
    Peer("libuv", "Debian package libuv1-dev", ["uv.h"], libraries=["-l:libuv_a.a", "-ldl", "-lrt"]),
    Peer("libevent", "Debian package libevent-dev", ["event2/event.h"], libraries=["-l:libevent.a", "-l:libevent_pthreads.a"]),
    Peer("libuev", "Debian package libuev-dev", ["uev/uev.h"], libraries=["-l:libuev.a"]),
    Peer("sd-event", "Debian package libsystemd-dev", ["systemd/sd-event.h"], libraries=["-lsystemd"]),
    Peer("glib", "Debian package libglib2.0-dev", ["glib.h"], pkg_config="glib-2.0"),
    Peer("mio", "crate mio", rust=True),
    Peer("polling", "crate polling", rust=True),
    Peer("calloop", "crate calloop", rust=True),
    Peer("pirn", "cargo"),
    Peer("pirn-poll", "cargo", workloads=BACKEND_WORKLOADS),
    Peer("pirn-select", "cargo", workloads=BACKEND_WORKLOADS),
    Peer("pirn-rust", "crate pirn", rust=True),
]


def run(command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)


def flags_of(peer: Peer) -> list[str]:
    if not peer.pkg_config:
        return peer.libraries
    return run(["pkg-config", "--cflags", "--libs", peer.pkg_config]).stdout.split()


def probe(peer: Peer) -> str:
    """Says what is missing; empty if the peer is there."""
    if peer.is_pirn or peer.rust:
        return "" if shutil.which("cargo") else "not found"
    if peer.pkg_config and run(["pkg-config", "--exists", peer.pkg_config]).returncode != 0:
        return "not found"
    if not peer.headers:
        return ""
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "probe.c"
        source.write_text("".join(f"#include <{header}>\n" for header in peer.headers) + "int main(void) { return 0; }\n")
        linked = run(["cc", source, "-o", Path(directory) / "probe", *flags_of(peer)])
    return "" if linked.returncode == 0 else "not found"


def cargo_target(workspace: Path) -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or workspace / "target")


def build_c(peer: Peer, pirn_library: str) -> str:
    libraries = flags_of(peer)
    if peer.is_pirn:
        if not pirn_library:
            built = run(["cargo", "build", "--quiet", "--release", "-p", "pirn-capi"], cwd=ROOT)
            if built.returncode != 0:
                return built.stderr
        libraries = [f"-I{ROOT / 'include'}", pirn_library or cargo_target(ROOT) / "release" / "libpirn.a"]
    command = ["cc", *C_FLAGS, HERE / "adapters" / f"{peer.name}.c", "-o", peer.executable, *LINK_FLAGS, *libraries]
    built = run(command)
    return built.stderr if built.returncode != 0 else ""


def build_rust(peer: Peer) -> str:
    workspace = HERE / "rust"
    features = ["--features", "pirn"] if peer.name == "pirn-rust" else []
    built = run(["cargo", "build", "--quiet", "--release", *features, "--bin", peer.name], cwd=workspace)
    if built.returncode != 0:
        return built.stderr
    shutil.copy(cargo_target(workspace) / "release" / peer.name, peer.executable)
    return ""


def build_tools() -> None:
    for command in (
        ["cc", *C_FLAGS, HERE / "client.c", "-o", BUILD / "client"],
        ["cc", *C_FLAGS, HERE / "without_auxv.c", "-o", BUILD / "without_auxv"],
        ["cc", *C_FLAGS, HERE / "without_pwait2.c", "-o", BUILD / "without_pwait2"],
        ["cc", *C_FLAGS, "-fPIC", "-shared", HERE / "allocations.c", "-o", BUILD / "allocations.so"],
    ):
        run(command).check_returncode()


def find_and_build(wanted: list[str], pirn_library: str) -> list[Peer]:
    """Builds every wanted peer that is there, and says what became of the others."""
    BUILD.mkdir(exist_ok=True)
    build_tools()
    found = []
    for peer in PEERS:
        if wanted and peer.name not in wanted:
            continue
        missing = probe(peer)
        if missing:
            print(f"not found, skipped: {peer.name} ({peer.package})")
            continue
        error = build_rust(peer) if peer.rust else build_c(peer, pirn_library)
        if error:
            print(f"does not build, skipped: {peer.name} ({peer.package}):\n    " + "\n    ".join(error.strip().splitlines()[-8:]))
            continue
        found.append(peer)
    print("peers: " + ", ".join(peer.name for peer in found), flush=True)
    return found


def versions(peers: list[Peer]) -> dict[str, str]:
    """As the package manager or the lock file says."""
    told = {}
    for peer in peers:
        if peer.package.startswith("Debian package "):
            package = peer.package.removeprefix("Debian package ")
            told[peer.name] = run(["dpkg-query", "-W", "-f", "${Version}", package]).stdout if shutil.which("dpkg-query") else ""
        elif peer.package.startswith("crate "):
            lock = (HERE / "rust" / "Cargo.lock").read_text().split("[[package]]")
            name = f'name = "{peer.package.removeprefix("crate ")}"'
            told[peer.name] = next((entry.split('version = "')[1].split('"')[0] for entry in lock if name in entry), "")
        elif peer.name == "pirn":
            told[peer.name] = run(["git", "-C", ROOT, "describe", "--always", "--dirty"]).stdout.strip()
    return told
