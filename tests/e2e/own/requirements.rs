//! What this machine must have for a cluster of its own: what it lacks is told in a sentence each, before anything is
//! built or made.

use std::{fs, path::Path, process::Command};

use ordinal_tests::binaries::{in_path, repository};

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

/// Builds images, and is what we install where nothing else does: a docker may be there whose daemon is not.
const BUILDER: &str = "buildah";

/// What a node's network is made of, each tried in a network that is gone at once.
const NETWORK: [(&str, &str); 4] = [
    ("bridges", "ip link add bridge0 type bridge"),
    ("veth links", "ip link add veth0 type veth peer name veth1"),
    ("nftables", "nft add table ip test"),
    ("iptables with a table nat", "iptables --table nat --list"),
];

/// The packages of what is not installed.
pub fn packages() -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| in_path(program).is_none()).map(|(_, package)| *package).collect();
    if in_path(BUILDER).is_none() && lacks_a_builder().is_some() {
        packages.push(BUILDER);
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
    if let Some(why) = fails("true") {
        return vec![format!(
            "nodes of our own need a root that may make networks, which one in a container may not: {why}"
        )];
    }
    let mut missing = Vec::new();
    missing.extend(lacks_a_builder());
    if is_dynamic("busybox") {
        missing.push("busybox is not linked statically here, and images need it so: install busybox-static".to_owned());
    }
    let controllers = cgroup::missing();
    if !controllers.is_empty() {
        missing.push(format!("this machine has no cgroup controller {}, and kubelets need it", controllers.join(", ")));
    } else if let Err(error) = cgroup::probe() {
        missing.push(format!("cgroups cannot be made here, and nodes need them: {error:#}"));
    }
    if drops_what_it_forwards() {
        missing.push(
            "this machine drops what passes through its bridges (iptables -P FORWARD DROP), and nodes are joined by one"
                .to_owned(),
        );
    }
    if !has_overlay() {
        missing.push("this kernel has no overlay file system, and containerd needs it".to_owned());
    }
    for (what, probe) in NETWORK {
        if let Some(why) = fails(probe) {
            missing.push(format!("this machine has no {what}, which nodes need ({probe}: {why})"));
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

/// Whether it is there is not enough: its daemon may be off.
fn lacks_a_builder() -> Option<String> {
    let ask = "source deploy/lib.sh && container_tool";
    let output = Command::new("bash").args(["-c", ask]).current_dir(repository()).output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("cannot run bash: {error}")),
    }
}

fn is_dynamic(program: &str) -> bool {
    let libraries = |path| Command::new("ldd").arg(path).output().is_ok_and(|output| output.status.success());
    in_path(program).is_some_and(libraries)
}

/// Where packets of bridges pass through iptables, as docker wants it, its policy counts for those between nodes.
fn drops_what_it_forwards() -> bool {
    let asked = fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables");
    let rules = || Command::new("iptables").args(["--list-rules", "FORWARD"]).output();
    let drops = |rules: &[u8]| String::from_utf8_lossy(rules).lines().any(|rule| rule == "-P FORWARD DROP");
    asked.is_ok_and(|asked| asked.trim() == "1") && rules().is_ok_and(|output| drops(&output.stdout))
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
