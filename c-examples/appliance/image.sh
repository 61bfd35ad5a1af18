#!/bin/sh
# Makes the initial file system of the appliance, and fetches Debian's kernel for it.
#
#   image.sh PROGRAM OUT      writes OUT/vmlinuz and OUT/initrd.gz, with PROGRAM as /init
#
# The kernel is the newest of Debian's package linux-image-cloud-amd64 (KERNEL_PACKAGE), downloaded
# by apt-get but not installed, and kept in OUT/kernel. KERNEL=DIRECTORY takes an unpacked package
# that is there already. Needs cpio, gzip, dpkg-deb and objcopy.
set -eu

# What the appliance loads. What these depend on is added.
MODULES="virtio_pci virtio_net softdog"

program=$1 out=$2
mkdir -p "$out"
out=$(cd "$out" && pwd)

kernel=${KERNEL:-$out/kernel}
if [ ! -d "$kernel/boot" ]; then
    package=${KERNEL_PACKAGE:-linux-image-cloud-amd64}
    # That package is empty, and depends on the one with the kernel, whose name has the version.
    real=$(apt-cache depends "$package" |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -1)
    rm -rf "$out/download" && mkdir -p "$out/download"
    (cd "$out/download" && apt-get download -q "${real:-$package}" >&2)
    rm -rf "$kernel.new" && mkdir "$kernel.new"
    dpkg-deb -x "$out"/download/*.deb "$kernel.new"
    rm -rf "$out/download" "$kernel"
    mv "$kernel.new" "$kernel"
fi

root=$out/root
rm -rf "$root"
mkdir -p "$root/modules" "$root/dev" "$root/proc" "$root/sys" "$root/run"
cp "$program" "$root/init"
chmod 755 "$root/init"

# Each module after those that it names in its section .modinfo. One that is not there is built in.
load() {
    [ -e "$root/modules/$1.ko" ] && return
    file=$(find "$kernel" -name "$1.ko*" -o -name "$(echo "$1" | tr _ -).ko*" | head -1)
    [ -n "$file" ] || return 0
    case $file in
        *.xz) xz -dc "$file" > "$root/modules/$1.ko" ;;
        *.zst) zstd -dcq "$file" > "$root/modules/$1.ko" ;;
        *) cp "$file" "$root/modules/$1.ko" ;;
    esac
    for needed in $(objcopy -O binary --only-section=.modinfo "$root/modules/$1.ko" /dev/stdout |
        tr '\0' '\n' | sed -n 's/^depends=//p' | tr ',' ' '); do
        load "$needed"
    done
    echo "$1.ko" >> "$root/modules/order"
}
for module in $MODULES; do
    load "$module"
done

cp "$kernel"/boot/vmlinuz-* "$out/vmlinuz"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) |
    gzip -9n > "$out/initrd.gz"
