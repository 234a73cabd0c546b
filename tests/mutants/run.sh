#!/bin/sh
# Bugs on purpose, one patch each: the tests that its header names must fail with it. This tests the tests.
#
#   make mutants            T=substring: some        KEEP=1: keep the output of each test in build/mutants/NAME.out
#
# A patch of tests/mutants begins with lines
#   What:      the bug, and which promise it breaks
#   Caught-by: PROGRAM/CASE ...      e.g. unit/seglog/torn_tail: one after the other, until one fails
#   Env:       NAME=value ...        for those tests, where they need it (VARIANT=debug builds with fault points)
# All happens in one copy of the tree below build/mutants, so that only what a patch touches is built again.
# A patch that no longer applies, or whose tests do not fail, makes the run fail. The last line is `N caught, N missed, N broken`.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$top/build/mutants
tree=$work/tree
jobs=${JOBS_BUILD:-2}
mkdir -p "$tree"

# what a former run left patched is copied anew; files that did not change keep their time
for folder in Makefile include src tests; do
	find "$top/$folder" -type f | while read -r file; do
		copy=$tree/${file#"$top"/}
		cmp -s "$file" "$copy" && continue
		mkdir -p "$(dirname "$copy")"
		cp "$file" "$copy"
	done
done
cd "$tree" && find Makefile include src tests -type f | while read -r file; do
	[ -e "$top/$file" ] || rm -f "$file"
done

header() {
	sed -n "/^--- /q;s/^$2: *//p" "$1"
}

# program/case: builds the program and runs the case; 0: it passed
passes() {
	program=build/tests-$variant/${1%/*}
	case=${1##*/}
	make -j"$jobs" VARIANT="$variant" all "$program" >>"$work/$name.out" 2>&1 || { echo "does not build" >>"$work/$name.out"; return 2; }
	bin=bin
	[ "$variant" = release ] || bin=build/$variant/bin
	[ "$variant" = release ] || FAULTS=1
	# shellcheck disable=SC2086
	env $setting FAULTS="${FAULTS:-}" BIN=$bin LIMIT="${LIMIT:-60}" T="${program##*/}/$case" sh tests/run.sh "$program" >>"$work/$name.out" 2>&1
}

caught=0 missed=0 broken=0
for patch in "$top"/tests/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	case $name in *"${T:-}"*) ;; *) continue ;; esac
	began=$(date +%s)
	variant=release by= FAULTS= setting=$(header "$patch" Env)
	case $setting in *VARIANT=debug*) variant=debug ;; esac
	: >"$work/$name.out"
	verdict=missed
	if ! patch -p1 --fuzz=2 -s -f --no-backup-if-mismatch -r - <"$patch" >>"$work/$name.out" 2>&1; then
		verdict=broken by="does not apply"
		for file in $(sed -n 's/^+++ b\///p' "$patch"); do cp "$top/$file" "$file"; done
	else
		for test in $(header "$patch" Caught-by); do
			passes "$test"
			case $? in
			0) ;;
			2) verdict=broken by="does not build"; break ;;
			*) verdict=caught by=$test
			   grep -q "^0 passed, 0 failed" "$work/$name.out" && verdict=broken by="no such case: $test"
			   break ;;
			esac
		done
		for file in $(sed -n 's/^+++ b\///p' "$patch"); do cp "$top/$file" "$file"; done
	fi
	case $verdict in
	caught) caught=$((caught + 1)) ;;
	missed) missed=$((missed + 1)) by="by $(header "$patch" Caught-by)" ;;
	broken) broken=$((broken + 1)) ;;
	esac
	printf '  %-7s %-28s %-38s %3d s\n' "$verdict" "$name" "$by" $(($(date +%s) - began))
	[ -n "${KEEP:-}" ] || [ "$verdict" != caught ] || rm -f "$work/$name.out"
done
echo "$caught caught, $missed missed, $broken broken"
[ "$missed" -eq 0 ] && [ "$broken" -eq 0 ] && [ "$caught" -gt 0 ]
