# What a node is before any program runs on it: a network, which its caller has unshared, and places of its own.
# Whatever is mounted or routed here is gone with its last process.
# usage: unshare --mount --net sh -c "$(cat node.sh)" node FOLDER CGROUP
set -e
echo $$ >"$2/cgroup.procs"
echo 1 >/proc/sys/net/ipv4/ip_forward
# The log and what programs remember outlive a power failure; what runs does not.
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$1/lib" /var/lib
mount --bind "$1/log" /var/log
exec sleep infinity
