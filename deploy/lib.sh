# How images are built, for image.sh and for the tests' images. To be sourced in the root of the checkout, by bash with
# -euo pipefail.

# This machine's architecture, as images call it.
own_arch() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64 | arm64) echo arm64 ;;
	*) echo unknown ;;
	esac
}

# The version of this checkout.
own_version() { sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1; }

# static_binary PACKAGE ARCH: builds a program of this workspace and prints where it is. It is linked statically with
# musl, by the linker that comes with Rust; for another architecture than this machine's its C compiler is needed as
# well (ring has C and assembly in it): Debian's gcc-aarch64-linux-gnu or gcc-x86-64-linux-gnu.
static_binary() {
	local machine compiler=cc target variable
	case $2 in
	amd64) machine=x86_64 ;;
	arm64) machine=aarch64 ;;
	*)
		echo "image: there is an image for amd64 and for arm64, not for $2" >&2
		return 2
		;;
	esac
	[[ $2 == "$(own_arch)" ]] || compiler=$machine-linux-gnu-gcc
	if ! command -v "$compiler" >/dev/null; then
		echo "image: the C compiler $compiler is missing" >&2
		return 1
	fi
	target=$machine-unknown-linux-musl
	variable=${target//-/_}
	export "CC_$variable=$compiler" "CARGO_TARGET_${variable^^}_LINKER=rust-lld"
	rustup target add "$target" >&2
	cargo build --locked --release --package "$1" --target "$target" >&2
	echo "${CARGO_TARGET_DIR:-target}/$target/release/$1"
}

# The first of docker, podman and buildah that works here. One with an answer to "info" can build.
container_tool() {
	local tool
	for tool in docker podman buildah; do
		if command -v "$tool" >/dev/null && "$tool" info >/dev/null 2>&1; then
			echo "$tool"
			return
		fi
	done
	echo "image: neither docker, podman nor buildah works here: install one (Debian: apt-get install buildah)" >&2
	return 1
}

# bake NAME ARCH DOCKERFILE CONTEXT [ARCHIVE]: builds an image. With ARCHIVE it goes into that file, and does not stay
# in the tool's store, unless the store had one of that name before.
bake() {
	local tool build=build known
	tool=$(container_tool)
	known=$("$tool" images --quiet "$1" 2>/dev/null) || known=
	[[ $tool != buildah ]] || build=bud
	"$tool" "$build" --platform "linux/$2" --build-arg "TARGETARCH=$2" --tag "$1" --file "$3" "$4" >&2
	[[ -n ${5-} ]] || return 0
	rm -f "$5"
	case $tool in
	docker) docker save --output "$5" "$1" ;;
	podman) podman save --quiet --format docker-archive --output "$5" "$1" ;;
	buildah) buildah push --quiet "$1" "docker-archive:$5:$1" ;;
	esac >&2
	[[ -n $known ]] || "$tool" rmi "$1" >&2
}
