# mom.bash - completion of mom's commands, options and topics, and of mom_coordinator's options, for bash
#
#   source mom.bash                                  or keep it as mom in the folder of bash-completion, such as
#   cp mom.bash /usr/share/bash-completion/completions/mom                       (mom_coordinator there: a link to it)
#
# All is asked of mom itself (mom help, mom COMMAND --help, mom topics), so that it is never out of date.

_mom_topics()
{
	"$1" topics 2>/dev/null | sed '1d; s/[[:space:]].*//'
}

_mom_groups()
{
	"$1" groups 2>/dev/null | sed '1d; s/[[:space:]].*//'
}

# Topics are other people's words: compgen -W would expand what is in them, and unquoted the command line would.
_mom_offer_topics()
{
	local topic quoted
	while read -r topic; do
		if [[ $topic == "$2"* ]]; then
			printf -v quoted %q "$topic"
			COMPREPLY+=("$quoted")
		fi
	done < <(_mom_topics "$1")
}

# The options that a help page names: words that begin with - at its lines' beginning.
_mom_options()
{
	"$@" --help 2>/dev/null | grep '^ *-' | sed 's/  *[^-, ].*//' | grep -o -e '--*[[:alnum:]][[:alnum:]-]*'
	echo --help
}

_mom()
{
	local mom=$1 word=$2 before=$3 command=${COMP_WORDS[1]} words
	local IFS=$'\n'
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		words=$("$mom" help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
	elif [ "$command" = help ]; then
		[ "$COMP_CWORD" = 2 ] && words=$("$mom" help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
	elif [[ $word == -* ]]; then
		words=$(_mom_options "$mom" "$command")
	else
		case $command:$before in
		*:--db | *:--run | *:--spool) COMPREPLY=($(compgen -d -- "$word")); return ;;
		*:--group) words=$(_mom_groups "$mom"); COMPREPLY=($(compgen -W "$words" -- "$word")); return ;;
		*:-f | *:--file) COMPREPLY=($(compgen -f -- "$word")); return ;;
		*:-C | *:-W | *:-F | *:-n | *:--count | *:--wait | *:--format | *:--last | *:--name | *:--interval | *:--timeout | *:--ready-fd | \
		    *:--prefetch | *:--delay | *:--max-tries | *:--hand-timeout | *:--max-hold | \
		    *:--ttl | *:-H | *:--header | *:--key | *:--correlation | *:--content-type)
			[ "$command:$before" = pub:-n ] || return 0 ;;
		esac
		case $command in
		backup | check) COMPREPLY=($(compgen -d -- "$word")); return ;;
		dead) words=$(_mom_groups "$mom") ;;
		group)
			case $COMP_CWORD in
			2) words=$'set\nbind\nunbind\nshow\ndelete' ;;
			3) words=$(_mom_groups "$mom") ;;
			*) _mom_offer_topics "$mom" "$word"; return ;;
			esac ;;
		pub | sub | work | peek | tail | request | serve) _mom_offer_topics "$mom" "$word"; return ;;
		esac
	fi
	COMPREPLY=($(compgen -W "$words" -- "$word"))
}

_mom_coordinator()
{
	local IFS=$'\n'
	COMPREPLY=()
	case $3 in --name | --alive | --missed) return ;; esac
	COMPREPLY=($(compgen -W "$(_mom_options "$1")" -- "$2"))
}

complete -F _mom mom
complete -F _mom_coordinator mom_coordinator
