#!/usr/bin/env bash
# Builds a program of this workspace as it is in its image, for this machine, and prints where it is: static.sh PACKAGE
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/lib.sh

if [[ -z ${1-} ]]; then
	echo "usage: static.sh PACKAGE" >&2
	exit 2
fi
binary=$(static_binary "$1" "$(own_arch)")
realpath "$binary"
