#!/bin/sh
# fuzz.sh - runs the fuzz targets that `make fuzz` has built, one after the other
#
#   sh tests/fuzz/fuzz.sh frame answers ...
#
# FUZZ_SECONDS=n  seconds a target (60)          FUZZ_RUNS=n  so many inputs instead
# T=substring     only targets whose name contains it
# New inputs that reach new code are kept in build/fuzz/found/TARGET, a crashing one in build/fuzz/. The last lines count the executions;
# exit 1 if a target crashed.
found=build/fuzz/found
limits=-max_total_time=${FUZZ_SECONDS:-60}
[ -n "$FUZZ_RUNS" ] && limits=-runs=$FUZZ_RUNS
# a process that ends in the middle leaves nothing behind: its memory is given back by the edge, so leaks are real
export UBSAN_OPTIONS=print_stacktrace=1
sum=0 bad=0 report=
for target in "$@"; do
	case $target in *"$T"*) ;; *) continue ;; esac
	mkdir -p "$found/$target"
	log=build/fuzz/$target.log
	echo "fuzzing $target ($limits)"
	if ! "build/fuzz/$target" "$limits" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/$target-" \
	    "$found/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
		bad=1
		crash=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
		tail -40 "$log"
		echo "FAIL $target: repeat it with: FUZZ_VERBOSE=1 build/fuzz/$target $crash"
	fi
	n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
	sum=$((sum + ${n:-0}))
	report="$report$(printf '%-14s %12s executions %8s/s' "$target" "${n:-?}" "${speed:-?}")
"
done
printf '%s%-14s %12s executions\n' "$report" sum "$sum"
exit $bad
