#!/bin/sh
# demo.sh - make demo: a broker and a daemon on free ports in a temporary folder, two user_main talk over two topics, the process
# tree is shown (from /proc), all stops. Exit 0 only if all of it worked.
BIN=${BIN:-bin}
dir=$(mktemp -d "${TMPDIR:-/tmp}/mom-demo.XXXXXX") || exit 1
broker= daemon= ear= mouth=
# no configuration of this machine or its user
MOM_CONFIG=$dir
export MOM_CONFIG
unset MOM_URL MOM_LOG
cleanup() {
	for pid in $ear $mouth $daemon $broker; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail() { echo "demo: $1" >&2; cat "$dir"/*.log >&2; exit 1; }

# opening a fifo for reading waits until its writer is there: no polling for readiness
mkfifo "$dir/broker.out" "$dir/daemon.out" "$dir/ear.out" "$dir/ear.in" "$dir/mouth.out" "$dir/mouth.in"

echo "== a broker on a free port, and this machine's daemon"
"$BIN/broker_server" 127.0.0.1 0 --db "$dir/db" --run "$dir/broker" >"$dir/broker.out" 2>"$dir/broker.log" & broker=$!
exec 3<"$dir/broker.out"
read -r word ip port <&3 && [ "$word" = ready ] || fail "the broker did not start"
"$BIN/mom_daemon" "$ip" "$port" --run "$dir/run" --spool "$dir/spool" >"$dir/daemon.out" 2>"$dir/daemon.log" & daemon=$!
exec 4<"$dir/daemon.out"
read -r word run <&4 && [ "$word" = ready ] || fail "the daemon did not start"
echo "broker_server: ready $ip $port"
echo "mom_daemon:    ready"

echo "== two user_main: one listens to news and log, the other publishes"
"$BIN/user_main" --run "$dir/run" <"$dir/ear.in" >"$dir/ear.out" 2>"$dir/ear.log" & ear=$!
exec 5>"$dir/ear.in" 6<"$dir/ear.out"
"$BIN/user_main" --run "$dir/run" <"$dir/mouth.in" >"$dir/mouth.out" 2>"$dir/mouth.log" & mouth=$!
exec 7>"$dir/mouth.in" 8<"$dir/mouth.out"
# what one of them is told, and its answer
say() {           # NAME IN OUT LINE ANSWER
	echo "  $1> $4"
	echo "$4" >&"$2"
	read -r answer <&"$3" || fail "the $1 ended"
	echo "  $answer"
	[ "$answer" = "$5" ] || fail "expected: $5"
}
listener() { say listener 5 6 "$1" "$2"; }
publisher() { say publisher 7 8 "$1" "$2"; }
listener "S news" "ok subscribe news"
listener "S log" "ok subscribe log"

echo "== the processes (pid, parent, command)"
for stat in /proc/[0-9]*/stat; do
	{ read -r line <"$stat"; } 2>/dev/null || continue
	pid=${line%% *} rest=${line##*) } ; rest=${rest#? } ; parent=${rest%% *}
	case $pid in "$broker" | "$daemon" | "$ear" | "$mouth") ;; *) case $parent in "$broker" | "$daemon") ;; *) continue ;; esac ;; esac
	printf '  %7s %7s %s\n' "$pid" "$parent" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | sed "s|$dir/||g" | cut -c1-90)"
done

echo "== publishing"
publisher "P news hello, world" "ok publish news"
publisher "P log it works" "ok publish log"
publisher E "ok exit"
wait "$mouth" || fail "the publisher failed"
mouth=
listener "R 20" "message news hello, world"
listener "R 20" "message log it works"
listener E "ok exit"
wait "$ear" || fail "the listener failed"
ear=
echo "== all stops"
kill "$daemon" && wait "$daemon" || fail "the daemon did not stop cleanly"
daemon=
kill "$broker" && wait "$broker" || fail "the broker did not stop cleanly"
broker=
echo "done: nothing is left behind"
