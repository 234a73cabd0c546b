#!/bin/sh
# rooms.sh - which room of src/ may include the headers of which: arrows go down only, so that a room can be understood with what lies below it.
# Public headers (include/) are everybody's. Prints each #include that goes up; exit 1 if there is one.
cd "$(dirname "$0")/.." || exit 1
find src -name '*.[ch]' ! -path 'src/examples/*' -exec grep -n '^# *include "' {} + | awk '
BEGIN {
	may["base"]   = "base"
	may["format"] = "base format"
	may["config"] = "base format config"
	may["ipc"]    = "base format ipc"
	may["log"]    = "base format log"
	may["routing"] = "base format routing"
	may["term"]   = "base term"
	may["server"] = "base format config ipc server"
	may["look"]   = "base format ipc log look"
	may["api"]    = "base format config ipc api"
	may["worker"] = "base format config ipc log routing server worker"
	may["broker"] = "base format config ipc log routing server broker"
	may["daemon"] = "base format config ipc log routing server daemon"
	may["tools"]  = "base format config ipc log routing server look term api tools"
}
{
	split($0, part, ":")
	split(part[1], path, "/")
	split($0, quoted, "\"")
	split(quoted[2], header, "/")
	if (index(" " may[path[2]] " ", " " header[1] " ") == 0) {
		print part[1] ":" part[2] ": " path[2] " may not include " quoted[2]
		bad = 1
	}
}
END { exit bad }'
