/* hold - placeholder */
#include "api/rpc.h"
#include <stdlib.h>
void
holds_free(struct caller *c)
{
	(void)c;
}
