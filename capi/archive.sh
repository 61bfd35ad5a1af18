#!/bin/sh
# Makes libpirn.a: the core, and each layer as a member of its own, which a program pulls in only
# if it calls it.
#
#   capi/archive.sh OUT [option of cargo]...    writes OUT/libpirn.a
#
# The options are those of the core's build, for example --no-default-features --features epoll.
# PROFILE (release) and TARGET (this machine) hold for the layers too. CARGO, CARGO_TARGET_DIR and
# AR as usual.
set -eu

# All layers: each is the package pirn-NAME in crates/NAME, with the header include/pirn/NAME.h
# and the functions that crates/NAME/symbols.txt lists.
LAYERS="os"

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

build --package pirn-capi "$@"
mkdir -p "$out"
work=$(mktemp -d "$out/archive.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$made/libpirn.a" "$work/libpirn.a"
for layer in $LAYERS; do
    build --package "pirn-$layer" --features artifact
    # Fat LTO makes one object of the crate and of all it uses. The other members are the language's
    # own, which the core's archive has.
    cp "$made/libpirn_$layer.a" "$work/layer.a"
    archiver t layer.a
    member=$(grep "^pirn_$layer-.*\.o\$" "$work/said")
    archiver x layer.a "$member"
    mv "$work/$member" "$work/pirn_$layer.o"
    archiver rs libpirn.a "pirn_$layer.o"
done
# An archive that has not changed keeps its time, so that make links nothing again.
cmp -s "$work/libpirn.a" "$out/libpirn.a" || mv "$work/libpirn.a" "$out/libpirn.a"
