/* config - proves: of any bytes in a configuration file the parser either takes only keys of the table, with values in
 * their ranges and without control characters, each where a line of the file says it, or refuses with one printable
 * line that names the file and a line in it; what is refused by a file is refused as a variable, too; a lesser origin
 * changes nothing.
 * INPUT  u8 which program (0 to 2), +4: all keys have been given by flags before; then the file */
#include "fuzz.h"
#include "config/config.h"
#include "config/config_keys.h"

static const struct config_program *const programs[] = { &config_broker, &config_daemon, &config_client };

static unsigned
lines_of(const uint8_t *text, size_t n)
{
	unsigned lines = 1;
	for (size_t i = 0; i + 1 < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static void
error_is_fine(const struct config *c, unsigned lines)
{
	unsigned line = 0;
	FUZZ_CHECK(sscanf(c->error, "a file:%u: ", &line) == 1 && line >= 1 && line <= lines);
	for (const char *p = c->error; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

/* a value that was taken is in its range, and stands in the text */
static void
value_is_fine(struct config *c, unsigned key, const uint8_t *text, size_t n, unsigned lines)
{
	const struct config_key *k = &c->program->keys[key];
	const struct config_value *v = &c->value[key];
	char origin[100];
	if (v->from != CONFIG_BY_FILE)
		return;
	size_t len = strlen(v->text);
	FUZZ_CHECK(!(k->how & CONFIG_FLAG_ONLY) && v->line >= 1 && v->line <= lines && strcmp(v->where, "a file") == 0);
	FUZZ_CHECK(strncmp(config_origin(c, key, origin, sizeof origin), "a file:", 7) == 0);
	FUZZ_CHECK(memmem(text, n, v->text, len) || (k->kind == CONFIG_SWITCH && v->number == 1));
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((unsigned char)v->text[i] >= 0x20 && v->text[i] != 0x7f);
	if (k->kind == CONFIG_NUMBER || k->kind == CONFIG_BYTES || k->kind == CONFIG_TIME)
		FUZZ_CHECK((v->number >= k->least && v->number <= k->most) ||
		    (v->number == 0 && (k->how & CONFIG_ZERO)) ||
		    (v->number == CONFIG_NO_END && (k->how & CONFIG_FOREVER)));
	if (k->kind == CONFIG_TEXT)
		FUZZ_CHECK(len >= k->least && len <= k->most);
	if (k->kind == CONFIG_ADDRESS) {
		char ip[NET_HOST], port[64];
		FUZZ_CHECK(config_address(c, key, ip, port) == 0 && strtoul(port, NULL, 10) >= k->least &&
		    strtoul(port, NULL, 10) <= 65535);
	}
	char copy[5000];
	snprintf(copy, sizeof copy, "%s", v->text);
	FUZZ_CHECK(config_set(c, key, copy, CONFIG_BY_ENVIRONMENT, "A_NAME", 0) == 0 &&
	    v->from == CONFIG_BY_ENVIRONMENT);
}

static int
take(struct config *c, const struct config_program *program, const uint8_t *data, size_t size, int by_flags)
{
	config_begin(c, program);
	for (unsigned i = 0; by_flags && i < program->count; i++)
		if (program->keys[i].preset)
			FUZZ_CHECK(config_set(c, i, program->keys[i].preset, CONFIG_BY_FLAG, NULL, 0) == 0);
	char *exact = malloc(size + 1);                /* so long and no longer: a sanitizer sees a byte beyond */
	FUZZ_CHECK(exact != NULL);
	char *text = realloc(exact, size ? size : 1);
	memcpy(text, data, size);
	int r = config_parse(c, text, size, "a file");
	free(text);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	if (size < 1)
		return 0;
	const struct config_program *program = programs[data[0] % 4 % 3];
	int by_flags = data[0] & 4;
	unsigned lines = lines_of(data + 1, size - 1);
	if (take(&c, program, data + 1, size - 1, by_flags) < 0)
		error_is_fine(&c, lines);
	for (unsigned i = 0; i < program->count; i++) {
		if (by_flags && program->keys[i].preset)
			FUZZ_CHECK(c.value[i].from == CONFIG_BY_FLAG &&
			    strcmp(c.value[i].text, program->keys[i].preset) == 0);
		value_is_fine(&c, i, data + 1, size - 1, lines);
	}
	config_end(&c);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const char broker[] = "\0# a broker\nlisten 127.0.0.1 8080\n  db\t/var/lib/mom \r\n\nstore-max "
	    "10g\nmachine-expiry 36h\ninsecure\nlog-format json\ntopics a,b/c\n";
	static const char daemon[] = "\1broker mom://[::1]:8080\nrun /run/a b\nclient-backlog-max 65536\nlog-time no";
	static const char client[] = "\2timeout forever\nwindow 4k\nrun x\n";
	static const char wrong[] = "\0store-max 99999999999999999999g\n";
	static const char twice[] = "\4db a\n#\ndb b\n";
	static const char unknown[] = "\0stor-max 1\n";
	static const char zero_byte[] = "\0db a\0b\n";
	static const char control[] = "\0db \033[2J\n";
	static const char flag_only[] = "\1ready-fd 3\n";
	seed("broker", broker, sizeof broker - 1);
	seed("daemon", daemon, sizeof daemon - 1);
	seed("client", client, sizeof client - 1);
	seed("wrong", wrong, sizeof wrong - 1);
	seed("twice", twice, sizeof twice - 1);
	seed("unknown", unknown, sizeof unknown - 1);
	seed("zero-byte", zero_byte, sizeof zero_byte - 1);
	seed("control", control, sizeof control - 1);
	seed("flag-only", flag_only, sizeof flag_only - 1);
}
