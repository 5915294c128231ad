# Runs one program and makes sure that it does not outlive the process that wanted it.
# usage: sh -c "$(cat guard.sh)" guard LOG PROGRAM [ARGUMENT...]
#
# Stdin is a pipe whose other end that process holds, so the kernel closes it whatever way the process ends.
# A line on it names a signal to pass on; its end kills the program. The first line on stdout is the program's pid, and the
# guard ends with the program's exit code. Needs nothing but a POSIX shell.
log=$1
shift
exec 3<&0
"$@" 3<&- </dev/null >>"$log" 2>&1 &
program=$!
{
	while read -r signal <&3; do
		kill -s "$signal" "$program"
	done
	kill -s KILL "$program"
} </dev/null >/dev/null 2>&1 &
reader=$!
echo "$program"
exec >/dev/null 2>&1 3<&-
wait "$program"
code=$?
kill -s KILL "$reader" 2>/dev/null
exit "$code"
