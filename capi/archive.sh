#!/bin/sh
# Makes libpirn.a: the core, and each layer as a separate member, which the linker takes only for a
# program if it calls it. `make` calls this, and installs what it makes.
#
#   capi/archive.sh OUT [option of cargo]...    writes OUT/libpirn.a
#
# The options are those of the core's build, for example --no-default-features --features epoll.
# PROFILE (release) and TARGET (this machine) hold for the layers too. CARGO, CARGO_TARGET_DIR and
# AR as usual.
set -eu

# All layers: each is the package pirn-NAME in crates/NAME, with the header include/pirn/NAME.h
# and the functions that crates/NAME/symbols.txt lists.
LAYERS="os wait fiber sync work"
# Without an operating system there are those that make no system call. A microcontroller's library:
#   TARGET=thumbv7em-none-eabi capi/archive.sh OUT --no-default-features --features host
case ${TARGET:-} in
    *-none-*) LAYERS="wait fiber sync" ;;
esac

CARGO=${CARGO:-cargo}
AR=${AR:-ar}
PROFILE=${PROFILE:-release}
out=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
made=$target/${TARGET:+$TARGET/}$PROFILE

build() {
    "$CARGO" rustc --quiet --manifest-path "$root/Cargo.toml" --target-dir "$target" \
        --profile "$PROFILE" ${TARGET:+--target "$TARGET"} --crate-type staticlib "$@"
}

# GNU ar complains, on standard output, of members that hold another LLVM's bitcode, and works all
# the same: what it says is shown only if it fails.
archiver() {
    (cd "$work" && "$AR" "$@") > "$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
}

# Adds the object of a crate. Fat LTO makes one object of the crate and of all it uses. The other
# members of cargo's archive (4 MB) are those of the Rust libraries: no object of pirn needs them,
# and some of them clash with a statically linked C library.
member() {
    cp "$made/lib$1.a" "$work/all.a"
    archiver t all.a
    name=$(grep "^$1-.*\.o\$" "$work/said")
    archiver x all.a "$name"
    mv "$work/$name" "$work/$1.o"
    archiver rcs libpirn.a "$1.o"
}

mkdir -p "$out"
work=$(mktemp -d "$out/archive.XXXXXX")
trap 'rm -rf "$work"' EXIT
build --package pirn-capi "$@"
member pirn
for layer in $LAYERS; do
    build --package "pirn-$layer" --no-default-features --features artifact
    member "pirn_$layer"
done
# An archive that has not changed keeps its time, so that make links nothing again.
cmp -s "$work/libpirn.a" "$out/libpirn.a" || mv "$work/libpirn.a" "$out/libpirn.a"
