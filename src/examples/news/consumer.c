/* consumer - the page /news: items appear, comments are written; desk.c says the rest */
#include "assets.h"
#include "desk.h"

int
main(int argc, char **argv)
{
	static struct desk desk = { .name = "consumer", .path = "/news", .writes = &entry_comments,
	    .reads = &entry_items };
	desk.page = asset_news;
	return desk_main(&desk, argc, argv);
}
