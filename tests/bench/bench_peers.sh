#!/bin/sh
# bench_peers.sh - make bench PEERS=1: our workloads, those of other brokers by the bench in PEERS_DIR, one table of both
#
#   PEERS      1: each broker that is installed (some minutes); or names: "redis nats"
#   PEERS_DIR  the folder of their bench (run.sh, README.md); it is copied, never written to
#   W          workloads ("W1 W5"); all without it         SECS, REPS  a run's length (1); rounds (3), in each of which all take their turn: medians
# Exit 0 when ours ran, whatever is missing of the others: the lines below the table say what.
BIN=${BIN:-bin} PEERS_DIR=${PEERS_DIR:-../shared/peers} SECS=${SECS:-1} REPS=${REPS:-3}
loads=${W:-W1 W2 W3 W4 W5 W6 W7 W8}
work=$(mktemp -d "${TMPDIR:-/tmp}/mom-peers.XXXXXX") || exit 111
missing=
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL MOM     # our make's PEERS=... is no business of theirs
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

program_of() {
	case $1 in nats) echo nats-server ;; redis) echo redis-server ;; rabbitmq) echo rabbitmq-server ;; mosquitto | beanstalkd) echo "$1" ;; esac
}
say_missing() { case $missing in *"$1"*) ;; *) missing="$missing$1
" ;; esac; }

build() {
	[ -f "$PEERS_DIR/run.sh" ] || { say_missing "the bench of the others: no $PEERS_DIR/run.sh; PEERS_DIR names its folder"; return 1; }
	mkdir "$work/peers" && cp -r "$PEERS_DIR/." "$work/peers/" && chmod -R u+w "$work/peers" || return 1
	make -s -C "$work/peers" >"$work/build" 2>&1 && return 0
	say_missing "the bench of the others does not build: $(grep -i -m1 'error' "$work/build" || tail -1 "$work/build")"
	return 1
}

# one peer: lines `peer workload variant median min max unit ...` in $work/others
measure() {
	program=$(program_of "$1")
	if [ -n "$program" ] && ! command -v "$program" >/dev/null; then
		say_missing "$1: $program is not installed"
		return
	fi
	[ -t 2 ] && echo "$1 ..." >&2
	TMP=$work REPS=1 SECS=$SECS "$work/peers/run.sh" "$1" $loads >"$work/one" 2>"$work/err"
	[ -s "$work/one" ] || say_missing "$1: $(tail -1 "$work/err")"
	cat "$work/one" >>"$work/others"
	case " $loads " in *" W3 "*) ;; *) return ;; esac
	TMP=$work REPS=1 SECS=$SECS taskset -c 0 "$work/peers/run.sh" "$1" W3 2>/dev/null | sed 's/\( rtt-[^ ]*\)/\1-1core/' >>"$work/others"
}

: >"$work/others"
# shellcheck disable=SC2086
[ "$PEERS" = 1 ] && PEERS="mosquitto nats redis beanstalkd rabbitmq"
build || PEERS=
round=0
while [ $((round += 1)) -le "$REPS" ]; do
	"$BIN/mom_bench" --selfserve --json --seconds "$SECS" --repeat 1 $loads >>"$work/ours" || exit $?
	for peer in $PEERS; do measure "$peer"; done
done

sed 's/^{"workload":"\([^"]*\)","variant":"\([^"]*\)","median":\([^,]*\),.*"unit":"\([^"]*\)".*/ours \1 \2 \3 - - \4/' "$work/ours" |
cat - "$work/others" | awk 'function shown(v) { return sprintf(v < 10 ? "%.2f" : v < 100 ? "%.1f" : "%.0f", v) }
function median(list,   v, c, i, j, t) {
	c = split(list, v, " ")
	for (i = 1; i <= c; i++) for (j = i + 1; j <= c; j++) if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
	return c ? v[int((c + 1) / 2)] : ""
}
$1 == "ours" { k = $2 " " $3; if (!(k in ours)) { n++; key[n] = k; unit[n] = $7 } ours[k] = ours[k] " " $4; next }
{ sub(/-rss$/, "-pss", $3); got[$1, $2 " " $3] = got[$1, $2 " " $3] " " $4; if (!($1 in seen)) { seen[$1]; peers++; name[peers] = $1 } }
$8 != "lost=0" && $8 != "" { lossy[$1, $2 " " $3] = "!"; any = 1 }
END {
	printf "%-4s %-20s %-12s %10s", "", "", "unit", "ours"
	for (p = 1; p <= peers; p++) printf " | %10s %7s", name[p], "ratio"
	print ""
	for (i = 1; i <= n; i++) {
		split(key[i], part, " ")
		value[i] = median(ours[key[i]])
		printf "%-4s %-20s %-12s %10s", part[1], part[2], unit[i], shown(value[i])
		for (p = 1; p <= peers; p++) {
			v = median(got[name[p], key[i]])
			less = unit[i] ~ /^(us|ms|KiB)$/
			if (v == "") printf " | %10s %7s", "-", "-"
			else if (v + 0 == 0 || value[i] + 0 == 0) printf " | %10s %7s", shown(v + 0), "-"
			else printf " | %10s %7.2f", shown(v + 0) lossy[name[p], key[i]], less ? v / value[i] : value[i] / v
		}
		print ""
	}
	print "ratio: how many times better ours is (a rate: ours / theirs; time and memory: theirs / ours)." (any ? " !: lost messages." : "")
	print "memory: ours is the PSS of all servers, theirs the RSS of the broker."
}'
[ -n "$missing" ] && printf 'Not measured:\n%s' "$missing"
exit 0
