#!/usr/bin/env bash
# Builds the operator's image with docker, podman or buildah, whichever works here:
#
#   image.sh [NAME] [ARCH]
#
# NAME: ordinal:<version> unless it is given; ARCH: amd64 or arm64, this machine's own unless it is given. The binary is linked
# statically with musl, by the linker that comes with Rust; for the other architecture its C compiler is needed as well
# (ring has C and assembly in it): Debian's gcc-aarch64-linux-gnu or gcc-x86-64-linux-gnu.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
case $(uname -m) in
x86_64) own=amd64 ;;
aarch64 | arm64) own=arm64 ;;
*) own=unknown ;;
esac
name=${1:-ordinal:$version} arch=${2:-$own}
case $arch in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*)
	echo "image: there is an image for amd64 and for arm64, not for $arch" >&2
	exit 2
	;;
esac

# An environment that has podman's or buildah's answer to "info" can build.
tool=
for candidate in docker podman buildah; do
	if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then
		tool=$candidate
		break
	fi
done
if [[ -z $tool ]]; then
	echo "image: neither docker, podman nor buildah works here: install one (Debian: apt-get install buildah)" >&2
	exit 1
fi

target=$machine-unknown-linux-musl
compiler=cc
[[ $arch == "$own" ]] || compiler=$machine-linux-gnu-gcc
if ! command -v "$compiler" >/dev/null; then
	echo "image: the C compiler $compiler is missing" >&2
	exit 1
fi
variable=${target//-/_}
export "CC_$variable=$compiler" "CARGO_TARGET_${variable^^}_LINKER=rust-lld"
rustup target add "$target" >&2
cargo build --locked --release --package ordinal --target "$target" >&2
binary=${CARGO_TARGET_DIR:-target}/$target/release/ordinal

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/$arch"
cp "$binary" "$context/$arch/ordinal"
build=build
[[ $tool == buildah ]] && build=bud
"$tool" "$build" --platform "linux/$arch" --build-arg "TARGETARCH=$arch" --tag "$name" --file deploy/Dockerfile "$context" >&2
echo "$name for linux/$arch, built by $tool: $(($(stat -c %s "$binary") / 1000000)) MB"
