#!/usr/bin/env bash
# Plays the stories in a cluster that kind or minikube makes for it: borrowed.sh kind|minikube [ARGUMENT…]
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$1
shift
if ! command -v "$program" >/dev/null; then
	echo "e2e-$program: $program is not installed" >&2
	exit 1
fi

name=ordinal-e2e
there() {
	case $program in
	kind) grep --line-regexp --quiet "$name" <<<"$(kind get clusters 2>/dev/null)" ;;
	minikube) grep --quiet "\"Name\": *\"$name\"" <<<"$(minikube profile list --light --output json 2>/dev/null)" ;;
	esac
}
if there; then
	echo "e2e-$program: there is a cluster $name already; if it is an interrupted run's, delete it with $program" >&2
	exit 1
fi
archives=$(tests/e2e/images.sh ordinal kubia etcd)
folder=$(mktemp -d)
export KUBECONFIG=$folder/kubeconfig
create_kind() {
	printf '%s\n' 'kind: Cluster' 'apiVersion: kind.x-k8s.io/v1alpha4' \
		'nodes: [{role: control-plane}, {role: worker}, {role: worker}]' >"$folder/kind.yaml"
	kind create cluster --name "$name" --config "$folder/kind.yaml" --wait 3m
}
create_minikube() { minikube start --profile "$name"; }
load_kind() { kind load image-archive --name "$name" "$1"; }
load_minikube() { minikube image load --profile "$name" "$1"; }
delete() {
	rm -rf "$folder"
	case $program in
	kind) kind delete cluster --name "$name" ;;
	minikube) minikube delete --profile "$name" ;;
	esac
}

trap delete EXIT
"create_$program"
for image in ordinal kubia etcd; do
	"load_$program" "$archives/$image.tar"
done
make --no-print-directory e2e "KUBECONFIG=$KUBECONFIG" "ARGS=$*"
