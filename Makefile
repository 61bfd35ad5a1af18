# pirn for C programs: builds and installs the library. Needs cargo, cc, ar and nm.
#
#   make                  builds libpirn.a and libpirn.so
#   make install          installs them with headers, pirn.pc and a CMake package; builds them first
#                         where they are missing or older than the sources
#   make uninstall        removes what `make install` with the same variables has installed
#   make check            all tests: `cargo test --workspace`
#   make check-machines   the C programs on every machine, under qemu-user where it is another one
#   make dist             the source tarball, with all that the library is made of, in target/dist
#   make deb              Debian's packages, of that tarball, in target/deb
#   make clean
#
#   PREFIX=/usr/local LIBDIR=$(PREFIX)/lib INCLUDEDIR=$(PREFIX)/include DATADIR=$(PREFIX)/share
#   DESTDIR=              put before each of them, for those who make packages
#   TARGET=               a target of rustc, to build for another machine, with CC, AR and NM for it
#   PROFILE=release       or small
#   CARGOFLAGS=           for cargo: --no-default-features --features epoll, --offline and the like
#   CARGO, CC, AR, NM, CFLAGS, LDFLAGS as usual; RUSTFLAGS and CARGO_TARGET_DIR are read by cargo

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
CARGO      ?= cargo
AR         ?= ar
NM         ?= nm
PROFILE    ?= release
CARGO_TARGET_DIR ?= target

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml)
# While the major version is 0 a release keeps what the ones before it had: one name for all of
# them.
SONAME := libpirn.so.$(firstword $(subst ., ,$(VERSION)))
SHARED := libpirn.so.$(VERSION)

BUILT := $(abspath $(CARGO_TARGET_DIR))/$(if $(TARGET),$(TARGET)/)$(PROFILE)
OUT   := $(BUILT)/install
SOURCES := Cargo.toml Cargo.lock \
    $(shell find src capi crates -name '*.rs' -o -name Cargo.toml 2>/dev/null)
HEADERS := $(patsubst include/%,%,$(wildcard include/*.h include/*/*.h))

all: $(OUT)/libpirn.a $(OUT)/$(SHARED)

$(OUT)/libpirn.a: $(SOURCES)
	+CARGO='$(CARGO)' AR='$(AR)' PROFILE='$(PROFILE)' TARGET='$(TARGET)' \
	    CARGO_TARGET_DIR='$(abspath $(CARGO_TARGET_DIR))' capi/archive.sh $(OUT) $(CARGOFLAGS)
	@touch $@

# Linked here and not by cargo, because rustc's own list of exported symbols leaves no room for
# versions. The C library is for the machines where pirn calls it; on others it is not needed and
# not named.
$(OUT)/$(SHARED): $(OUT)/libpirn.a
	rm -rf $(OUT)/objects
	mkdir $(OUT)/objects
	cd $(OUT)/objects && $(AR) x ../libpirn.a
	{ echo 'PIRN_0 { global:'; \
	  $(NM) -g --defined-only $< | sed -n 's/^.* T \(pirn_[a-z0-9_]*\)$$/    \1;/p'; \
	  echo 'local: *; };'; } > $(OUT)/pirn.map
	$(CC) $(CFLAGS) -shared -nostdlib -o $@ $(OUT)/objects/*.o \
	    -Wl,-soname,$(SONAME) -Wl,--version-script=$(OUT)/pirn.map \
	    -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,defs $(LDFLAGS) -Wl,--as-needed -lc

# ---- where things go ----

# Below the prefix, so that the whole can be moved; elsewhere as it is.
below = $(patsubst $(PREFIX)/%,$(1)%,$(2))

define PC
prefix=$(PREFIX)
libdir=$(call below,$${prefix}/,$(LIBDIR))
includedir=$(call below,$${prefix}/,$(INCLUDEDIR))

Name: pirn
Description: An embeddable event loop without heap, without libc
Version: $(VERSION)
Libs: -L$${libdir} -lpirn
Cflags: -I$${includedir}
endef
export PC

install: all
	mkdir -p '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(DATADIR)/pirn/cmake'
	cp $(OUT)/libpirn.a $(OUT)/$(SHARED) '$(DESTDIR)$(LIBDIR)'
	chmod 644 '$(DESTDIR)$(LIBDIR)/libpirn.a'
	chmod 755 '$(DESTDIR)$(LIBDIR)/$(SHARED)'
	ln -sf $(SHARED) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SHARED) '$(DESTDIR)$(LIBDIR)/libpirn.so'
	printf '%s\n' "$$PC" > '$(DESTDIR)$(LIBDIR)/pkgconfig/pirn.pc'
	for header in $(HEADERS); do \
	    mkdir -p "$$(dirname '$(DESTDIR)$(INCLUDEDIR)'/$$header)" && \
	    cp include/$$header '$(DESTDIR)$(INCLUDEDIR)'/$$header && \
	    chmod 644 '$(DESTDIR)$(INCLUDEDIR)'/$$header || exit 1; \
	done
	sed -e 's|^set(_pirn_libdir .*|set(_pirn_libdir "$(call below,,$(LIBDIR))")|' \
	    -e 's|^set(_pirn_includedir .*|set(_pirn_includedir "$(call below,,$(INCLUDEDIR))")|' \
	    capi/cmake/pirn-config.cmake > '$(DESTDIR)$(DATADIR)/pirn/cmake/pirn-config.cmake'
	cp capi/cmake/pirn-config-version.cmake '$(DESTDIR)$(DATADIR)/pirn/cmake'
	chmod 644 '$(DESTDIR)$(DATADIR)/pirn/cmake'/* '$(DESTDIR)$(LIBDIR)/pkgconfig/pirn.pc'

# The directories that are pirn's own go too; others' stay.
uninstall:
	-cd '$(DESTDIR)$(LIBDIR)' && rm -f libpirn.a libpirn.so $(SONAME) $(SHARED) pkgconfig/pirn.pc
	-cd '$(DESTDIR)$(INCLUDEDIR)' && rm -f $(HEADERS)
	-cd '$(DESTDIR)$(DATADIR)/pirn' && rm -f $(patsubst capi/%,%,$(wildcard capi/cmake/*))
	-rmdir '$(DESTDIR)$(DATADIR)/pirn/cmake' '$(DESTDIR)$(DATADIR)/pirn' \
	    $(patsubst %,'$(DESTDIR)$(INCLUDEDIR)/%',$(filter-out ./,$(sort $(dir $(HEADERS)))))

check:
	$(CARGO) test --workspace

check-machines:
	RECORD=1 tests/machines/check

dist:
	packaging/dist $(abspath $(CARGO_TARGET_DIR))/dist

deb: dist
	packaging/deb $(abspath $(CARGO_TARGET_DIR))/dist/pirn-$(VERSION).tar.xz \
	    $(abspath $(CARGO_TARGET_DIR))/deb

clean:
	$(CARGO) clean
	$(MAKE) -C c-examples clean

.PHONY: all install uninstall check check-machines dist deb clean
