/* http_body - a page that several answers share: it goes with the last of them; a part of mom_http */
#include "tools/http/http.h"
#include <stdlib.h>

struct http_body *
http_body_hold(struct http_body *b)
{
	if (b)
		b->refs++;
	return b;
}

void
http_body_drop(struct http_body *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	free(b->bytes);
	free(b);
}
