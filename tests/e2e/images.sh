#!/usr/bin/env bash
# Builds the images that the stories run, and saves each as an archive:
#
#   images.sh NAME…        NAME: busybox, etcd, kubia, ordinal
#
# Prints the folder of the archives, NAME.tar each. The images are called ordinal.test/NAME:1: nobody ever has a
# registry of that name, so a cluster that lacks one says so at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
source deploy/lib.sh

arch=$(own_arch)
folder=${CARGO_TARGET_DIR:-target}/e2e-images
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

busybox() {
	local program applet
	if ! program=$(type -P busybox) || ldd "$program" >/dev/null 2>&1; then
		echo "images: there is no static busybox here: run make e2e-deps" >&2
		return 1
	fi
	mkdir -p "$context/busybox/bin"
	cp "$program" "$context/busybox/bin/busybox"
	for applet in $("$program" --list); do
		[[ -e $context/busybox/bin/$applet ]] || ln -s busybox "$context/busybox/bin/$applet"
	done
}

etcd() {
	mkdir -p "$context/etcd/$arch"
	cp "$(tests/control-plane/build.sh)/etcd" "$context/etcd/$arch/etcd"
}

for name in "$@"; do
	image=ordinal.test/$name:1
	case $name in
	busybox | etcd)
		"$name"
		bake "$image" "$arch" "tests/e2e/images/$name.Dockerfile" "$context/$name" "$folder/$name.tar"
		;;
	*) deploy/image.sh "$name" "$image" "$arch" "$folder/$name.tar" >&2 ;;
	esac
done
printf '%s\n' "$folder"
