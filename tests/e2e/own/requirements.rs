//! What this machine must have for a cluster of its own: what it lacks is told in a sentence each, before anything is
//! built or made.

use std::{fs, path::Path, process::Command};

use ordinal_tests::binaries::in_path;

use super::cgroup;

/// Programs, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 10] = [
    ("busybox", "busybox-static"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("dbus-daemon", "dbus-daemon"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("runc", "runc"),
    ("unshare", "util-linux"),
];

/// Any of these builds images; buildah is what we install when there is none.
const BUILDERS: [&str; 3] = ["buildah", "podman", "docker"];

/// What a node's network is made of, each tried in a network that is gone at once.
const NETWORK: [(&str, &str); 4] = [
    ("bridges", "ip link add bridge0 type bridge"),
    ("veth links", "ip link add veth0 type veth peer name veth1"),
    ("nftables", "nft add table ip test"),
    ("an iptables table nat", "iptables --table nat --list"),
];

/// The packages of what is not installed.
pub fn packages() -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| in_path(program).is_none()).map(|(_, package)| *package).collect();
    if BUILDERS.iter().all(|program| in_path(program).is_none()) {
        packages.push("buildah");
    }
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// What is missing; nothing when a cluster can be made.
pub fn missing() -> Vec<String> {
    if !cfg!(target_os = "linux") {
        return vec!["nodes of our own need Linux: give a cluster with KUBECONFIG, or take make e2e-kind".to_owned()];
    }
    if !is_root() {
        return vec!["nodes of our own need root: run this as root, or give a cluster with KUBECONFIG".to_owned()];
    }
    let packages = packages();
    if !packages.is_empty() {
        return vec![format!("not installed: {}; make e2e-deps installs it", packages.join(", "))];
    }
    let mut missing = Vec::new();
    let controllers = cgroup::missing();
    if !controllers.is_empty() {
        missing.push(format!("this machine has no cgroup controller {}, and kubelets need it", controllers.join(", ")));
    }
    if !has_overlay() {
        missing.push("this kernel has no overlay file system, and containerd needs it".to_owned());
    }
    for (what, probe) in NETWORK {
        if let Some(why) = fails(probe) {
            missing.push(format!("this machine has no {what}, and nodes need them ({probe}: {why})"));
        }
    }
    missing
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    // Real, effective, saved, of the file system.
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    effective == Some("0")
}

/// It may be a module that nobody has loaded yet.
fn has_overlay() -> bool {
    let loaded = fs::read_to_string("/proc/filesystems").is_ok_and(|all| all.contains("\toverlay"));
    let module = || Command::new("modprobe").args(["--dry-run", "--quiet", "overlay"]).status();
    loaded || module().is_ok_and(|status| status.success()) || Path::new("/sys/module/overlay").exists()
}

/// Why a command fails in a network of its own.
fn fails(command: &str) -> Option<String> {
    match Command::new("unshare").arg("--net").args(command.split_whitespace()).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}
