//! The temporary directory of a control plane: removed when all went well, kept when something failed.
//!
//! A shell (control-plane/janitor.sh) removes it, because it must go as well when this process is killed. Any panic in this
//! process and any [`crate::Failure`] keeps all directories in use, for nobody knows which log holds the reason.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, Once, PoisonError},
};

use anyhow::{Context, Result};

const JANITOR: &str = include_str!("control-plane/janitor.sh");

/// The directories in use by this process.
static IN_USE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A directory that outlives neither this process nor its own value, unless something failed.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    janitor: Child,
    hold: Option<ChildStdin>,
}

impl Scratch {
    /// Makes a new one.
    pub fn new() -> Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(keep_on_panic);
        let path = tempfile::Builder::new()
            .prefix("ordinal-")
            .disable_cleanup(true)
            .tempdir()
            .context("cannot make a temporary directory")?
            .keep();
        let mut janitor = Command::new("/bin/sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the janitor of a temporary directory")?;
        let hold = janitor.stdin.take();
        in_use(|all| all.push(path.clone()));
        Ok(Self { path, janitor, hold })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            keep_all();
        }
        in_use(|all| all.retain(|path| *path != self.path));
        self.hold = None;
        let _ = self.janitor.wait();
    }
}

/// Keeps the directories in use, because something failed, and returns where they are.
pub fn keep_all() -> Vec<PathBuf> {
    in_use(|all| {
        for path in all.iter() {
            // The marker is a courtesy: a failure to write it must not hide the failure it is about.
            let _ = std::fs::write(path.join("keep"), "");
        }
        all.clone()
    })
}

/// One line that says where the logs of a failure are, empty when there are none.
pub fn kept_note() -> String {
    let kept: Vec<String> = keep_all().iter().map(|path| path.display().to_string()).collect();
    if kept.is_empty() { String::new() } else { format!("the control plane's logs are kept in {}", kept.join(", ")) }
}

fn in_use<R>(f: impl FnOnce(&mut Vec<PathBuf>) -> R) -> R {
    f(&mut IN_USE.lock().unwrap_or_else(PoisonError::into_inner))
}

fn keep_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        let note = kept_note();
        if !note.is_empty() {
            eprintln!("{note}");
        }
    }));
}
