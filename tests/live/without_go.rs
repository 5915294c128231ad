//! A machine without Go is told what to install, at once.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use ordinal_tests::{Outcome, binaries::repository};

#[test]
fn without_go_the_build_fails_at_once_with_one_sentence() -> Outcome {
    let empty = std::env::temp_dir().join(format!("ordinal-no-go-{}", std::process::id()));
    std::fs::create_dir_all(&empty)?;
    // What the script needs before it looks for Go, and nothing else: no `go` anywhere.
    let bash = ["/bin/bash", "/usr/bin/bash"].into_iter().find(|path| std::path::Path::new(path).exists());
    std::os::unix::fs::symlink("/usr/bin/dirname", empty.join("dirname"))?;
    let started = Instant::now();
    let output = Command::new(bash.unwrap_or("bash"))
        .arg(repository().join("tests/control-plane/build.sh"))
        .env("PATH", &empty)
        .output()?;
    let elapsed = started.elapsed();
    std::fs::remove_dir_all(&empty)?;

    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "a caller would take it for a folder");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.contains("install Go"), "{words}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    Ok(())
}
