#!/bin/sh
# run.sh - runs an example with a broker and two daemons on free ports in a temporary folder: sh src/examples/run.sh PROGRAM [ARGUMENTS]
# The program's MOM_RUN is the first daemon's run folder; --other RUN names the second. Its exit status is the program's.
BIN=${BIN:-bin}
dir=$(mktemp -d "${TMPDIR:-/tmp}/mom-example.XXXXXX") || exit 1
broker= one= two=
cleanup() {
	for pid in $two $one $broker; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail() { echo "example: $1" >&2; cat "$dir"/*.log >&2; exit 1; }

# opening a fifo for reading waits until its writer is there: no polling for readiness
mkfifo "$dir/broker.out" "$dir/one.out" "$dir/two.out"
"$BIN/broker_server" 127.0.0.1 0 --db "$dir/db" --run "$dir/broker" >"$dir/broker.out" 2>"$dir/broker.log" & broker=$!
exec 3<"$dir/broker.out"
read -r word ip port <&3 && [ "$word" = ready ] || fail "the broker did not start"
"$BIN/mom_daemon" "$ip" "$port" --run "$dir/one" --spool "$dir/one.spool" >"$dir/one.out" 2>"$dir/one.log" & one=$!
"$BIN/mom_daemon" "$ip" "$port" --run "$dir/two" --spool "$dir/two.spool" >"$dir/two.out" 2>"$dir/two.log" & two=$!
exec 4<"$dir/one.out" 5<"$dir/two.out"
read -r word run <&4 && [ "$word" = ready ] && read -r word run <&5 && [ "$word" = ready ] || fail "a daemon did not start"
program=$1
shift
MOM_RUN=$dir/one "$program" --other "$dir/two" "$@" 3<&- 4<&- 5<&-
