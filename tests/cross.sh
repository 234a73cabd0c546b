#!/bin/sh
# cross.sh - the unit tests for other machines: aarch64 (weakly ordered memory) and i686 (32 bits), by qemu's user emulation
#
#   make cross          where the cross compilers and qemu-user are installed (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross
#                       gcc-i686-linux-gnu libc6-dev-i386-cross qemu-user); else it is said what is missing
# The last line is `N passed, N failed`.
cd "$(dirname "$0")/.." || exit 1
units='ring idling record seglog topic decide registry counters coding kept logind metrics'
passed=0 failed=0
for machine in aarch64-linux-gnu:qemu-aarch64 i686-linux-gnu:qemu-i386; do
	tools=${machine%%:*} emulator=${machine##*:} variant=${machine%%-*}
	if ! command -v "$tools-gcc" >/dev/null || ! command -v "$emulator" >/dev/null; then
		echo "left out: $tools-gcc or $emulator is not installed"
		continue
	fi
	for unit in $units; do
		program=build/tests-$variant/unit/$unit
		make VARIANT="$variant" CC="$tools-gcc" LD="$tools-ld" OBJCOPY="$tools-objcopy" AR="$tools-ar" "$program" >"build/cross.log" 2>&1 || {
			tail -5 build/cross.log
			failed=$((failed + 1))
			continue
		}
		LIMIT=600 "$emulator" "$program" >build/cross.log 2>&1
		passed=$((passed + $(grep -c '^ok' build/cross.log))) failed=$((failed + $(grep -c '^FAIL' build/cross.log)))
		grep -A5 '^FAIL' build/cross.log
		grep -q '^ok' build/cross.log || { echo "$program ran no case"; failed=$((failed + 1)); }
	done
	echo "$variant: $passed passed so far"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
