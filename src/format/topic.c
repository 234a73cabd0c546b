/* topic - see topic.h */
#include "format/topic.h"
#include "base/utf8.h"
#include "format/limits.h"
#include <stdio.h>
#include <string.h>

enum { LEVEL_MAX = 200 };                      /* bytes of a folder's name; the kernel's limit is 255 */

/* bytes that need no second look: printable ASCII but those that topic_fault names */
static const unsigned char harmless[256] = {
	['!'] = 1, ['"'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['('] = 1, [')'] = 1, [','] = 1, ['-'] = 1,
	    ['.'] = 1, ['/'] = 1,
	['0' ... '9'] = 1, [':'] = 1, [';'] = 1, ['<'] = 1, ['='] = 1, ['?'] = 1, ['@' ... '~'] = 1,
};

static inline int
is_wildcard(char c)
{
	return c == '*' || c == '#' || c == '+' || c == '>';
}

/* wild: wildcards may stand in it */
static const char *
name_fault(const char *name, size_t len, int wild)
{
	const unsigned char *p = (const unsigned char *)name;
	if (len == 0)
		return "is empty; give it 1 to 255 bytes";
	if (len > MOM_TOPIC_MAX)
		return "is longer than 255 bytes";
	if (name[0] == '$')
		return "begins with `$`, which is reserved; use another first letter";
	for (size_t i = 0; i < len;) {
		if (harmless[p[i]]) {
			i++;
			continue;
		}
		uint32_t code;
		size_t n = utf8_decode(p + i, len - i, &code);
		if (n == 0)
			return "is not UTF-8";
		if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			return "has a control character";
		if (p[i] == ' ')
			return "has a space; use _ or -";
		if (is_wildcard((char)p[i]) && !wild)
			return "has one of * # + >, which only a pattern that is subscribed to may have; use other "
			    "letters";
		i += n;
	}
	return NULL;
}

const char *
topic_fault(const char *topic, size_t len)
{
	return name_fault(topic, len, 0);
}

int
topic_is_pattern(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_wildcard(name[i]))
			return 1;
	return 0;
}

/* MQTT's patterns are parted by / and have +, RabbitMQ's and NATS' are parted by . and have * */
char
pattern_separator(const char *pattern, size_t len)
{
	return memchr(pattern, '/', len) || memchr(pattern, '+', len) ? '/' : '.';
}

size_t
pattern_levels(const char *pattern, size_t len)
{
	char separator = pattern_separator(pattern, len);
	size_t n = 1;
	for (size_t i = 0; i < len; i++)
		n += pattern[i] == separator;
	return n;
}

const char *
pattern_fault(const char *name, size_t len)
{
	const char *fault = name_fault(name, len, 1);
	if (fault || !topic_is_pattern(name, len))
		return fault;
	char separator = pattern_separator(name, len), last = '\0';
	if (pattern_levels(name, len) > PATTERN_LEVELS)
		return "has more than 16 levels: put # for the last ones";
	for (size_t i = 0, begin = 0; i <= len; i++) {
		if (i < len && name[i] != separator)
			continue;
		if (i - begin > 1 && topic_is_pattern(name + begin, i - begin))
			return separator == '/' && !memchr(name, '/', len) && memchr(name, '.', len)
			    ? "has + where . parts the levels: there * stands for one level, as in plant.*.temp"
			    : separator == '/' ? "has a wildcard beside other letters: it has to fill its level, as "
			    "in plant/+/temp or plant/#" : "has a wildcard beside other letters: it has to fill its "
			    "level, as in plant.*.temp or plant.#";
		if (i < len && i - begin == 1 && name[begin] == '>')
			return "has > before its end; > stands for all levels at the end: put # there";
		if (i - begin == 1 && last == '#' && (name[begin] == '#' || name[begin] == '>'))
			return "has # in front of # or >: one # alone, or >, says the same";
		last = i - begin == 1 ? name[begin] : '\0';
		begin = i + 1;
	}
	return NULL;
}

const char *
client_name_fault(const char *name)
{
	size_t n = name ? strlen(name) : 0;
	if (n == 0 || n > MOM_NAME_MAX)
		return "a durable client's name has 1 to 64 bytes";
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != n)
		return "a durable client's name is made of A-Z a-z 0-9 . _ -";
	return NULL;
}

/* FNV-1a: fixed for ever, since a store's topics lie where it put them */
uint32_t
topic_shard(const char *topic, size_t len, uint32_t shards)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len && shards > 1; i++)
		h = (h ^ (unsigned char)topic[i]) * 16777619u;
	return shards > 1 ? h % shards : 0;
}

const char *
topic_resolve(struct topic_memo *m, const char *topic, size_t len, uint32_t shards, uint32_t *shard)
{
	if (len == 0 || len != m->len || shards != m->shards || memcmp(topic, m->name, len) != 0) {
		const char *fault = topic_fault(topic, len);
		if (fault)
			return fault;
		m->shards = shards;
		m->shard = topic_shard(topic, len, shards);
		m->len = (uint16_t)len;
		memcpy(m->name, topic, len);
	}
	*shard = m->shard;
	return NULL;
}

static int
is_plain(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	    c == '-';
}

void
topic_path(const char *topic, size_t len, char path[TOPIC_PATH_MAX])
{
	char *p = path;
	for (size_t i = 0; i <= len;) {
		size_t n = strcspn(topic + i, "/");
		char *level = p;
		int odd = topic[i] == '.' || (n == 11 && memcmp(topic + i, "subscribers", 11) == 0);
		if (n == 0) {
			*p++ = '%';
			*p++ = '-';
		}
		for (size_t k = 0; k < n; k++) {
			unsigned char c = (unsigned char)topic[i + k];
			if (p - level > LEVEL_MAX - 4) {
				*p++ = '%';
				*p++ = '/';
				level = p;
				odd = c == '.';
			}
			if (is_plain(c) && !odd)
				*p++ = (char)c;
			else
				p += sprintf(p, "%%%02X", c);
			odd = 0;
		}
		i += n + 1;
		*p++ = '/';
	}
	p[-1] = '\0';
}

int
topic_from_path(const char *path, char *topic)
{
	size_t n = 0;
	for (const char *p = path; *p;) {
		unsigned c = (unsigned char)*p++;
		if (c == '%' && *p == '/') {           /* the level goes on below */
			p++;
			continue;
		}
		if (c == '%' && *p == '-') {
			p++;
			continue;
		}
		if (c == '%') {
			if (sscanf(p, "%2X", &c) != 1 || p[0] == '\0' || p[1] == '\0')
				return -1;
			p += 2;
		}
		if (n == MOM_TOPIC_MAX)
			return -1;
		topic[n++] = (char)c;
	}
	topic[n] = '\0';
	return 0;
}

/* It stands in the segment and is read by later processes, perhaps of another version: it stays as it is for ever. It
 * needs no secret: whoever chooses topics for it slows only itself. The table is its own, of at most TOMBSTONES. */
uint64_t
topic_hash64(const char *topic, size_t len)
{
	const unsigned char *p = (const unsigned char *)topic;
	uint64_t h = 0x9e3779b97f4a7c15u ^ len, w;
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	for (; len; p++, len--)
		h = (h ^ *p) * 0x100000001b3u;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}
