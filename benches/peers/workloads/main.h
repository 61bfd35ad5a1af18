/* Runs one of `workloads`, which the file before has listed. */

/* PEER [--seconds S | --fixed | --mark] WORKLOAD [NUMBER [NUMBER]] */
int main(int argc, char **argv)
{
    const char *workload = "";
    uint32_t numbers[3] = {0}, words = 0;
    for (int i = 1; i < argc && words < 3; i++) {
        if (strcmp(argv[i], "--fixed") == 0)
            options.fixed = true;
        else if (strcmp(argv[i], "--mark") == 0)
            options.mark = true;
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            options.seconds = strtod(argv[++i], NULL);
        else if (words++ == 0)
            workload = argv[i];
        else
            numbers[words - 2] = (uint32_t)strtoul(argv[i], NULL, 10);
    }
    /* A loop that waits for an event it has lost waits until it is killed. */
    alarm(300);
    raise_fd_limit();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (options.fixed) {
        struct meter empty = {.metric = "empty"};
        meter_begin(&empty);
        meter_end(&empty, 1);
        meters_report(&empty, 1);
    }
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workload, workloads[i].name) == 0) {
            workloads[i].run(numbers[0], numbers[1]);
            return 0;
        }
    fprintf(stderr, "no workload '%s'\n", workload);
    return 2;
}
