SUMMARY = "An embeddable event loop without heap and without libc, with a C API"
HOMEPAGE = "https://docs.rs/pirn"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE-MIT;md5=@LICENSE_MIT_MD5@ \
                    file://LICENSE-APACHE;md5=@LICENSE_APACHE_MD5@"

SRC_URI = "@SITE@/pirn-${PV}.tar.xz"
SRC_URI[sha256sum] = "@TARBALL_SHA256@"

# What it is made of is in vendor/ of the tarball. cargo_common gives cargo the target's settings;
# its own configuration would replace the one that names vendor/.
inherit rust-target-config cargo_common
DEPENDS = "cargo-native rust-native"
DEPENDS:append:class-target = " ${RUSTLIB_DEP}"
# It names the directory of the target's own crates, such as core.
export RUSTFLAGS
CARGO_DISABLE_BITBAKE_VENDORING = "1"

EXTRA_OEMAKE = "TARGET=${RUST_HOST_SYS} CARGOFLAGS=--frozen PREFIX=${prefix} LIBDIR=${libdir} \
                INCLUDEDIR=${includedir} DATADIR=${datadir}"

do_compile() {
    oe_cargo_fix_env
    oe_runmake
}

do_install() {
    oe_cargo_fix_env
    oe_runmake install DESTDIR=${D}
}

FILES:${PN}-dev += "${datadir}/pirn/cmake"
BBCLASSEXTEND = "native"
