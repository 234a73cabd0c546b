/* counters - pages, histograms, the busiest topics */
#include "ipc/counters.h"
#include "ipc/ipcq.h"
#include <lib/t.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

enum { PAGES = 3, SHARDS = 2 };
static int id;
static const struct counters_segment *seen;

static void
remove_segment(void)
{
	shmctl(id, IPC_RMID, NULL);
}

static void
begin(void)
{
	id = shmget(IPC_PRIVATE, counters_bytes(PAGES, SHARDS), 0600);
	REQUIRE(id >= 0, "shmget");
	t_at_end(remove_segment);
	counters_make(id, PAGES, SHARDS, ROLE_BROKER_SERVER);
	seen = ipcq_attach_to_read(id);
	REQUIRE(seen && seen->pages == PAGES && seen->shards == SHARDS, "attach");
}

TEST(pages, "a restarted process counts on; another owner of the page begins at 0; a page that is none is counted for "
    "nobody")
{
	begin();
	const struct counters *page = counters_page(seen, 1);
	counters_begin(id, 1, ROLE_HANDLER, 7);
	counters_add(COUNT_MESSAGES_IN, 5);
	counters_begin(id, 1, ROLE_HANDLER, 7);
	counters_add(COUNT_MESSAGES_IN, 5);
	CHECK(counters_get(page, COUNT_MESSAGES_IN) == 10 && counters_get(page, COUNT_STARTS) == 2, "%lu",
	    (unsigned long)counters_get(page, COUNT_MESSAGES_IN));
	counters_begin(id, 1, ROLE_HANDLER, 8);
	CHECK(counters_get(page, COUNT_MESSAGES_IN) == 0 && counters_get(page, COUNT_STARTS) == 1 && page->owner == 8,
	    "another owner");
	CHECK(counters_page(seen, PAGES) == NULL && counters_busy(seen, SHARDS) == NULL, "beyond the end");
	counters_begin(-1, 2, ROLE_SENDER, 1);
	CHECK(page->role == ROLE_HANDLER && counters_page(seen, 2)->role == ROLE_NONE, "no segment, no page");
}

TEST(quantiles, "a histogram's quantile is an upper bound within a factor of two")
{
	begin();
	const struct histogram *h = &counters_page(seen, 0)->histogram[HISTOGRAM_SYNC_US];
	CHECK(counters_quantile(h, 0.5) == 0, "empty");
	for (int i = 0; i < 99; i++)
		counters_observe(HISTOGRAM_SYNC_US, 100);
	counters_observe(HISTOGRAM_SYNC_US, 5000);
	CHECK(counters_quantile(h, 0.5) == 128, "%lu", (unsigned long)counters_quantile(h, 0.5));
	CHECK(counters_quantile(h, 0.999) == 8192, "%lu", (unsigned long)counters_quantile(h, 0.999));
	CHECK(h->sum == 99 * 100 + 5000, "%lu", (unsigned long)h->sum);
	counters_observe(HISTOGRAM_SYNC_US, UINT64_MAX);
	CHECK(counters_quantile(h, 1) >= UINT64_C(1) << 31, "the last bucket");
}

TEST(busiest, "among 100,000 topics the twenty busiest are shown with their counts")
{
	struct busy_topic t;
	char name[32];
	int found = 0;
	begin();
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(name, sizeof name, "idle/%d", round * 2000 + i);
			counters_topic_add(1, name, strlen(name), 1, 64);
			if (i % 20 == 0)
				for (int k = 0; k < 20; k++) {
					snprintf(name, sizeof name, "busy/%d", k);
					counters_topic_add(1, name, strlen(name), 5, 320);
				}
		}
	}
	for (uint32_t i = 0; i < BUSY_ROWS; i++) {
		CHECK(!counters_topic(counters_busy(seen, 0), i, &t), "the other shard has %s", t.name);
		if (!counters_topic(counters_busy(seen, 1), i, &t) || strncmp(t.name, "busy/", 5) != 0)
			continue;
		found++;
		CHECK(t.messages > 50 * 100 * 5 * 9 / 10 && t.messages <= 50 * 100 * 5 && t.bytes == t.messages * 64,
		    "%s: %lu", t.name, (unsigned long)t.messages);
	}
	CHECK(found == 20, "%d are shown", found);
}
