#!/usr/bin/env bash
# Builds the operator of an earlier commit, with its CRD and permissions, into a cache outside the checkout. Prints that folder.
#
#   previous.sh [COMMIT]     the newest tag unless it is given; without any tag, the commit before this one
set -euo pipefail
cd "$(dirname "$0")/../.."

usual() { git describe --tags --abbrev=0 HEAD~1 2>/dev/null || echo HEAD~1; }
commit=$(git rev-parse --verify --quiet "${1:-$(usual)}^{commit}") || {
	echo "upgrade: there is no commit ${1:-before this one}; a shallow clone has no history" >&2
	exit 1
}
cache="${ORDINAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ordinal}/previous"
folder=$cache/$commit
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [[ ! -x $folder/ordinal ]]; then
	echo "upgrade: building the operator of $(git log -1 --format='%h (%s)' "$commit")" >&2
	rm -rf "$folder" "$cache/checkout"
	mkdir -p "$folder" "$cache/checkout"
	# With the time of now: Cargo would take older files for built.
	git archive "$commit" | tar -x -m -C "$cache/checkout"
	# Dependencies are built once for all commits.
	(cd "$cache/checkout" && CARGO_TARGET_DIR=$cache/target cargo build --quiet --locked --package ordinal >&2)
	cp -r "$cache/checkout/crds" "$cache/checkout/deploy/manifests" "$folder/"
	cp "$cache/target/debug/ordinal" "$folder/"
	rm -rf "$cache/checkout"
fi
printf '%s\n' "$folder"
