/* pusher - the page /comments: items are written, comments appear; desk.c says the rest */
#include "assets.h"
#include "desk.h"

int
main(int argc, char **argv)
{
	static struct desk desk = { .name = "pusher", .path = "/comments", .writes = &entry_items,
	    .reads = &entry_comments };
	desk.page = asset_comments;
	return desk_main(&desk, argc, argv);
}
