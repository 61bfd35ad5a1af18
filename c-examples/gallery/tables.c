/*
 * tables: the servers of the gallery, side by side, on the machine that you have.
 *
 *     make gallery-tables                          in c-examples; two or three minutes
 *     ./build/gallery/tables DIRECTORY CHARTS      where the servers are, where charts are written
 *
 * Prints tables in Markdown, one for each family, and writes a chart for each. docs/GALLERY.md says
 * what the columns mean.
 */
#include <fcntl.h>

#include "measure.h"

#define LOADS 3
static const unsigned loads[LOADS] = { 1, 100, 500 };

struct entry {
    const char *name, *file, *option;
    struct cell cells[LOADS];
};

struct family {
    const char *name, *title;
    struct entry entries[6];
};

static struct family families[] = {
    { "before", "Before multiplexing",
      { { "one client at a time", "server_one", NULL, { { 0 } } },
        { "a process for each", "server_fork", NULL, { { 0 } } },
        { "a thread for each", "server_threads", NULL, { { 0 } } },
        { "polling", "server_polling", NULL, { { 0 } } } } },
    { "multiplexers", "Multiplexers",
      { { "select", "server_select", NULL, { { 0 } } },
        { "poll", "server_poll", NULL, { { 0 } } },
        { "epoll, level", "server_epoll", NULL, { { 0 } } },
        { "epoll, edge", "server_epoll", "edge", { { 0 } } },
        { "a selector that chooses", "server_auto", NULL, { { 0 } } } } },
    { "pools", "Pools",
      { { "4 threads", "server_thread_pool", NULL, { { 0 } } },
        { "4 processes that accept", "server_prefork", NULL, { { 0 } } },
        { "4 processes, clients passed", "server_process_pool", NULL, { { 0 } } } } },
    { "fibers", "Fibers",
      { { "a fiber for each, 100", "../server_fibers", NULL, { { 0 } } },
        { "a pool of 100 fibers", "server_pool", NULL, { { 0 } } } } },
};
#define FAMILIES (sizeof families / sizeof families[0])

/* Measure in a process of its own: a server that fails, or is refused something, costs a figure. */
static void measure(void (*look)(struct subject *it, unsigned clients, struct cell *cell),
                    const char *directory, struct entry *entry, unsigned load)
{
    char path[512];
    struct subject subject = { path, entry->option, 0, 0 };
    struct cell *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t pid;

    CHECK(shared != MAP_FAILED);
    snprintf(path, sizeof path, "%s/%s", directory, entry->file);
    *shared = entry->cells[load];
    fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        look(&subject, loads[load], shared);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status == 0)
        entry->cells[load] = *shared;
    munmap(shared, sizeof *shared);
}

static void print_number(double number, const char *format)
{
    if (number < 0)
        printf(" – |");
    else
        printf(format, number);
}

static void print_row(const struct entry *entry, unsigned load)
{
    const struct cell *cell = &entry->cells[load];

    printf("| %s | %u |", entry->name, loads[load]);
    print_number(cell->served, " %.0f |");
    print_number(cell->processes, " %.0f |");
    print_number(cell->threads, " %.0f |");
    print_number(cell->calls, " %.1f |");
    print_number(cell->switches, " %.2f |");
    print_number(cell->kib_per_client, " %.1f |");
    print_number(cell->requests_per_s, " %.0f |");
    print_number(cell->p99_ms, " %.2f |");
    print_number(cell->us, " %.1f |");
    print_number(cell->us_one, " %.1f |");
    printf("\n");
}

static void measure_family(struct family *family, const char *directory)
{
    static const struct cell nothing = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };

    printf("### %s\n\n| server | clients | served at once | processes | threads | system calls |"
           " switches | KiB each | requests/s | p99 ms | µs | one speaks µs |\n"
           "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n", family->title);
    for (struct entry *entry = family->entries; entry->name != NULL; entry++)
        for (unsigned load = 0; load < LOADS; load++) {
            entry->cells[load] = nothing;
            measure(measure_census, directory, entry, load);
            for (int at = 0; at < 2; at++)
                measure(measure_load, directory, entry, load);
            for (int at = 0; at < 2 && (at == 0 || entry->cells[load].us_one > 0); at++)
                measure(measure_one, directory, entry, load);
            measure(measure_calls, directory, entry, load);
            print_row(entry, load);
            fflush(stdout);
        }
    printf("\n");
}

#define BARS (LOADS + 1)

static double bar(const struct entry *entry, unsigned at)
{
    double us = at < LOADS ? entry->cells[at].us : entry->cells[LOADS - 1].us_one;

    return us < 0 ? 0 : us;
}

/* Processor time for a request, for each server: under each load, and for one client of many. */
static void draw_family(const struct family *family, const char *charts)
{
    static const char *const colours[BARS] = { "#9ecae1", "#4292c6", "#08519c", "#e6550d" };
    static const char *const names[BARS] = { "1 client", "100 clients", "500 clients",
                                             "1 of 500 speaks" };
    char path[512];
    double most = 1;
    int y = 50, rows = 0;
    FILE *out;

    for (const struct entry *entry = family->entries; entry->name != NULL; entry++, rows++)
        for (unsigned at = 0; at < BARS; at++)
            most = bar(entry, at) > most ? bar(entry, at) : most;
    snprintf(path, sizeof path, "%s/%s.svg", charts, family->name);
    out = fopen(path, "w");
    CHECK(out != NULL);
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%d\""
            " font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"10\" y=\"20\" font-weight=\"bold\">%s: microseconds of processor time"
            " for each request</text>\n", y + rows * 80, family->title);
    for (unsigned at = 0; at < BARS; at++)
        fprintf(out, "<rect x=\"%u\" y=\"30\" width=\"10\" height=\"10\" fill=\"%s\"/>"
                "<text x=\"%u\" y=\"39\">%s</text>\n", 200 + 110 * at, colours[at],
                214 + 110 * at, names[at]);
    for (const struct entry *entry = family->entries; entry->name != NULL; entry++, y += 8) {
        fprintf(out, "<text x=\"190\" y=\"%d\" text-anchor=\"end\">%s</text>\n", y + 40,
                entry->name);
        for (unsigned at = 0; at < BARS; at++, y += 18) {
            double us = bar(entry, at), width = us / most * 440;

            if (us > 0)
                fprintf(out, "<rect x=\"200\" y=\"%d\" width=\"%.0f\" height=\"15\""
                        " fill=\"%s\"/><text x=\"%.0f\" y=\"%d\">%.1f</text>\n", y, width,
                        colours[at], 205 + width, y + 12, us);
            else
                fprintf(out, "<text x=\"205\" y=\"%d\">not served</text>\n", y + 12);
        }
    }
    fprintf(out, "</svg>\n");
    CHECK(fclose(out) == 0);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: tables DIRECTORY CHARTS\n");
        return 2;
    }
    for (size_t at = 0; at < FAMILIES; at++) {
        measure_family(&families[at], argv[1]);
        draw_family(&families[at], argv[2]);
    }
    return 0;
}
