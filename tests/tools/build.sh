#!/usr/bin/env bash
# Builds a tool that tests run: helm or promtool. Prints its folder.
set -euo pipefail
cd "$(dirname "$0")"
case ${1-} in
helm) package=helm.sh/helm/v4/cmd/helm ;;
promtool) package=github.com/prometheus/prometheus/cmd/promtool ;;
*)
	echo "usage: build.sh helm|promtool" >&2
	exit 2
	;;
esac
exec ./go-build.sh "$1" "$PWD/$1" "-s -w" "$1:$package"
