#!/bin/sh
# The models of tests/models: each is searched to its last state without an error, and each of its BUG variants must show one.
# T=substring: some. Needs spin and a C compiler; says so where spin is missing.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build/models
if ! command -v spin >/dev/null; then
	echo "models: spin is missing: nothing was checked (Debian: apt-get install spin)" >&2
	exit 1
fi
good=0 caught=0 wrong=0

# model bug: builds and runs the search; its output is in $dir/out
search() {
	dir=$out/$1-$2
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir" || exit 1
	cp "$top/tests/models/$1.pml" .
	spin -DBUG="$2" -a "$1.pml" >spin.out 2>&1 || { cat spin.out; return 1; }
	${CC:-cc} -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -o pan pan.c || return 1
	timeout "${LIMIT:-300}" ./pan -m500000 >out 2>&1
}

for model in "$top"/tests/models/*.pml; do
	name=$(basename "$model" .pml)
	case $name in *"${T:-}"*) ;; *) continue ;; esac
	search "$name" 0
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
	if grep -q 'errors: 0' out && [ -n "$states" ] && ! grep -Eq 'max search depth too small|MEMLIM|resiz.*abort' out; then
		good=$((good + 1))
		printf '  ok    %-8s %10s states, no error\n' "$name" "$states"
	else
		wrong=$((wrong + 1))
		printf '  WRONG %-8s %s; make model T=%s; spin -t -p build/models/%s-0/%s.pml shows the way there\n' "$name" \
		    "$(grep -E '^pan:[0-9]' out | head -1)" "$name" "$name" "$name"
	fi
	for bug in $(grep -o 'BUG=[0-9]*' "$model" | sed 's/BUG=//' | sort -nu); do
		search "$name" "$bug"
		if grep -Eq '^pan:[0-9]*: (assertion|invalid end)' out; then
			caught=$((caught + 1))
		else
			wrong=$((wrong + 1))
			printf '  WRONG %-8s BUG=%s is not found\n' "$name" "$bug"
		fi
	done
done
echo "models: $good complete without an error, $caught bugs on purpose found, $wrong wrong"
[ "$wrong" -eq 0 ] && [ "$good" -gt 0 ]
