/* config_flags - see config.h: a table's flags and its usage */
#include "config/config.h"
#include "base/arguments.h"
#include <stdlib.h>
#include <string.h>

enum { FLAG_OF_KEY = 256, USAGE_WIDTH = 140 };

static int
wrong_flag(struct config *c, const char *what, const char *which)
{
	snprintf(c->error, sizeof c->error, "%s%s%.300s", what, which ? ": " : "", which ? which : "");
	return -1;
}

static void
flag_options(const struct config_program *p, struct option *options)
{
	static const struct option usual[] = { { "config", 1, 0, 'c' }, { "test", 0, 0, 't' }, { "verbose", 0, 0, 'v' },
	    { "help", 0, 0, 'h' }, { 0 } };
	for (unsigned i = 0; i < p->count; i++) {
		const struct config_key *k = &p->keys[i];
		if (!(k->how & CONFIG_NO_FLAG))
			*options++ = (struct option){ k->name, k->kind == CONFIG_SWITCH ||
			    (k->how & CONFIG_ALONE) ? optional_argument : required_argument, 0,
				FLAG_OF_KEY + (int)i };
	}
	memcpy(options, usual, sizeof usual);
}

/* HOST PORT, or mom://HOST:PORT */
static int
flag_address(struct config *c, int count, char **words)
{
	char text[400];
	unsigned key = 0;
	while (key < c->program->count && c->program->keys[key].kind != CONFIG_ADDRESS)
		key++;
	if (count == 0 && key < c->program->count)
		return 0;
	if (key == c->program->count || count > 2 || (count == 1 && strncmp(words[0], "mom://", 6) != 0))
		return wrong_flag(c, c->program->needed, NULL);
	if (strchr(words[0], ' ') || words[0][0] == '\0')
		return wrong_flag(c, "neither an IPv4 or IPv6 address nor a host's name", words[0]);
	if (count == 2 && (strchr(words[1], ' ') || words[1][0] == '\0'))
		return wrong_flag(c, "not a port (0 to 65535)", words[1]);
	snprintf(text, sizeof text, "%.300s%s%.80s", words[0], count == 2 ? " " : "", count == 2 ? words[1] : "");
	return config_set(c, key, text, CONFIG_BY_FLAG, NULL, 0);
}

int
config_flags(struct config *c, int argc, char **argv)
{
	struct option options[CONFIG_KEYS_MAX + 5];
	struct arguments a;
	int r = 0, level = config_find(c->program, "log-level", 9);
	flag_options(c->program, options);
	arguments_begin(&a, argc, argv, "vhtc:", options);
	for (int o; r == 0 && (o = arguments_next(&a)) != -1;) {
		switch (o) {
		case 'v': r = config_set(c, (unsigned)level, "debug", CONFIG_BY_FLAG, NULL, 0); break;
		case 'c': free(c->named); c->named = strdup(a.value); break;
		case 't': c->test = 1; break;
		case 'h': return CONFIG_HELP;
		case '?': return wrong_flag(c, a.fault, NULL);
		default:
			r = config_set(
			    c, (unsigned)(o - FLAG_OF_KEY), a.value ? a.value : "yes", CONFIG_BY_FLAG, NULL, 0);
		}
	}
	return r < 0 ? r : flag_address(c, a.count, a.word);
}

/* ---- usage ---- */

void
config_usage(const struct config_program *p, FILE *to)
{
	static const char usual[] =
	    "  -v                           --log-level debug\n"
	    "  -c FILE, --config FILE       read this file, or those of this folder, instead of /etc/mom/ and "
	    "~/.config/mom/ (MOM_CONFIG)\n"
	    "  -t, --test                   read all that, say which files it was, and end: 0 where all is right, 100 "
	    "where not; HOST PORT may be left out\n";
	int column = fprintf(to, "usage: %s", p->name), indent = column;
	for (unsigned i = 0; i < p->count; i++) {
		const struct config_key *k = &p->keys[i];
		char word[80];
		int n = k->kind == CONFIG_ADDRESS ? snprintf(word, sizeof word, " %s", k->shape) :
		    snprintf(word, sizeof word, k->shape ? k->how & CONFIG_ALONE ? " [--%s[=%s]]" : " [--%s %s]"
		    : " [--%s]", k->name, k->shape);
		if (column + n > USAGE_WIDTH)
			column = fprintf(to, "\n%*s", indent, "") - 1;
		column += n;
		fputs(word, to);
	}
	fputs(" [-v] [-c FILE] [-t]\n", to);
	for (unsigned i = 0; i < p->count; i++) {
		const struct config_key *k = &p->keys[i];
		char word[60];
		snprintf(word, sizeof word, k->how & CONFIG_NO_FLAG ? "%s%s" : k->how & CONFIG_ALONE ? "--%s[=%s]"
		    : k->shape ? "--%s %s" : "--%s%s",
		    k->how & CONFIG_NO_FLAG ? "" : k->name, k->shape ? k->shape : "");
		fprintf(to, "  %-28s %s", word, k->help);
		fprintf(to, k->preset && k->kind != CONFIG_SWITCH ? " (%s)\n" : "\n", k->preset);
	}
	fputs(usual, to);
	fprintf(to, "Each is also a line `KEY VALUE` of /etc/mom/%s or ~/.config/mom/%s (KEY: as the flag, without "
	    "--), or %sKEY in the\n"
	    "environment (in capitals, _ for -); MOM_URL is mom://HOST:PORT, MOM_LOG is LEVEL[,json][,time|notime]. "
	    "Flags win over the environment, that over files.\n"
	    "SIGHUP reads the files again, SIGUSR1 opens the log file anew. `mom config show` says what holds and why. "
	    "src/tools/etc/%s has every key.\n"
	    "%s",
	    p->file, p->file, p->prefix, p->file, p->example);
}
