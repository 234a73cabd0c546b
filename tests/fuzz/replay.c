/* replay - every stored input of a target once more, with any compiler: a case of `make test`; with --make FOLDER as
 * its arguments the target's own seeds are written there. Links with one target, which is hidden but for
 * LLVMFuzzerTestOneInput and fuzz_seeds. */
#include "fuzz.h"
#include <lib/t.h>
#include <dirent.h>
#include <errno.h>

static const char *seeds;

static void
replay_file(const char *path)
{
	long n;
	FILE *f = fopen(path, "rb");
	REQUIRE(f && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0, "%s: %s", path, strerror(errno));
	rewind(f);
	uint8_t *bytes = malloc(n > 0 ? (size_t)n : 1);       /* exactly so long: a sanitizer sees a read behind it */
	REQUIRE(fread(bytes, 1, (size_t)n, f) == (size_t)n, "%s", path);
	fclose(f);
	fprintf(stderr, "%s\n", path);                        /* the last one named is the one that failed */
	LLVMFuzzerTestOneInput(bytes, (size_t)n);
	free(bytes);
}

TEST(corpus, "every stored hostile input ends in a clear error or in sound data: no crash, no hang, no byte beyond")
{
	char *folder = t_text("tests/fuzz/corpus/%s", program_invocation_short_name);
	DIR *d = opendir(folder);
	int n = 0;
	REQUIRE(d, "%s: %s", folder, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.') {
			replay_file(t_text("%s/%s", folder, e->d_name));
			n++;
		}
	closedir(d);
	REQUIRE(n > 0, "%s is empty", folder);
}

static void
write_seed(const char *name, const void *bytes, size_t n)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", seeds, name);
	FILE *f = fopen(path, "wb");
	if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

__attribute__((constructor)) static void
make_seeds(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--make") != 0)
		return;
	seeds = argv[2];
	fuzz_seeds(write_seed);
	exit(0);
}
