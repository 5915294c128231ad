//! What a cluster leaves on the machine, whether it was taken down or killed: processes, cgroups, the bridge, settings
//! of the kernel, files. All of it is known by its name, and nothing else is touched.

use std::{
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{BRIDGE, WORK, cgroup, node, tunables};

/// More nodes are never made.
pub const NODES: usize = 9;

/// What was killed writes its last file by then.
const GONE: Duration = Duration::from_secs(60);

/// Removes all of it, as far as it can. Twice is as good as once.
pub fn clean() -> Result<()> {
    let nodes = (1..=NODES).map(clean_node);
    let wrong: Vec<String> = [tunables::restore()]
        .into_iter()
        .chain(nodes)
        .chain([remove_bridge(), remove_volumes()])
        .filter_map(|done| done.err().map(|error| format!("{error:#}")))
        .collect();
    // What tells how to restore and what to remove is kept for another try.
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    remove_files()
}

fn clean_node(number: usize) -> Result<()> {
    let name = node::own_name(number);
    cgroup::kill(&name)?;
    cgroup::remove(&name)?;
    node::disconnect(number)
}

/// Its routes go with it.
fn remove_bridge() -> Result<()> {
    let is_there = Path::new("/sys/class/net").join(BRIDGE).exists();
    if is_there { node::run("ip", &format!("link delete {BRIDGE}")) } else { Ok(()) }
}

fn remove_files() -> Result<()> {
    let begun = Instant::now();
    while Path::new(WORK).exists() {
        match fs::remove_dir_all(WORK) {
            Err(error) if begun.elapsed() > GONE => bail!("cannot remove {WORK}: {error}"),
            _ => sleep(Duration::from_millis(50)),
        }
    }
    Ok(())
}

/// kube-controller-manager makes a folder for each dynamic volume in a place that all control planes of a machine
/// share. Which are ours, etcd's own files tell.
fn remove_volumes() -> Result<()> {
    let store = Path::new(WORK).join("etcd");
    if !store.exists() {
        return Ok(());
    }
    let found = Command::new("grep")
        .args(["--recursive", "--text", "--only-matching", "--no-filename", "--extended-regexp"])
        .arg("/tmp/hostpath_pv/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
        .arg(&store)
        .output()
        .context("cannot run grep")?;
    for folder in String::from_utf8_lossy(&found.stdout).lines().map(Path::new).filter(|folder| folder.is_dir()) {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
