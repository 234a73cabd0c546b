#!/bin/sh
# lint.sh - what the compiler of `make` does not say: clang's warnings where clang is installed, the fields that the header of each
# process's source must have, system calls outside the files that own them. Exit 1 where something is found.
cd "$(dirname "$0")/.." || exit 1
bad=0
if command -v clang >/dev/null 2>&1; then
	for f in $(find src -name '*.c'); do
		clang -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Werror -Iinclude -Isrc \
		    -fsyntax-only "$f" || bad=1
	done
fi
for f in src/broker/broker_server.c src/broker/broker_handler.c src/broker/broker_sender.c src/worker/worker.c src/daemon/mom_daemon.c \
    src/daemon/mom_requester.c src/daemon/mom_responser.c src/daemon/mom_forwarder.c; do
	for field in 'STARTED BY' 'READS' 'WRITES' 'SLEEPS IN' 'MUST NOT' 'KEYS' 'COUNTS' 'SIGNALS' 'EXIT' 'ON CRASH'; do
		head -25 "$f" | grep -q "$field" || { echo "$f: its header lacks $field"; bad=1; }
	done
done
# msgsnd, msgrcv, semtimedop and fdatasync have wrappers that know EINTR, a full queue and the fault points
if grep -nE '[^_a-z](msgsnd|msgrcv|semop|semtimedop|fdatasync|pwrite|pread)\(' -r src --include='*.c' | grep -vE '^src/(ipc/ipcq|base/fdio|base/lock)\.c|log_|"|^[^:]*:[0-9]*: \*'; then
	echo "bare system calls outside src/ipc/ipcq.c and fdio.c"
	bad=1
fi
# getopt heeds POSIXLY_CORRECT and takes abbreviations; an example is a program of its own
if grep -nE 'getopt(_long)?\(' -r src --include='*.c' | grep -v '^src/examples/'; then
	echo "getopt outside src/examples: use src/base/arguments.h"
	bad=1
fi
sh tests/rooms.sh || bad=1
sh tests/heads.sh || bad=1
sh tests/circles.sh || bad=1
# a tab goes to the next multiple of 8
if git ls-files '*.[ch]' 2>/dev/null | xargs expand -t 8 2>/dev/null | awk 'length($0) > 120 { print; n++ } END { exit n == 0 }'; then
	echo "lines of more than 120 columns"
	bad=1
fi
[ "$bad" = 0 ] && echo "lint: clean"
exit $bad
