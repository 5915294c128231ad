#!/usr/bin/env bash
# Builds the control plane that tests and the demo run against: the Go tools pinned in go.mod, or, with KUBERNETES=1.34, those of
# that folder beside it. About five minutes once, and nothing after. `build.sh nodes` builds kubelet and kube-proxy instead, into the
# same folder. Prints the folder of the binaries on stdout, everything else on stderr.
set -euo pipefail
cd "$(dirname "$0")"
go_build() { "$BASH" ../tools/go-build.sh "control plane" "$@"; }

# Without these, /version says v0.0.0 and clients misbehave.
flags() { # version
	IFS=. read -r major minor _ <<<"${1#v}"
	stamp=k8s.io/component-base/version
	echo "-s -w -X $stamp.gitVersion=$1 -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
}

version_in() { # go.mod
	while read -r word at rest; do
		[[ $word == require ]] && word=$at at=$rest
		[[ $word == k8s.io/kubernetes ]] && echo "${at%% *}" && return
	done <"$1"
}

# The slowest last, so that an early failure costs little.
programs=(
	kubectl:k8s.io/kubernetes/cmd/kubectl
	kube-apiserver:k8s.io/kubernetes/cmd/kube-apiserver
	kube-controller-manager:k8s.io/kubernetes/cmd/kube-controller-manager
	kube-scheduler:k8s.io/kubernetes/cmd/kube-scheduler
)
others=(kwok:sigs.k8s.io/kwok/cmd/kwok etcd:go.etcd.io/etcd/server/v3)
if [[ ${1-} == nodes ]]; then
	programs=(kubelet:k8s.io/kubernetes/cmd/kubelet kube-proxy:k8s.io/kubernetes/cmd/kube-proxy)
	others=()
fi

if [[ -z ${KUBERNETES-} ]]; then
	go_build "$PWD" "$(flags "$(version_in go.mod)")" "${others[@]}" "${programs[@]}"
	exit
fi
if [[ ! -f $KUBERNETES/go.mod ]]; then
	echo "control plane: there is no Kubernetes $KUBERNETES: there are 1.37 (KUBERNETES unset) and" */ >&2
	exit 2
fi
usual=$(go_build "$PWD" "$(flags "$(version_in go.mod)")" "${others[@]}")
folder=$(go_build "$PWD/$KUBERNETES" "$(flags "$(version_in "$KUBERNETES/go.mod")")" "${programs[@]}")
for program in "${others[@]}"; do
	ln -sf "$usual/${program%%:*}" "$folder/${program%%:*}"
done
printf '%s\n' "$folder"
