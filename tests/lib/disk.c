/* disk - how much space files take */
#include <lib/disk.h>
#include <lib/t.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

uint64_t
disk_used(const char *folder, const char *begins)
{
	uint64_t bytes = 0;
	DIR *d = opendir(folder);
	REQUIRE(d, "opendir(%s)", folder);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		if (strncmp(e->d_name, begins, strlen(begins)) == 0 && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
			bytes += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return bytes;
}
