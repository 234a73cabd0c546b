#!/bin/sh
# run.sh - an example with a broker and a daemon of its own: BIN=bin sh src/examples/run.sh COMMAND ...
#
# Starts both on free ports in a temporary folder, runs the command with MOM_RUN set, stops both. Exit status: the command's.
BIN=${BIN:-bin}
dir=$(mktemp -d "${TMPDIR:-/tmp}/mom-example.XXXXXX") || exit 111
broker= daemon= command=
cleanup() {
	for pid in $command $daemon $broker; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail() { echo "example: $1" >&2; cat "$dir"/*.log >&2; exit 111; }

# opening a fifo for reading waits until its writer is there: no polling for readiness
mkfifo "$dir/broker.out" "$dir/daemon.out" || exit 111
"$BIN/broker_server" 127.0.0.1 0 --db "$dir/db" --run "$dir/broker" >"$dir/broker.out" 2>"$dir/broker.log" & broker=$!
exec 3<"$dir/broker.out"
read -r word ip port <&3 && [ "$word" = ready ] || fail "the broker did not start"
"$BIN/mom_daemon" "$ip" "$port" --run "$dir/run" --spool "$dir/spool" >"$dir/daemon.out" 2>"$dir/daemon.log" & daemon=$!
exec 4<"$dir/daemon.out"
read -r word run <&4 && [ "$word" = ready ] || fail "the daemon did not start"
MOM_RUN=$dir/run "$@" & command=$!
wait "$command"
status=$?
command=
exit $status
