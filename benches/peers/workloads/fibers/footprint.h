/* Memory for each fiber that waits. */

static struct {
    uint32_t count;
} footprint;

static FIBER_BODY(waits)
{
    struct fiber *self = (struct fiber *)user;
    (void)self;
    park(self, FOREVER);
    FIBER_END;
}

/* Bytes of this process that are in memory. */
static double resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    MUST(file && fscanf(file, "%*u %lu", &pages) == 1);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Bytes of the stacks that the kernel has for all threads of the machine. */
static double kernel_stack_bytes(void)
{
    char line[128];
    unsigned long kilobytes = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    MUST(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "KernelStack: %lu", &kilobytes) != 1)
        ;
    fclose(file);
    return (double)kilobytes * 1024;
}

static void footprint_run(void)
{
    size_t size = footprint.count * sizeof(struct fiber);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    struct fiber *fibers = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    MUST(fibers != MAP_FAILED && madvise(fibers, size, MADV_NOHUGEPAGE) == 0);
    printf("\n"); /* has its buffer */
    double kernel = kernel_stack_bytes(), resident = resident_bytes();
    for (uint32_t i = 0; i < footprint.count; i++)
        fiber_start(&fibers[i], waits, &fibers[i]);
    SETTLE;
    report_value("footprint", (resident_bytes() - resident) / footprint.count);
    kernel = kernel_stack_bytes() - kernel;
    report_value("kernel", kernel > 0 ? kernel / footprint.count : 0);
    fflush(stdout);
    _exit(0);
}

/* footprint FIBERS: bytes that are in memory for each of them while all wait, with 16 KiB of stack
 * where that can be chosen, and what the kernel has for each. */
static void workload_footprint(uint32_t fibers, uint32_t unused)
{
    footprint.count = fibers;
    program_run(footprint_run);
}
