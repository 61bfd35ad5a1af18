/* A new loop, and its end. A library whose caller gives it memory gets room for so many watchers
 * and timers, of which the kernel has given no page yet: what is written at the beginning costs a
 * fault for each page. */

/* open COUNT */
static void workload_open(uint32_t count, uint32_t unused)
{
#ifdef loop_close
    struct limits limits = {.io = count, .timers = count};
    struct meter meter = {.metric = "open"};
    options.unpopulated = true;
    while (meter_goes_on(&meter, 10)) {
        meter_begin(&meter);
        loop_t *loop = loop_open(&limits);
        loop_close(loop);
        meter_end(&meter, 1);
    }
    meters_report(&meter, 1);
#else
    skip("its end is not measured");
#endif
}
