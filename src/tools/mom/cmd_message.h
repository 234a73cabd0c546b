/* How sub and peek show a message. */
#ifndef CMD_MESSAGE_H
#define CMD_MESSAGE_H
#include "tools/mom/cmd.h"
#include <mom.h>

struct message_style {
	int verbose;                       /* the topic and a space before the payload */
	int json;                          /* an object */
	int bare;                          /* no newline behind */
	const char *format;                /* as message_format says, or NULL */
};

/* The options that they share, for the tables of cmd_option: MESSAGE_SHORTS and MESSAGE_LONGS. 1: it was one of them,
 * and is taken. */
#define MESSAGE_SHORTS "vNF:"
#define MESSAGE_LONGS  { "verbose", 0, 0, 'v' }, { "json", 0, 0, 'j' }, { "raw", 0, 0, 'N' }, { "format", 1, 0, 'F' }
#define MESSAGE_USAGE \
	"  -v, --verbose      the topic and a space before each payload\n" \
	"  -N, --raw          payloads one behind the other, with nothing added\n" \
	"  --json             one object a line: topic, data (data_base64 where it is no UTF-8), publisher, " \
	"offset, time, redelivered,\n" \
	"                     and what it has of key, reply_to, correlation, content_type, headers, expires\n" \
	"  -F, --format TEXT  %t topic  %p payload  %x payload in hexadecimal  %l its length  " \
	"%j the object of --json\n" \
	"                     %U seconds since 1970  %I the same as 2026-01-31T12:00:00.000000Z, " \
	"both when the broker stored it\n" \
	"                     %o offset  %P publisher  %r 1 where it is redelivered, else 0  %% percent; \\n \\r \\t " \
	"\\a \\e \\0 \\\\; a newline is added\n"
int  message_option(const struct cmd *c, struct message_style *s, int option, const char *value);

void message_print(const struct message_style *s, const struct mom_message *m);    /* on stdout */
#endif
