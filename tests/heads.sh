#!/bin/sh
# heads.sh - the page at the head of each process's source tells the truth: KEYS (what it reads of the configuration), COUNTS (which
# counters it writes) and SIGNALS are held against the code. Prints what differs; exit 1 if something does.
cd "$(dirname "$0")/.." || exit 1
bad=0

# field FILE NAME: the words behind NAME in the page at the file's head, up to the next field, one a line
field() {
	sed '/\*\//q' "$1" | sed 's/^\/\* / * /; s/ *\*\/$//' | awk -v want="$2" '
	{ line = substr($0, 4) }
	line ~ /^[A-Z][A-Z ]+  / { on = index(line, want "  ") == 1; sub(/^[A-Z][A-Z ]+  +/, "", line) }
	on { sub(/   *(WRITES|WHY A PAIR)  .*/, "", line); gsub(/[,;:.]/, " ", line); n = split(line, word, " ")
	    for (i = 1; i <= n; i++) print word[i] }' | sort -u
}

same() { # FILE FIELD WHAT-THE-CODE-SAYS
	field "$1" "$2" >"$tmp/head"
	printf '%s\n' "$3" | tr ' ' '\n' | grep . | sort -u >"$tmp/code"
	diff "$tmp/head" "$tmp/code" >"$tmp/diff" && return
	echo "$1: $2 says:" $(cat "$tmp/head") "; the code:" $(cat "$tmp/code")
	bad=1
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# FILE and the sources that its program consists of, beside what only calls
look() {
	file=$1
	shift
	counts=$(cat "$file" "$@" | grep -oE '(COUNT|HISTOGRAM)_[A-Z_]+|frames_wait|frames_flush' | grep -v BUCKETS |
	    sed 's/^COUNT_//; s/^HISTOGRAM_//; s/frames_wait/BYTES_IN/; s/frames_flush/BYTES_OUT/' | tr 'A-Z' 'a-z')
	same "$file" COUNTS "$(echo $counts)"
	keys=$(cat "$file" "$@" | grep -oE '(table|unit)->(store_max|topic_max|expiry|message_max|views|topics|backlog_max|log)\b' |
	    sed 's/.*->//; s/message_max/max-message/; s/expiry/machine-expiry/; s/backlog_max/client-backlog-max/; s/_/-/g; s/^log$/log-level log-format log-time log-file/')
	case $file in
	*broker_server.c) keys=$(sed -n '/^static const struct config_key broker\[/,/^};/p' src/config/config_keys.c) owner=1 ;;
	*mom_daemon.c) keys=$(sed -n '/^static const struct config_key daemon_keys\[/,/^};/p' src/config/config_keys.c) owner=1 ;;
	*) owner=0 ;;
	esac
	if [ $owner = 1 ]; then
		keys=$(echo "$keys" | grep -oE '\.name = "[a-z-]+"|[A-Z_]*(HTTP_KEY|HTTP_HOSTS_KEY|LOG_KEYS)' |
		    sed 's/.*"\(.*\)"/\1/; s/HTTP_KEY/http/; s/HTTP_HOSTS_KEY/http-hosts/; s/LOG_KEYS/log-level log-format log-time log-file/')
	fi
	same "$file" KEYS "$(echo $keys)"
	signals=USR1
	cat "$file" "$@" | grep -q 'sig_init(' && signals='USR1 TERM INT HUP'
	for s in $signals; do
		field "$file" SIGNALS | grep -qx "$s" || { echo "$file: SIGNALS does not tell of $s"; bad=1; }
	done
}

both="src/ipc/idling.c"
look src/broker/broker_server.c src/broker/conns.c src/broker/workers.c src/server/http_child.c src/broker/broker_options.c
look src/broker/broker_handler.c $both
look src/broker/broker_sender.c src/broker/stream.c $both
look src/worker/worker.c $(ls src/worker/*.c | grep -v '/worker.c$') $both
look src/daemon/mom_daemon.c src/daemon/door.c src/daemon/unit.c src/server/http_child.c src/daemon/daemon_options.c
look src/daemon/mom_requester.c src/daemon/slots.c $both
look src/daemon/mom_responser.c src/daemon/slots.c $both
look src/daemon/mom_forwarder.c $(ls src/daemon/forwarder_*.c) src/daemon/slots.c $both
exit $bad
