# The part of the gallery about coroutines, locks, queues, pools, and statements made measurable.
# A part of ../Makefile, which includes it.

GALLERY_SYNC := generator greenlet gevent tickets counter deadlock karaoke semaphore \
    traffic_light overtime connect_check condition barrier renewed_code queues baozi executor \
    process_pool daemons processes
GALLERY_SYNC_BINARIES := $(GALLERY_SYNC:%=$(BUILD)/gallery/%)

$(GALLERY_SYNC_BINARIES): $(BUILD)/gallery/%: gallery/%.c gallery/virtual.h $(HEADERS) $(LIBPIRN)
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(CFLAGS) $(SANITIZERS) $(filter %.c,$^) $(LIBPIRN) -pthread $(LDFLAGS) -o $@

check: check-gallery-sync
check-gallery-sync: $(GALLERY_SYNC_BINARIES)
	set -e; for program in $(GALLERY_SYNC_BINARIES); do $(RUN) $$program --self-test; done

all: $(GALLERY_SYNC_BINARIES)

.PHONY: check-gallery-sync
