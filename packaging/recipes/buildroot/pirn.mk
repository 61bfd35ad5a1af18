################################################################################
#
# pirn
#
################################################################################

PIRN_VERSION = @VERSION@
PIRN_SOURCE = pirn-$(PIRN_VERSION).tar.xz
PIRN_SITE = @SITE@
PIRN_LICENSE = MIT or Apache-2.0
PIRN_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
PIRN_INSTALL_STAGING = YES
PIRN_DEPENDENCIES = host-rustc

# What it is made of is in vendor/ of the tarball: nothing is downloaded.
PIRN_MAKE_OPTS = \
	TARGET=$(RUSTC_TARGET_NAME) CC="$(TARGET_CC)" AR="$(TARGET_AR)" NM="$(TARGET_NM)" \
	CFLAGS="$(TARGET_CFLAGS)" LDFLAGS="$(TARGET_LDFLAGS)" PREFIX=/usr CARGOFLAGS=--frozen

define PIRN_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(PKG_CARGO_ENV) $(MAKE) -C $(@D) $(PIRN_MAKE_OPTS)
endef

define PIRN_INSTALL_STAGING_CMDS
	$(TARGET_MAKE_ENV) $(PKG_CARGO_ENV) $(MAKE) -C $(@D) $(PIRN_MAKE_OPTS) \
		DESTDIR=$(STAGING_DIR) install
endef

define PIRN_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(STAGING_DIR)/usr/lib/libpirn.so.$(PIRN_VERSION) \
		$(TARGET_DIR)/usr/lib/libpirn.so.$(PIRN_VERSION)
	ln -sf libpirn.so.$(PIRN_VERSION) $(TARGET_DIR)/usr/lib/libpirn.so.0
endef

$(eval $(generic-package))
