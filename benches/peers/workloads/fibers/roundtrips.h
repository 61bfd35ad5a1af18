/* A fiber for each connection, which answers what it reads: one read, one write, and one wait for
 * the next message. The clients are the main program, which writes to all connections and then
 * reads all answers. It does so without the library, and waits by it only for an answer that is not
 * there yet: nearly always the first one alone. So what is counted is the server's side.
 *
 * All have room for more than a message, so that a library may know that nothing is left to be
 * read. */

enum { MESSAGE = 64, ROOM = 256, CLIENTS_MAX = 1000 };

static struct connection {
    struct fiber *fiber;
    struct port server, client;
    int client_fd;
} connections[CLIENTS_MAX];

static struct {
    uint32_t count;
    bool is_limited;
} roundtrips;

static FIBER_BODY(answers)
{
    struct connection *own = (struct connection *)user;
    char message[ROOM];
    ssize_t size;
    while ((size = port_read(&own->server, message, sizeof message,
                             roundtrips.is_limited ? LIMIT : FOREVER)) > 0)
        if (port_write(&own->server, message, (size_t)size) != size)
            wrong("a short write");
    FIBER_END;
}

/* Reads an answer. Some libraries make the fd blocking. */
static ssize_t answer_read(struct connection *connection, char *answer)
{
    ssize_t size = recv(connection->client_fd, answer, ROOM, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        size = port_read(&connection->client, answer, ROOM, FOREVER);
    return size;
}

static void roundtrip_all(uint64_t number)
{
    char message[MESSAGE], answer[ROOM];
    for (uint32_t i = 0; i < roundtrips.count; i++) {
        memset(message, (int)(number + i), sizeof message);
        if (write(connections[i].client_fd, message, sizeof message) != sizeof message)
            wrong("write: %s", strerror(errno));
    }
    for (uint32_t i = 0; i < roundtrips.count; i++) {
        memset(message, (int)(number + i), sizeof message);
        ssize_t size = answer_read(&connections[i], answer);
        if (size != sizeof message || memcmp(message, answer, sizeof message) != 0)
            wrong("another answer to client %" PRIu32 ": %zd bytes", i, size);
    }
}

static void roundtrips_measure(struct meter *meter)
{
    while (meter_goes_on(meter, 20)) {
        meter_begin(meter);
        roundtrip_all(meter->rounds);
        meter_end(meter, roundtrips.count);
    }
}

static void roundtrips_run(void)
{
    enum { ENDLESS, LIMITED, METERS };
    struct meter meters[METERS] = {{.metric = "roundtrips"}, {.metric = "roundtrips_limited"}};
    struct fiber *fibers = zeroed(roundtrips.count, sizeof *fibers);
    for (uint32_t i = 0; i < roundtrips.count; i++) {
        struct connection *connection = &connections[i];
        int server;
        open_pair(&server, &connection->client_fd);
        port_open(&connection->server, server);
        port_open(&connection->client, connection->client_fd);
        connection->fiber = &fibers[i];
        fiber_start(connection->fiber, answers, connection);
    }
    roundtrip_all(0);
    roundtrips_measure(&meters[ENDLESS]);
    roundtrips.is_limited = true;
    roundtrip_all(0); /* the waits that began without a limit are over */
    roundtrips_measure(&meters[LIMITED]);
    for (uint32_t i = 0; i < roundtrips.count; i++) {
        MUST(shutdown(connections[i].client_fd, SHUT_WR) == 0);
        fiber_join(connections[i].fiber);
    }
    meters_report(meters, METERS);
}

/* roundtrips CLIENTS: _limited: a server's fiber waits for five seconds at most. */
static void workload_roundtrips(uint32_t clients, uint32_t unused)
{
    roundtrips.count = clients < CLIENTS_MAX ? clients : CLIENTS_MAX;
    if (2 * clients > PORTS_MAX)
        skip("too many fds");
    program_run(roundtrips_run);
}

#ifdef SERVER_CALLBACK
/* callbacks CLIENTS: the same with callbacks in the place of the server's fibers, which is what a
 * fiber's echo can be compared with. */
static SERVER_CALLBACK(answers_at_once)
{
    char message[ROOM];
    ssize_t size = read(fd, message, sizeof message);
    if (size <= 0 || write(fd, message, (size_t)size) != size)
        wrong("an echo of %zd bytes: %s", size, strerror(errno));
}

static void callbacks_run(void)
{
    struct meter meter = {.metric = "callbacks"};
    for (uint32_t i = 0; i < roundtrips.count; i++) {
        struct connection *connection = &connections[i];
        int server;
        open_pair(&server, &connection->client_fd);
        server_watch(server, answers_at_once);
        port_open(&connection->client, connection->client_fd);
    }
    roundtrip_all(0);
    roundtrips_measure(&meter);
    meters_report(&meter, 1);
}

static void workload_callbacks(uint32_t clients, uint32_t unused)
{
    roundtrips.count = clients < CLIENTS_MAX ? clients : CLIENTS_MAX;
    program_run(callbacks_run);
}
#endif
