/* worker_log - appending to the shard's log, and what is counted of it; a part of worker */
#include "worker/worker.h"
#include "format/kinds.h"
#include "format/properties.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "ipc/counters.h"
#include <errno.h>
#include <string.h>

struct worker worker;

void
worker_disk_failed(const char *what)
{
	log_fatal(EXIT_DISK, "shard %u: %s: %s: nothing more is acknowledged; mend the disk, then start the broker "
	    "again", worker.shard.index, what,
	    strerror(errno));
}

/* A place at the end of the log, or NULL: full */
void *
worker_place(uint32_t stride, int control)
{
	void *at = seglog_reserve(&worker.shard.log, stride, control ? 0 : CONTROL_SPARE);
	int error = errno;
	if (at == NULL && !fdio_is_full(errno))
		worker_disk_failed("writing the log");
	if (at == NULL)
		log_peer(LOG_FROM_WARN, worker.shard.index, "shard %u: no room for its log: %s: publishes are refused "
		    "until there is; %s, or let subscribers receive", worker.shard.index, strerror(error),
		    fdio_hint(error));
	return at;
}

/* ---- what is counted ---- */

void
worker_count_run(void)
{
	if (worker.run.messages)
		counters_topic_add(worker.shard.index, worker.run.name, worker.run.len, worker.run.messages,
		    worker.run.bytes);
	worker.run.messages = worker.run.bytes = 0;
}

static void
count_message(const struct record *r, const char *topic, int wanted)
{
	if (r->topic_len != worker.run.len || memcmp(topic, worker.run.name, r->topic_len) != 0) {
		worker_count_run();
		memcpy(worker.run.name, topic, worker.run.len = r->topic_len);
	}
	worker.run.messages++;
	worker.run.bytes += r->len;
	counters_add(COUNT_MESSAGES_IN, 1);
	if (!wanted)
		counters_add(COUNT_UNWANTED, 1);
}

void
worker_append(void *at, const void *bytes, struct record *r, struct client *client)
{
	memcpy(at, bytes, record_stride(r->len));
	r->time = worker.now_us;
	put_u64((char *)at + 24, (uint64_t)r->time);
	put_u16((char *)at + 10, r->flags);
	put_u64((char *)at + 48, r->aux);
	if (r->flags & REC_F_PROPERTIES && r->type == REC_MESSAGE)
		record_expires_from(at, r, worker.now_us / 1000);
	worker.batch += record_stride(r->len);
	worker.durable |= r->flags & REC_F_DURABLE || kind_of(r->type)->is_durable;
	r->offset = seglog_take(&worker.shard.log, at);
	if (r->type == REC_MESSAGE)
		count_message(r, record_topic(bytes), shard_message(&worker.shard, client, r, record_topic(bytes),
		    worker.shard.log.end));
	else
		shard_apply(&worker.shard, at, worker.shard.log.end);
}

int
worker_log(struct record *r, const void *data, uint32_t n)
{
	char bytes[RECORD_HEADER + ORDER_MOST + 8];
	void *at = worker_place((uint32_t)record_stride(RECORD_HEADER + n), 1);
	if (at == NULL)
		return -1;
	r->shard = (uint16_t)worker.shard.index;
	record_make(bytes, r, NULL, data, n);
	worker_append(at, bytes, r, NULL);
	return 0;
}
