/* stack - how much of a thread's stack the library takes: what mom.h says, on a thread that has no more */
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <mom.h>
#include <mom_rpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK = 64 * 1024, CREATE_MOST = 24 * 1024, OTHERS_MOST = 8 * 1024, PAINT = 0xa5 };

static struct server broker, one;
static unsigned char *stack;                       /* a guard page lies below */
static int id = -1, durable = -1, result;
static struct mom_server *server;
static struct mom_message m;
static atomic_int served;

static void nothing(void) { result = 0; }
static void create(void) { result = id = mom_create(); }
static void create_fails(void) { result = -(mom_create() != MOM_ENODAEMON); }
static void open_durable(void) { result = durable = mom_open("name"); }
static void subscribe(void) { result = mom_subscribe(id, "t", 0); }
static void watch(void) { result = mom_subscribe(id, "t/+", 0); }
static void refused(void) { result = -(mom_subscribe(id, "##", 0) != MOM_ETOPIC || mom_error_text(id)[0] == '\0'); }
static void publish(void) { result = mom_publish(id, "t", "x", 1, 0); }
static void publish_async(void) { result = mom_publish(id, "t", "x", 1, MOM_ASYNC); }
static void flush(void) { result = mom_flush(id, 20000); }
static void receive(void) { result = mom_receive(id, &m, 20000); }
static void acknowledge(void) { result = mom_ack(id); }
static void
publish_with(void)
{
	struct mom_header h = { "unit", "C" };
	struct mom_properties p = MOM_PROPERTIES_INIT;
	p.key = p.content_type = p.reply_to = "x";
	p.headers = &h;
	p.header_count = 1;
	result = mom_publish_with(id, "t", "x", 1, 0, &p);
}
static void will(void) { result = mom_will(id, "w", "x", 1); }
static void unsubscribe(void) { result = mom_unsubscribe(id, "t"); }
static void server_create(void) { result = (server = mom_server_create()) ? 0 : -1; }
static void call_nobody(void) { result = -(mom_call(id, "nobody", NULL, NULL, 20000, MOM_MAYBE) != MOM_ENOSUBSCRIBER); }
static void close_durable(void) { result = mom_close(durable); }
static void destroy(void) { result = mom_destroy(id); }

static int
echo(struct mom_request *q, void *with)
{
	(void)with;
	atomic_fetch_add(&served, 1);
	mom_put_i64(&q->reply, mom_get_i64(&q->args));
	return 0;
}

static void serve(void) { result = mom_serve(server, "echo", echo, NULL); }

/* one call, and the question before it who serves */
static void
serve_one(void)
{
	int before = atomic_load(&served), r = 0;
	while (r == 0 && atomic_load(&served) == before)
		r = mom_serve_one(server, 20000);
	result = r < 0 ? r : result;
}

static void
call(void)
{
	unsigned char bytes[8];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_i64(&w, 42);
	int e = mom_call(id, "echo", &w, &r, 20000, MOM_AT_MOST_ONCE);
	result = e ? -1 : mom_get_i64(&r) == 42 ? result : -1;
}

static void *
run(void *with)
{
	(*(void (**)(void))with)();
	return NULL;
}

static size_t
used(void)
{
	size_t untouched = 0;
	while (untouched < STACK && stack[untouched] == PAINT)
		untouched++;
	return STACK - untouched;
}

static pthread_t
begin(void (**what)(void))
{
	pthread_attr_t a;
	pthread_t thread;
	memset(stack, PAINT, STACK);
	REQUIRE(pthread_attr_init(&a) == 0 && pthread_attr_setstack(&a, stack, STACK) == 0, "a stack");
	REQUIRE(pthread_create(&thread, &a, run, what) == 0, "a thread");
	return thread;
}

/* Bytes of the stack that a call takes, beside those of a thread that does nothing. */
static size_t
cost(void (*what)(void), const char *name)
{
	static size_t idle;
	result = 0;
	pthread_join(begin(&what), NULL);
	REQUIRE(result >= 0, "%s: %d: %s, %s", name, result, mom_error_text(id), mom_error_text(-1));
	if (what == nothing)
		idle = used();
	return used() - idle;
}

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

TEST(depth, "each call goes on a thread with a stack of 64 KiB, and takes no more of it than mom.h says")
{
	static const struct {
		void (*what)(void);
		const char *name;
		size_t most;
	} calls[] = {
		{ nothing, "nothing", 0 },
		{ create, "mom_create", CREATE_MOST },
		{ subscribe, "mom_subscribe", OTHERS_MOST },
		{ watch, "mom_subscribe to a pattern", OTHERS_MOST },
		{ refused, "a failure", OTHERS_MOST },
		{ publish, "mom_publish", OTHERS_MOST },
		{ publish_with, "mom_publish_with", OTHERS_MOST },
		{ publish_async, "MOM_ASYNC", OTHERS_MOST },
		{ flush, "mom_flush", OTHERS_MOST },
		{ receive, "mom_receive", OTHERS_MOST },
		{ acknowledge, "mom_ack", OTHERS_MOST },
		{ will, "mom_will", OTHERS_MOST },
		{ unsubscribe, "mom_unsubscribe", OTHERS_MOST },
		{ open_durable, "mom_open", CREATE_MOST },
		{ server_create, "mom_server_create", CREATE_MOST },
		{ serve, "mom_serve", OTHERS_MOST },
		/* the first call makes a second client */
		{ call_nobody, "mom_call", CREATE_MOST + OTHERS_MOST },
		{ close_durable, "mom_close", OTHERS_MOST },
	};
	if (SANITIZED) {
		t_remark("left out: a sanitizer's frames are larger");
		return;
	}
	stack = mmap(NULL, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(stack != MAP_FAILED && mprotect(stack, 4096, PROT_NONE) == 0, "mmap");
	stack += 4096;
	setenv("MOM_RUN", t_path("nowhere"), 1);
	size_t nobody = cost(nothing, "nothing"), failed = cost(create_fails, "mom_create, which fails");
	CHECK(nobody == 0 && failed <= CREATE_MOST, "a mom_create that fails takes %zu bytes", failed);
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		size_t bytes = cost(calls[i].what, calls[i].name);
		CHECK(bytes <= calls[i].most, "%s takes %zu bytes of the stack, mom.h says %zu at most", calls[i].name,
		    bytes, calls[i].most);
	}
	/* both sides of a remote call, in turns on the small stack */
	for (int i = 0; i < 2; i++) {
		static void (*small)(void), (*other)(void);
		pthread_t thread;
		small = i ? serve_one : call;
		other = i ? call : serve_one;
		result = 0;
		REQUIRE(pthread_create(&thread, NULL, run, &other) == 0, "a thread");
		size_t bytes = cost(small, i ? "mom_serve_one" : "mom_call");
		CHECK(bytes <= OTHERS_MOST, "%s takes %zu bytes of the stack", i ? "mom_serve_one" : "mom_call", bytes);
		pthread_join(thread, NULL);
	}
	mom_server_destroy(server);
	size_t bytes = cost(destroy, "mom_destroy");
	CHECK(bytes <= OTHERS_MOST, "mom_destroy takes %zu bytes of the stack", bytes);
}
