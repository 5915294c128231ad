#!/usr/bin/env bash
# Builds an image with docker, podman or buildah, whichever works here:
#
#   image.sh ordinal|kubia [NAME] [ARCH] [ARCHIVE]
#
# NAME: ordinal:<version> or ordinal.test/kubia:1 unless it is given; ARCH: amd64 or arm64, this machine's own unless it
# is given; ARCHIVE: a file for the image, which then does not stay in the tool's store.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/lib.sh

package=${1-}
case $package in
ordinal)
	dockerfile=deploy/Dockerfile
	usual=ordinal:$(own_version)
	;;
kubia)
	dockerfile=examples/kubia/Dockerfile
	usual=ordinal.test/kubia:1
	;;
*)
	echo "usage: image.sh ordinal|kubia [NAME] [ARCH] [ARCHIVE]" >&2
	exit 2
	;;
esac
name=${2:-$usual} arch=${3:-$(own_arch)}

# Before the minutes that the program takes.
container_tool >/dev/null
binary=$(static_binary "$package" "$arch")
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/$arch"
cp "$binary" "$context/$arch/$package"
bake "$name" "$arch" "$dockerfile" "$context" "${4-}"
echo "$name for linux/$arch, built by $(container_tool): $(($(stat -c %s "$binary") / 1000000)) MB"
