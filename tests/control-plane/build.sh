#!/usr/bin/env bash
# Builds the control plane that tests and the demo run against: the Go tools pinned in go.mod.
# About five minutes once, and nothing after. Prints the folder of the binaries on stdout, everything else on stderr.
set -euo pipefail
cd "$(dirname "$0")"

version=
while read -r module at _; do
	[[ $module == k8s.io/kubernetes ]] && version=$at
done <go.mod
IFS=. read -r major minor _ <<<"${version#v}"
stamp=k8s.io/component-base/version
# Without these, /version says v0.0.0 and clients misbehave.
ldflags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"

# The slowest last, so that an early failure costs little.
exec "$BASH" ../tools/go-build.sh "control plane" "$PWD" "$ldflags" \
	kwok:sigs.k8s.io/kwok/cmd/kwok \
	etcd:go.etcd.io/etcd/server/v3 \
	kubectl:k8s.io/kubernetes/cmd/kubectl \
	kube-apiserver:k8s.io/kubernetes/cmd/kube-apiserver \
	kube-controller-manager:k8s.io/kubernetes/cmd/kube-controller-manager \
	kube-scheduler:k8s.io/kubernetes/cmd/kube-scheduler
