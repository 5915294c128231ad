#!/usr/bin/env bash
# Builds what runs on a real node: kubelet and kube-proxy as ../control-plane pins them; CoreDNS, CNI plugins and a
# stand-in for systemd-logind by the go.mod here. Some minutes once, and nothing after. Prints the folder of the
# binaries on stdout, everything else on stderr.
set -euo pipefail
cd "$(dirname "$0")"
kubernetes=$(../control-plane/build.sh nodes)
plugins=github.com/containernetworking/plugins/plugins
folder=$("$BASH" ../tools/go-build.sh "real nodes" "$PWD" "-s -w" logind:./logind bridge:$plugins/main/bridge \
	loopback:$plugins/main/loopback host-local:$plugins/ipam/host-local coredns:./coredns)
for program in kubelet kube-proxy; do
	ln -sf "$kubernetes/$program" "$folder/$program"
done
printf '%s\n' "$folder"
