/* A TCP echo server, and the same with what real ones have besides: an idle timer per connection, pushed forward on every
 * message, and a thread that posts. The client is a program of its own, the same for every peer; it checks every byte and
 * measures. The server's time is its process's own, user and system. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>

enum { ECHO_CONNECTIONS_MAX = 1000, ECHO_POSTS_MAX = 16384 };

struct connection {
	struct io io;
	struct timer idle;
	int fd;
};

static struct {
	loop_t *loop;
	struct io listener;
	int listener_fd;
	struct connection connections[ECHO_CONNECTIONS_MAX];
	uint32_t accepted, closed, expected;
	uint64_t requests;
	bool timers;
	atomic_bool finished; /* all connections are closed */
	bool posts;	      /* and then the last message is waited for */
	delay_t idle_delay;
} echo;

static TIMER_CALLBACK(on_idle_connection)
{
	wrong("an idle timeout that every message pushes forward fired");
	TIMER_DONE;
}

static void connection_close(struct connection *connection)
{
	if (echo.timers) {
		timer_cancel(echo.loop, &connection->idle);
		timer_free(echo.loop, &connection->idle);
	}
	io_remove(echo.loop, &connection->io);
	close(connection->fd);
	if (++echo.closed == echo.expected) {
		echo.finished = true;
		if (!echo.posts)
			loop_stop(echo.loop);
	}
}

static IO_CALLBACK(on_connection)
{
	struct connection *connection = IO_USER(struct connection);
	char bytes[4096];
	ssize_t size = read(connection->fd, bytes, sizeof bytes);
	if (size > 0) {
		if (write(connection->fd, bytes, (size_t)size) != size)
			wrong("a short write of %zd bytes", size);
		echo.requests++;
		if (echo.timers)
			timer_push(echo.loop, &connection->idle, echo.idle_delay);
	} else if (size == 0) {
		connection_close(connection);
	} else if (errno != EAGAIN) {
		wrong("read: %s", strerror(errno));
	}
	IO_DONE;
}

static IO_CALLBACK(on_listener)
{
	int accepted;
	while ((accepted = accept4(echo.listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		int yes = 1;
		struct connection *connection = &echo.connections[echo.accepted++];
		setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
		connection->fd = accepted;
		if (io_add(echo.loop, &connection->io, accepted, IO_READ, on_connection) != 0)
			wrong("io_add: connection %" PRIu32, echo.accepted);
		if (echo.timers)
			timer_add(echo.loop, &connection->idle, echo.idle_delay, on_idle_connection);
	}
	if (errno != EAGAIN)
		wrong("accept4: %s", strerror(errno));
	IO_DONE;
}

static uint16_t echo_listen(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	echo.listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	MUST(echo.listener_fd >= 0);
	MUST(bind(echo.listener_fd, (struct sockaddr *)&address, size) == 0);
	MUST(listen(echo.listener_fd, 4096) == 0);
	MUST(getsockname(echo.listener_fd, (struct sockaddr *)&address, &size) == 0);
	return ntohs(address.sin_port);
}

/* Server and client each have a processor of their own where there are two. */
static void use_processor(unsigned processor)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(processor % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof set, &set);
}

/* The client's results go to our standard output. Its program lies beside ours. */
static pid_t echo_spawn_client(uint16_t port, uint32_t connections)
{
	extern char **environ;
	static char program[4096];
	char numbers[3][32];
	ssize_t size = readlink("/proc/self/exe", program, sizeof program - 16);
	MUST(size > 0);
	program[size] = '\0';
	strcpy(strrchr(program, '/') + 1, "client");
	snprintf(numbers[0], sizeof numbers[0], "%u", port);
	snprintf(numbers[1], sizeof numbers[1], "%" PRIu32, connections);
	/* A fixed number of requests per connection, or a time. */
	if (options.fixed || options.mark)
		snprintf(numbers[2], sizeof numbers[2], "%d", (int)(2000 / connections + 1));
	else
		snprintf(numbers[2], sizeof numbers[2], "%.3fs", options.seconds);
	char *arguments[] = {program, numbers[0], numbers[1], numbers[2], NULL};
	pid_t client;
	fflush(stdout);
	MUST(posix_spawn(&client, program, NULL, NULL, arguments, environ) == 0);
	return client;
}

static uint64_t process_ns(void)
{
	struct timespec time;
	MUST(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

MEASURED void measured_echo(void)
{
	loop_run(echo.loop);
}

static void echo_serve(uint32_t connections)
{
	MUST(connections <= ECHO_CONNECTIONS_MAX);
	uint16_t port = echo_listen();
	struct meter meter = {.metric = "echo"};
	int status;
	echo.expected = connections;
	MUST(io_add(echo.loop, &echo.listener, echo.listener_fd, IO_READ, on_listener) == 0);
	pid_t client = echo_spawn_client(port, connections);
	use_processor(0);
	uint64_t before = process_ns();
	meter_begin(&meter);
	measured_echo();
	meter_end(&meter, echo.requests);
	uint64_t used = process_ns() - before;
	MUST(waitpid(client, &status, 0) == client);
	if (status != 0)
		wrong("the client found a wrong byte, or none");
	report_value("cpu", "ns", (double)used / (double)echo.requests);
	printf("{\"metric\": \"requests\", \"unit\": \"count\", \"value\": %" PRIu64 ", \"operations\": %" PRIu64 "}\n", echo.requests,
	       echo.requests);
}

/* echo CONNECTIONS */
static void workload_echo(uint32_t connections)
{
	struct limits limits = {.io = connections + 1};
	echo.loop = loop_open(&limits);
	echo_serve(connections);
}

/* ---- mix ---- */

struct note {
	struct post post;
	uint32_t number;
	bool is_last;
};

static struct {
	struct mailbox mailbox;
	struct note *notes;
	uint32_t received;
} mix;

static POST_CALLBACK(on_note)
{
	struct note *note = POST_USER(struct note);
	if (note->number != mix.received++)
		wrong("message %" PRIu32 " came out of turn", note->number);
	if (note->is_last)
		loop_stop(echo.loop);
	POST_DONE;
}

static void *write_notes(void *argument)
{
	(void)argument;
	use_processor(1);
	for (uint32_t i = 0; i < ECHO_POSTS_MAX; i++) {
		mix.notes[i].number = i;
		mix.notes[i].is_last = echo.finished;
		bool is_last = mix.notes[i].is_last; /* from the post on the note is the loop's */
		if (!post_send(&mix.mailbox, &mix.notes[i].post, on_note))
			wrong("a queue with room for every message is full");
		if (is_last)
			return NULL;
		sleep_ns(500 * NS_PER_US);
	}
	wrong("more messages than a run has time for");
}

/* mix CONNECTIONS */
static void workload_mix(uint32_t connections)
{
	if (TIMER_MAX < connections)
		skip(TIMER_MAX == 0 ? "no timers" : "too many timers for this peer");
	struct limits limits = {.io = connections + 2, .timers = connections, .posts = ECHO_POSTS_MAX, .threads = true};
	echo.loop = loop_open(&limits);
	echo.timers = true;
	echo.posts = true;
	echo.idle_delay = delay_from_ns(60 * NS_PER_S);
	mix.notes = zeroed(ECHO_POSTS_MAX, sizeof *mix.notes);
	mailbox_open(&mix.mailbox, echo.loop, ECHO_POSTS_MAX);
	pthread_t thread = spawn(write_notes, NULL);
	echo_serve(connections);
	join(thread);
}
