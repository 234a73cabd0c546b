/* forgotten - the daemon's list of durable clients that expired: nobody makes it grow without end, or takes another
 * user's place on it */
#include <lib/t.h>
#include "daemon/members_file.c"
#include <fcntl.h>
#include <string.h>

static struct daemon d;

static void
begin(void)
{
	free(d.forgotten);
	memset(&d, 0, sizeof d);
	d.spool_dir = open(t_path("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(d.spool_dir >= 0, "%s", strerror(errno));
}

static void
put(uid_t uid, int from, int to)
{
	for (int i = from; i < to; i++)
		forgotten_put(&d, uid, t_text("name-%d", i));
}

TEST(ends, "a user whose durable clients expire without end has the last 1,024 of them on the list; another user's "
    "stay there")
{
	begin();
	put(1000, 0, 3);
	put(1001, 0, 3 * EXPIRED_NAMES);
	put(1000, 3, 6);
	REQUIRE(d.forgotten_count == EXPIRED_NAMES + 6, "%zu names", d.forgotten_count);
	forgotten_save(&d);
	begin();
	forgotten_load(&d);
	REQUIRE(d.forgotten_count == EXPIRED_NAMES + 6, "%zu names are back", d.forgotten_count);
	for (int i = 0; i < 6; i++)
		REQUIRE(forgotten_take(&d, 1000, t_text("name-%d", i)), "name-%d of the other user is not told", i);
	REQUIRE(!forgotten_take(&d, 1001, t_text("name-%d", 2 * EXPIRED_NAMES - 1)),
	    "more than the last 1,024 are kept");
	REQUIRE(forgotten_take(&d, 1001, t_text("name-%d", 2 * EXPIRED_NAMES)), "fewer than the last 1,024 are kept");
	REQUIRE(!forgotten_take(&d, 1001, t_text("name-%d", 2 * EXPIRED_NAMES)), "told twice");
}
