#!/usr/bin/env bash
# Builds Go programs that are pinned in a go.mod. They land in a cache outside the checkout, keyed by go.mod, go.sum, the sources
# beside them and the flags, so that this takes minutes once and nothing after. Prints the folder of the binaries on stdout,
# everything else on stderr.
#
#   go-build.sh WHAT FOLDER LDFLAGS PROGRAM:PACKAGE…
#
# WHAT: what it is called in messages; FOLDER: that of go.mod.
set -euo pipefail
what=$1 folder=$2 ldflags=$3
shift 3
cd "$folder"

say() { printf '%s: %s\n' "$what" "$*" >&2; }

if ! command -v go >/dev/null; then
	say "Go is not installed; install Go 1.26 or newer and run this again."
	exit 1
fi
export CGO_ENABLED=0

key=$( (cat go.mod go.sum; find . -name '*.go' | sort | xargs --no-run-if-empty cat; echo "$ldflags $(go env GOOS GOARCH)") | sha256sum | cut -c1-16)
cache="${ORDINAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ordinal}/${what// /-}/$key"
mkdir -p "$cache"

# One build at a time: a second run waits here and then finds everything made.
exec 9>"$cache/lock"
flock 9

missing=()
for entry in "$@"; do
	[[ -x $cache/${entry%%:*} ]] || missing+=("$entry")
done
if ((${#missing[@]})); then
	say "building ${#missing[@]} of $# programs (a minute or so each, once) into $cache"
fi
n=0
for entry in "${missing[@]}"; do
	name=${entry%%:*}
	n=$((n + 1))
	say "[$n/${#missing[@]}] $name"
	started=$SECONDS
	go build -trimpath -ldflags "$ldflags" -o "$cache/$name.part" "${entry#*:}" >&2
	mv "$cache/$name.part" "$cache/$name"
	say "[$n/${#missing[@]}] $name done in $((SECONDS - started)) s"
done
printf '%s\n' "$cache"
