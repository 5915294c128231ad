//! Settings of the kernel that every kubelet changes for the whole machine, such as a reboot ten seconds after a panic.
//! They are put back in the end.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::WORK;

const TUNABLES: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Writes down how they are.
pub fn remember() -> Result<()> {
    let folder = Path::new(WORK).join("tunables");
    for name in TUNABLES {
        let now =
            fs::read_to_string(Path::new("/proc/sys").join(name)).with_context(|| format!("no setting {name}"))?;
        let file = folder.join(name.replace('/', "."));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&file, now))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Puts back what was written down.
pub fn restore() -> Result<()> {
    for name in TUNABLES {
        let file = Path::new(WORK).join("tunables").join(name.replace('/', "."));
        if let Ok(before) = fs::read_to_string(file) {
            fs::write(Path::new("/proc/sys").join(name), before).with_context(|| format!("cannot set {name}"))?;
        }
    }
    Ok(())
}
