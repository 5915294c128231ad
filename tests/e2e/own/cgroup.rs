//! The cgroups of nodes. All processes of a node are in them, those of its containers too, so a node ends with them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

const ROOT: &str = "/sys/fs/cgroup";

/// What kubelets cannot do without.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];

/// Made to see whether it can be.
const PROBE: &str = "ordinal-probe";

/// Processes that were killed are gone by then.
const GONE: Duration = Duration::from_secs(60);

/// Whether this machine has the one hierarchy of cgroup v2.
fn is_unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").is_file()
}

/// The controllers that this machine lacks.
pub fn missing() -> Vec<&'static str> {
    let unified = fs::read_to_string(Path::new(ROOT).join("cgroup.controllers"));
    let there = |name: &str| match &unified {
        Ok(all) => all.split_whitespace().any(|controller| controller == name),
        Err(_) => Path::new(ROOT).join(name).is_dir(),
    };
    CONTROLLERS.into_iter().filter(|name| !there(name)).collect()
}

/// Tries whether cgroups can be made.
pub fn probe() -> Result<()> {
    make(PROBE)?;
    remove(PROBE)
}

/// Makes a node's cgroup in every hierarchy, and within it the one for its own programs.
pub fn make(name: &str) -> Result<()> {
    if let Ok(all) = fs::read_to_string(Path::new(ROOT).join("cgroup.controllers")) {
        // A kubelet takes no less than what the machine has.
        let all: Vec<String> = all.split_whitespace().map(|controller| format!("+{controller}")).collect();
        let control = Path::new(ROOT).join("cgroup.subtree_control");
        fs::write(&control, all.join(" ")).with_context(|| format!("cannot write {}", control.display()))?;
    }
    for hierarchy in hierarchies() {
        let folder = hierarchy.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the cgroup {}", folder.display()))?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            // cpuset of v1 takes no process before these are filled.
            if let Ok(all) = fs::read_to_string(hierarchy.join(file)) {
                fs::write(folder.join(file), all).with_context(|| format!("cannot fill {file} of {name}"))?;
            }
        }
    }
    let own = of_programs(name);
    fs::create_dir_all(&own).with_context(|| format!("cannot make the cgroup {}", own.display()))
}

/// That of a node's own programs, in the hierarchy by which its processes are found.
pub fn of_programs(name: &str) -> PathBuf {
    counted().join(name).join("programs")
}

/// Kills all that runs on a node, again and again until nothing is left: what starts meanwhile is in it as well.
pub fn kill(name: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mut pids = Vec::new();
        collect(&counted().join(name), &mut pids);
        if pids.is_empty() {
            return Ok(());
        }
        ensure!(begun.elapsed() < GONE, "processes {} of {name} cannot be killed", pids.join(" "));
        // One that has ended meanwhile is no failure.
        Command::new("kill").arg("-KILL").args(&pids).output().context("cannot run kill")?;
        sleep(Duration::from_millis(50));
    }
}

/// Removes a node's cgroups. One that the kernel is not done with is tried again.
pub fn remove(name: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        hierarchies().into_iter().for_each(|hierarchy| remove_tree(&hierarchy.join(name)));
        let Some(left) = hierarchies().into_iter().map(|hierarchy| hierarchy.join(name)).find(|path| path.is_dir())
        else {
            return Ok(());
        };
        ensure!(begun.elapsed() < GONE, "the cgroup {} cannot be removed", left.display());
        sleep(Duration::from_millis(50));
    }
}

/// Where processes are counted.
fn counted() -> PathBuf {
    if is_unified() { ROOT.into() } else { Path::new(ROOT).join("pids") }
}

fn hierarchies() -> Vec<PathBuf> {
    if is_unified() { vec![ROOT.into()] } else { folders(Path::new(ROOT)) }
}

fn folders(within: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(within).into_iter().flatten().flatten().map(|entry| entry.path());
    all.filter(|path| path.is_dir()).collect()
}

/// The processes of a cgroup and all below it.
fn collect(folder: &Path, pids: &mut Vec<String>) {
    let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    pids.extend(procs.lines().map(str::to_owned));
    folders(folder).iter().for_each(|below| collect(below, pids));
}

/// From the leaves on: a cgroup with children stays.
fn remove_tree(folder: &Path) {
    folders(folder).iter().for_each(|below| remove_tree(below));
    // Whether it is gone is looked at afterwards.
    let _ = fs::remove_dir(folder);
}
