#!/usr/bin/env bash
# Builds the control plane that tests and the demo run against: the Go tools pinned in go.mod.
# They land in a cache outside the checkout, keyed by go.mod, go.sum and the flags below, so that this
# takes about five minutes once and nothing after. Prints the folder of the binaries on stdout,
# everything else on stderr.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

if ! command -v go >/dev/null; then
	say "control plane: Go is not installed; install Go 1.26 or newer and run this again."
	exit 1
fi

version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' go.mod)
IFS=. read -r major minor _ <<<"${version#v}"
stamp=k8s.io/component-base/version
# Without these, /version says v0.0.0 and clients misbehave.
ldflags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
export CGO_ENABLED=0

key=$( (cat go.mod go.sum; echo "$ldflags $(go env GOOS GOARCH)") | sha256sum | cut -c1-16)
cache="${ORDINAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ordinal}/control-plane/$key"
mkdir -p "$cache"

# One build at a time: a second run waits here and then finds everything made.
exec 9>"$cache/lock"
flock 9

# program:package, the slowest last, so that an early failure costs little.
programs=(
	kwok:sigs.k8s.io/kwok/cmd/kwok
	etcd:go.etcd.io/etcd/server/v3
	kubectl:k8s.io/kubernetes/cmd/kubectl
	kube-apiserver:k8s.io/kubernetes/cmd/kube-apiserver
	kube-controller-manager:k8s.io/kubernetes/cmd/kube-controller-manager
	kube-scheduler:k8s.io/kubernetes/cmd/kube-scheduler
)
missing=()
for entry in "${programs[@]}"; do
	[[ -x $cache/${entry%%:*} ]] || missing+=("$entry")
done
if ((${#missing[@]})); then
	say "control plane: building ${#missing[@]} of ${#programs[@]} programs (about five minutes in all, once) into $cache"
fi
n=0
for entry in "${missing[@]}"; do
	name=${entry%%:*}
	n=$((n + 1))
	say "control plane: [$n/${#missing[@]}] $name"
	started=$SECONDS
	go build -trimpath -ldflags "$ldflags" -o "$cache/$name.part" "${entry#*:}" >&2
	mv "$cache/$name.part" "$cache/$name"
	say "control plane: [$n/${#missing[@]}] $name done in $((SECONDS - started)) s"
done
printf '%s\n' "$cache"
