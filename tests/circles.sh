#!/bin/sh
# circles.sh - no circle between the files of a room: each can be understood with those that it calls. Reads the objects that `make`
# built. Prints the files of each circle; exit 1 if there is one.
cd "$(dirname "$0")/../build/obj-release" || exit 1
# what has no source any more was left behind by a move
find . -name '*.o' ! -path './examples/*' | sed 's/^\.\///; s/\.o$//' | while read -r f; do
	[ -f "../../src/$f.c" ] && echo "$f.o"
done | xargs nm -A | awk '
{
	file = $0; sub(/:.*/, "", file); sub(/^\.\//, "", file); sub(/\.o$/, "", file)
	if ($(NF - 1) ~ /^[TDBRC]$/) { if (!($NF in where)) where[$NF] = file }
	else if ($(NF - 1) == "U" || $0 ~ / U /) uses[file "\t" $NF] = 1
}
END {
	for (u in uses) {
		split(u, part, "\t")
		to = where[part[2]]
		split(part[1], a, "/"); split(to, b, "/")
		if (to != "" && to != part[1] && a[1] == b[1]) print part[1], to
	}
}' | tsort 2>&1 >/dev/null | grep -v '^tsort: -: ' | sed 's/^tsort: /in a circle: /' | sort -u | grep . && exit 1
exit 0
