#!/usr/bin/env bash
# Packs kubectl-ordinal for krew: krew.sh [URL]
#
# URL: the folder where the archives will be downloaded from. Makes target/krew/kubectl-ordinal_linux_ARCH.tar.gz for this machine's
# architecture, and for the other one where its C compiler is installed, and target/krew/ordinal.yaml.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/lib.sh

version=$(own_version)
url=${1:-https://example.invalid/v$version}
folder=${CARGO_TARGET_DIR:-target}/krew
mkdir -p "$folder"
manifest=$folder/ordinal.yaml
cat >"$manifest" <<END
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: ordinal
spec:
  version: v$version
  shortDescription: Work with OrdinalSets as with kubectl rollout
  description: |
    Watches, explains, undoes and restarts roll-outs of OrdinalSets, shows a set on one screen, and converts manifests of
    StatefulSets and back.
  platforms:
END
for arch in amd64 arm64; do
	if [[ $arch != "$(own_arch)" ]] && ! command -v "${arch/arm64/aarch64}-linux-gnu-gcc" >/dev/null; then
		echo "krew: left out $arch, for which there is no C compiler here" >&2
		continue
	fi
	binary=$(static_binary kubectl-ordinal "$arch")
	archive=$folder/kubectl-ordinal_linux_$arch.tar.gz
	tar --create --gzip --owner=0 --group=0 --file="$archive" --directory="$PWD" LICENSE --directory="$(dirname "$(realpath "$binary")")" kubectl-ordinal
	cat >>"$manifest" <<END
  - selector: {matchLabels: {os: linux, arch: $arch}}
    uri: $url/$(basename "$archive")
    sha256: $(sha256sum "$archive" | cut -d' ' -f1)
    bin: kubectl-ordinal
END
done
grep --quiet selector "$manifest" || {
	echo "krew: nothing could be packed here" >&2
	exit 1
}
echo "$manifest"
