/* hex - bytes as lower case hexadecimal and back */
#include "common/hex.h"
#include <stdio.h>

void
hex_text(char *text, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

int
hex_bytes(uint8_t *bytes, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;
		if (sscanf(text + 2 * i, "%2x", &v) != 1)
			return -1;
		bytes[i] = (uint8_t)v;
	}
	return 0;
}
