#!/usr/bin/env bash
# Installs packages that make e2e needs: deps.sh PACKAGE…
set -euo pipefail
if (($# == 0)); then
	echo "e2e-deps: nothing is missing"
elif ! command -v apt-get >/dev/null; then
	echo "e2e-deps: there is no apt-get here; install what Debian calls $*" >&2
	exit 1
else
	apt-get update
	apt-get install --yes --no-install-recommends "$@"
fi
