#!/bin/sh
# run.sh - runs test programs case by case, several at once, and counts
#
#   BIN=bin sh tests/run.sh build/tests-release/*/*
#
# T=substring     only the cases whose PROGRAM/CASE contains it
# JOBS=n          cases at once (three a core, since most of them wait; one a core while others keep the cores busy)
# LIMIT=seconds   a case that takes longer is killed and failed (60; LONG=1: 3600); more on a machine that is slow just then, see lib/pace.h
# LONG=1, KEEP=1, SEED=n, FAULTS=1: see tests/lib/t.h
# The last line is `N passed, N failed`; exit 1 if one failed, or if there was none.
limit=${LIMIT:-60}
[ -n "$LONG" ] && [ "$LONG" != 0 ] && limit=${LIMIT:-3600}
LIMIT=$limit
export LIMIT BIN
work=${TMPDIR:-/tmp}/mom-run.$$
umask 077
mkdir "$work" "$work/taken" || exit 1

: >"$work/cases"
for program in "$@"; do
	if ! "$program" --list >"$work/list"; then
		echo "$program --list" >>"$work/broken"
		continue
	fi
	while read -r name; do
		case "${program##*/}/$name" in
		*"$T"*) echo "$program $name" >>"$work/cases" ;;
		esac
	done <"$work/list"
done

# one case: its output in $work/out.N, its verdict in $work/done.N
run_case() {
	n=$1 program=$2 name=$3 title=${2##*/}/$3
	RESULTS=$work/result.$n "$program" "$name" >"$work/out.$n" 2>&1 </dev/null &
	pid=$!
	( trap 'kill "$sleeper" 2>/dev/null; exit 0' TERM
	  sleep $((limit * 20 + 60)) & sleeper=$!      # the limit follows the machine (lib/pace.h); this is for a runner that hangs
	  wait "$sleeper"
	  kill -9 "$pid" 2>/dev/null ) &
	dog=$!
	wait "$pid"
	status=$?
	kill "$dog" 2>/dev/null
	wait "$dog" 2>/dev/null
	ms=0
	[ -f "$work/result.$n" ] && ms=$(sed -n 's/.* \([0-9]*\)$/\1/p' "$work/result.$n" | tail -1)
	seconds=$((${ms:-0} / 1000)).$((${ms:-0} % 1000 / 100))
	if [ "$status" = 0 ] && grep -q "^ok $title" "$work/out.$n"; then
		echo "ok $title $seconds s"
		grep '^  note: ' "$work/out.$n"
		echo "${ms:-0} $title" >>"$work/passed"
	else
		grep -q "^FAIL $title:" "$work/out.$n" || echo "FAIL $title: the test program ended with status $status" >>"$work/out.$n"
		sed -n "/^FAIL /,\$p" "$work/out.$n" | head -80 >"$work/tail.$n"
		cat "$work/tail.$n"
		echo "$title" >>"$work/failed"
	fi
	rm -f "$work/out.$n" "$work/result.$n" "$work/tail.$n"
}

# 0: the cores had next to no time left since this lane asked last, so that fewer cases at once get on better. The load average would not tell:
# it counts those who wait for the disk, too.
is_loaded() {
	read -r cpu user nice system idle waiting rest </proc/stat 2>/dev/null || return 1
	free=$((idle + waiting)) all=$((user + nice + system + idle + waiting))
	[ $((all - all_before)) -lt $((cores * 20)) ] && return "$verdict"        # too short a time to tell
	verdict=1
	[ "$all_before" -gt 0 ] && [ $(((free - free_before) * 20)) -lt $((all - all_before)) ] && verdict=0
	free_before=$free all_before=$all
	return "$verdict"
}

# a lane takes the next case that nobody has taken; mkdir is the lock. Lanes beyond one a core rest while the machine is loaded.
lane() {
	n=0
	lane_number=$1
	all_before=0 free_before=0 verdict=1
	while read -r program name; do
		n=$((n + 1))
		[ -f "$work/stop" ] && return
		[ -d "$work/taken/$n" ] && continue
		while [ "$lane_number" -ge "$cores" ] && [ ! -f "$work/stop" ] && is_loaded; do
			sleep 1
			[ -f "$work/last" ] && return
		done
		mkdir "$work/taken/$n" 2>/dev/null || continue
		run_case "$n" "$program" "$name"
	done <"$work/cases"
	: >"$work/last"
}

finish() {
	: >"$work/stop"
	wait
	rm -rf "$work"
	exit 130
}
trap finish INT TERM

touch "$work/passed" "$work/failed" "$work/broken"
i=0
cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null) || cores=2
while [ "$i" -lt "${JOBS:-$((cores * 3 < 24 ? cores * 3 : 24))}" ]; do
	lane "$i" &
	i=$((i + 1))
done
wait

while read -r line; do
	echo "FAIL $line: does not list its cases"
	echo "$line" >>"$work/failed"
done <"$work/broken"
passed=$(($(wc -l <"$work/passed")))
failed=$(($(wc -l <"$work/failed")))
if [ "$passed" -gt 5 ]; then
	echo "slowest: $(sort -rn "$work/passed" | head -5 | while read -r ms name; do printf '%s %d.%d s  ' "$name" $((ms / 1000)) $((ms % 1000 / 100)); done)"
fi
if [ "$failed" -gt 0 ]; then
	echo "failed: $(tr '\n' ' ' <"$work/failed")"
fi
rm -rf "$work"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
