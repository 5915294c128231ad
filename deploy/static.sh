#!/usr/bin/env bash
# Builds a program of this workspace as it is in its image, and prints where it is:
#
#   static.sh PACKAGE [ARCH]
#
# ARCH: amd64 or arm64, this machine's own unless it is given.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/lib.sh

if [[ -z ${1-} ]]; then
	echo "usage: static.sh PACKAGE [ARCH]" >&2
	exit 2
fi
binary=$(static_binary "$1" "${2:-$(own_arch)}")
realpath "$binary"
