/* rpc - proves: of any messages, a server of remote calls and objects executes only what is whole, answers within its
 * buffers, and ends with all memory given back; a caller takes an answer as it is or not at all. Methods see no byte
 * beyond their arguments.
 * INPUT  steps: u8 what (see message_make), then its pieces; bytes behind the last are zeros */
#include <mom_object.h>
#include <stdarg.h>
#include "api/object/object.h"
#include "base/clock.h"
#include "take_over.h"

static struct {
	struct fuzz_input in;
	int64_t now;
	int refuse, alive;
} fz;

#define clock_ms() (fz.now)
#include "api/coding.c"
#include "api/rpc/rpc_wire.c"
#include "api/rpc/kept.c"
#include "api/object/object_move.c"
#include "api/object/object.c"
#include "api/object/objects.c"
#include "api/rpc/answer.c"
#include "api/rpc/serve.c"

/* ---- MOM itself ---- */

static int edge_code(void) { return fz.refuse++ % 5 == 3 ? MOM_ENOSUBSCRIBER - fz.refuse % 2 : 0; }
int mom_create(void) { return 3; }
int mom_destroy(int id) { return id == 3 ? 0 : MOM_EBADID; }
uint64_t mom_global_id(int id) { (void)id; return 0x100000007; }
int mom_unsubscribe(int id, const char *topic) { FUZZ_CHECK(strlen(topic) <= MOM_TOPIC_MAX); return id == 3 ? 0
    : MOM_EBADID; }
int mom_will(int id, const char *topic, const void *data, size_t len) { (void)id, (void)topic, (void)data,
    (void)len; return 0; }
const char *mom_error_text(int id) { (void)id; return "it failed"; }
const char *mom_strerror(int error) { (void)error; return "an error"; }
struct handle *handle_peek(int id) { (void)id; return NULL; }
int mom_receive(int id, struct mom_message *m, int timeout_ms) { (void)id, (void)m,
    (void)timeout_ms; return MOM_ETIMEDOUT; }

int
mom_subscribe(int id, const char *topic, unsigned flags)
{
	(void)id, (void)flags;
	FUZZ_CHECK(strlen(topic) <= MOM_TOPIC_MAX);
	return edge_code() ? MOM_ETOPIC : 0;
}

int
mom_publish(int id, const char *topic, const void *data, size_t len, unsigned flags)
{
	struct mom_message m = { .topic = topic, .data = data, .len = len };
	struct rpc_answer a;
	struct rpc_head head;
	struct mom_reader r;
	FUZZ_CHECK(id == 3 && strlen(topic) <= MOM_TOPIC_MAX && len <= MOM_MESSAGE_MAX && (flags & MOM_FAST));
	mom_reader_init(&r, data, len);
	/* whatever came in, what goes out is ours */
	FUZZ_CHECK(rpc_answer_get(&a, &m) == 0 || rpc_head_get(&head, &r) == 0);
	return edge_code();
}

int
handle_fail(struct handle *h, int code, const char *format, ...)
{
	char text[320];
	va_list ap;
	(void)h;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return code;
}

/* ---- what is served ---- */

static struct mom_later before;

static int
fz_procedure(struct mom_request *q, void *with)
{
	size_t n;
	(void)with;
	const char *p = mom_get_bytes8(&q->args, &n);
	FUZZ_CHECK(n == 0 || (p >= (const char *)q->args.bytes && p + n <= (const char *)q->args.bytes + q->args.len));
	switch (n % 6) {
	case 0: mom_put_bytes8(&q->reply, p, n); return 0;
	case 1: return mom_raise(q, (int)n - 1, "%.*s", (int)n, p);
	case 2: return mom_defer(q, &before);
	case 3: mom_answer(q->server, &before, &q->reply, n & 1, "text"); return 0;
	case 4: return (int)n - 200;
	default: return 5;
	}
}

static int
fz_call(struct mom_request *q, void *self)
{
	FUZZ_CHECK(self && mom_object_self(mom_object_of(q)) == self);
	if (strcmp(q->service, "move") == 0)
		mom_object_move(mom_object_of(q), "rpc/at/0000000000000009", 100);
	if (strcmp(q->service, "keep") == 0)
		mom_object_keep(mom_object_of(q), 1);
	return fz_procedure(q, NULL) == DEFERRED ? 0 : 0;
}

static int fz_save(void *self, struct mom_writer *w) { mom_put_u8(w, *(uint8_t *)self); return 0; }
static void fz_release(void *self) { fz.alive--; free(self); }

static void *
fz_load(struct mom_reader *r)
{
	uint8_t value = mom_get_u8(r), *self = value == 99 ? NULL : malloc(1);
	if (self)
		*self = value;
	fz.alive += self != NULL;
	return self;
}

static const struct mom_object_type fz_type = { "thing", fz_call, fz_save, fz_load, fz_release, NULL };

/* ---- messages ---- */

static const char *const names[] = { "sum", "thing", "move", "keep", "", "object/0000000100000007-1", "object/x" };
static const char *const topics[] = { "rpc/at/0000000100000007", "rpc/service/sum", "object/0000000100000007-1",
    "object/x", "object/gone", "object/alive", "rpc/reply/0000000000000001" };

static size_t
message_make(unsigned what, unsigned char *bytes, size_t size)
{
	struct mom_writer w;
	struct rpc_head head = { .kind = (uint8_t)(what % 16), .mode = (uint8_t)fuzz_number(&fz.in, 1) };
	mom_writer_init(&w, bytes, size);
	if (what < 200) {
		head.caller = what & 16 ? 0x100000007 : fuzz_number(&fz.in, 1);
		head.number = fuzz_number(&fz.in, 1);
		snprintf(head.topic, sizeof head.topic, "%s", topics[fuzz_number(&fz.in, 1) % 7]);
		snprintf(head.name, sizeof head.name, "%s", names[fuzz_number(&fz.in, 1) % 7]);
		rpc_head_put(&w, &head);
		if (what & 32)
			mom_put_string8(&w, "thing");
	}
	size_t n = (size_t)fuzz_number(&fz.in, 1);
	return w.len + fuzz_bytes(&fz.in, bytes + w.len, n < size - w.len ? n : size - w.len);
}

static void
step(struct mom_server *s)
{
	unsigned char made[1024];
	struct rpc_answer a;
	unsigned what = (unsigned)fuzz_number(&fz.in, 1), where = (unsigned)fuzz_number(&fz.in, 1);
	size_t n = message_make(what, made, sizeof made);
	unsigned char *bytes = malloc(n ? n : 1);
	memcpy(bytes, made, n);
	struct mom_message m = { .topic = topics[where % 7], .data = bytes, .len = n,
	    .flags = where > 250 ? MOM_GAP : 0 };
	if (rpc_answer_get(&a, &m) == 0)
		FUZZ_CHECK(a.result.bytes + a.result.len == bytes + n && strlen(a.text) <= MOM_RAISED_MAX);
	server_dispatch(s, &m);
	fz.now += where & 128 ? 20000 : 1;
	objects_tick(s);
	kept_sweep(&s->kept, fz.now);
	FUZZ_CHECK(objects_due_ms(s) >= 0);
	free(bytes);
}

static void
body(void)
{
	struct mom_server *s = mom_server_create();
	FUZZ_CHECK(s && mom_object_serve(s, &fz_type) == 0 && mom_serve(s, "sum", fz_procedure, NULL) == 0);
	uint8_t *self = malloc(1);
	*self = 1;
	if (mom_object_export(s, &fz_type, self) == NULL)
		free(self);
	else
		fz.alive++;
	for (int i = 0; fz.in.n > 0 && i < 200; i++)
		step(s);
	FUZZ_CHECK(mom_server_destroy(s) == 0 && fz.alive == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	memset(&before, 0, sizeof before);
	fz.in = (struct fuzz_input){ data, size };
	fz.now = 1000;
	fz.refuse = -3;
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	/* what, where, mode, caller, number, topic, name, length, arguments */
	static const char who[] = { 1, 1, 0, 1, 1, 6, 0, 0 };
	static const char calls[] = { 2, 0, 2, 1, 1, 6, 0, 4, 3, 'a', 'b', 'c', 2, 0, 2, 1, 1, 6, 0, 0, 2, 0, 1, 1, 2,
	    6, 0, 2, 1, 'x', 2, 0, 0, 1, 1, 6, 0, 0 };
	static const char holds[] = { 4, 2, 2, 1, 1, 6, 3, 0, 3, 2, 2, 1, 2, 6, 1, 2, 1, 'x', 5, 2, 2, 1, 3, 6, 3, 0,
	    10, 5, 0, 1, 0, 6, 4, 0, 11, 4, 0, 1, 0, 6, 4, 0 };
	static const char moves[] = { 3, 2, 2, 1, 1, 6, 2, 0, 3, 2, 2, 1, 2, 6, 1, 0, 25, 0, 0, 1, 0, 5, 5, 0, 7, 0, 0,
	    9, 1, 0, 5, 5, 0, 0, 0, 0, 0, 24, 2, 0, 1, 0, 0, 0 };
	static const char adopt[] = { 38, 0, 0, 9, 1, 0, 6, 22, 1, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0,
	    0, 0, 0, 8, 3, 0, 9, 1, 0, 6, 0, 3, 3, 2, 1, 1, 6, 1, 0 };
	static const char adopt_many[] = { 38, 0, 0, 9, 1, 0, 6, 9, 1, (char)255, (char)255, (char)255, (char)255, 0, 0,
	    0, 0 };
	static const char lease[] = { 4, 2, 2, 1, 1, 6, 3, 0, 26, (char)133, 0, 0, 6, 4, 0, 26, (char)133, 0, 0, 6, 4,
	    0, 26, (char)133, 0, 0, 6, 4, 0, 26, (char)133, 0, 0, 6, 4, 0 };
	static const char answer[] = { (char)201, 6, 0, 17, 32, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 'h', 'i' };
	seed("who", who, sizeof who);
	seed("calls", calls, sizeof calls);
	seed("holds", holds, sizeof holds);
	seed("moves", moves, sizeof moves);
	seed("adopt", adopt, sizeof adopt);
	seed("adopt-many", adopt_many, sizeof adopt_many);
	seed("lease", lease, sizeof lease);
	seed("answer", answer, sizeof answer);
}
