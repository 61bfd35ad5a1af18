# The part of the gallery about coroutines, locks, queues, pools, and statements made measurable.
# A part of ../Makefile, which includes it.

GALLERY_SYNC := generator greenlet gevent tickets counter deadlock karaoke semaphore \
    traffic_light overtime connect_check condition barrier renewed_code queues baozi executor \
    process_pool daemons processes switches hog idle who_waits resolve ui_events
GALLERY_SYNC_BINARIES := $(GALLERY_SYNC:%=$(BUILD)/gallery/%)
GALLERY_AUTOMATIC := $(BUILD)/gallery/automatic

$(GALLERY_SYNC_BINARIES): $(BUILD)/gallery/%: gallery/%.c gallery/virtual.h $(HEADERS) $(LIBPIRN)
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(CFLAGS) $(SANITIZERS) $(filter %.c,$^) $(LIBPIRN) -pthread $(LDFLAGS) -o $@

# The library quotes.c is compiled as it is: the linker replaces what it calls.
$(GALLERY_AUTOMATIC): $(wildcard gallery/automatic/*.[ch]) gallery/virtual.h $(HEADERS) $(LIBPIRN)
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(CFLAGS) $(SANITIZERS) $(filter %.c,$^) $(LIBPIRN) -pthread $(LDFLAGS) \
	    -Wl,--wrap=read,--wrap=write,--wrap=connect,--wrap=poll -o $@

check: check-gallery-sync
check-gallery-sync: $(GALLERY_SYNC_BINARIES) $(GALLERY_AUTOMATIC)
	set -e; for program in $^; do $(RUN) $$program --self-test; done

all: $(GALLERY_SYNC_BINARIES) $(GALLERY_AUTOMATIC)

.PHONY: check-gallery-sync
