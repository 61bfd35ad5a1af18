/* Messages from other threads.
 *
 * A burst: producers post as fast as they can while the loop runs (for exact counts: while it does not). A round trip: two
 * loops of the same library in two threads post to each other in turn. Each message once, those of a producer in order. */

enum { PRODUCERS_MAX = 4, BURST = 4096 };

struct message {
	struct post post;
	uint32_t producer, number;
};

static struct {
	struct mailbox mailbox;
	uint32_t received, producers, per_producer;
	uint32_t next[PRODUCERS_MAX];
	struct message *messages[PRODUCERS_MAX];
	pthread_barrier_t start;
} burst;

static POST_CALLBACK(on_message)
{
	struct message *message = POST_USER(struct message);
	if (message->number != burst.next[message->producer]++)
		wrong("message %" PRIu32 " of producer %" PRIu32 " came out of turn", message->number, message->producer);
	burst.received++;
	POST_DONE;
}

MEASURED void measured_post(struct message *messages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		while (!post_send(&burst.mailbox, &messages[i].post, on_message))
			sched_yield(); /* full: the loop has to keep up */
}

MEASURED void measured_receive(loop_t *loop)
{
	while (burst.received < burst.producers * burst.per_producer)
		loop_turn(loop);
}

static void *produce(void *argument)
{
	struct message *messages = argument;
	pthread_barrier_wait(&burst.start);
	measured_post(messages, burst.per_producer);
	return NULL;
}

static void burst_run(loop_t *loop, struct meter *meter)
{
	pthread_t threads[PRODUCERS_MAX];
	burst.received = 0;
	memset(burst.next, 0, sizeof burst.next);
	MUST(pthread_barrier_init(&burst.start, NULL, burst.producers + 1) == 0);
	for (uint32_t i = 0; i < burst.producers; i++)
		threads[i] = spawn(produce, burst.messages[i]);
	meter_begin(meter);
	pthread_barrier_wait(&burst.start);
	if (options.fixed)
		for (uint32_t i = 0; i < burst.producers; i++)
			join(threads[i]);
	measured_receive(loop);
	meter_end(meter, burst.producers * burst.per_producer);
	if (!options.fixed)
		for (uint32_t i = 0; i < burst.producers; i++)
			join(threads[i]);
	for (int i = 0; i < 3; i++)
		loop_poll(loop);
	for (uint32_t i = 0; i < burst.producers; i++)
		if (burst.next[i] != burst.per_producer)
			wrong("%" PRIu32 " of %" PRIu32 " messages of a producer", burst.next[i], burst.per_producer);
	pthread_barrier_destroy(&burst.start);
}

/* posts PRODUCERS */
static void workload_posts(uint32_t producers)
{
	struct limits limits = {.io = 2, .posts = BURST, .threads = true};
	loop_t *loop = loop_open(&limits);
	struct meter meter = {.metric = "burst"};
	MUST(producers <= PRODUCERS_MAX);
	mailbox_open(&burst.mailbox, loop, BURST);
	burst.producers = producers;
	burst.per_producer = options.fixed || options.mark ? 1000 : 20000;
	for (uint32_t p = 0; p < producers; p++) {
		burst.messages[p] = zeroed(burst.per_producer, sizeof *burst.messages[p]);
		for (uint32_t i = 0; i < burst.per_producer; i++) {
			burst.messages[p][i].producer = p;
			burst.messages[p][i].number = i;
		}
	}
	while (meter_goes_on(&meter, 1))
		burst_run(loop, &meter);
	meter_report(&meter);
}

/* ---- round trips ---- */

struct side {
	loop_t *loop;
	struct mailbox mailbox;
	uint32_t received, trips;
	struct ball *ball; /* what this side sends */
	struct side *opposite;
	bool serves;
};

struct ball {
	struct post post;
	struct side *to;
};

static POST_CALLBACK(on_ball)
{
	struct side *here = POST_USER(struct ball)->to;
	here->received++;
	/* The side that serves keeps the last ball; the other one returns every ball. */
	if (!here->serves || here->received < here->trips)
		if (!post_send(&here->opposite->mailbox, &here->ball->post, on_ball))
			wrong("a queue with nothing in it is full");
	if (here->received == here->trips)
		loop_stop(here->loop);
	POST_DONE;
}

MEASURED void measured_trips(struct side *side)
{
	loop_run(side->loop);
}

static void *return_balls(void *argument)
{
	measured_trips(argument);
	return NULL;
}

/* pingpong */
static void workload_pingpong(void)
{
	struct limits limits = {.io = 2, .posts = 16, .threads = true};
	struct side sides[2];
	struct meter meter = {.metric = "pingpong"};
	memset(sides, 0, sizeof sides);
	for (int i = 0; i < 2; i++) {
		struct side *side = &sides[i];
		side->loop = loop_open(&limits);
		mailbox_open(&side->mailbox, side->loop, 16);
		side->trips = options.fixed || options.mark ? 1000 : 5000;
		side->opposite = &sides[1 - i];
		side->serves = i == 0;
		side->ball = zeroed(1, sizeof *side->ball);
		side->ball->to = side->opposite;
	}
	while (meter_goes_on(&meter, 1)) {
		sides[0].received = sides[1].received = 0;
		pthread_t thread = spawn(return_balls, &sides[1]);
		meter_begin(&meter);
		MUST(post_send(&sides[1].mailbox, &sides[0].ball->post, on_ball));
		measured_trips(&sides[0]);
		meter_end(&meter, sides[0].trips);
		join(thread);
		if (sides[0].received != sides[0].trips || sides[1].received != sides[1].trips)
			wrong("%" PRIu32 " messages there, %" PRIu32 " back", sides[1].received, sides[0].received);
	}
	meter_report(&meter);
}
