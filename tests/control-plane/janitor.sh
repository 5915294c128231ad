# Removes a directory once the process that used it has ended, whatever way it ended.
# usage: sh -c "$(cat janitor.sh)" janitor DIRECTORY
#
# Stdin is a pipe whose other end that process holds. A file named `keep` in the directory keeps it.
cat >/dev/null
[ -e "$1/keep" ] && exit 0
# The guards kill their programs at this very moment, and a program that is still dying may write a last file.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	rm -rf "$1" 2>/dev/null && exit 0
	sleep 0.1
done
exit 1
