//! `kubectl ordinal`, the plugin, as kubectl finds it.

mod looking;
mod rollout;

use anyhow::{Result, ensure};
use ordinal_tests::Namespace;

/// Runs it, and returns what it prints; an error when it fails.
async fn ordinal(ns: &Namespace, args: &str) -> Result<String> {
    let output = ns.kubectl().ordinal(args.split_whitespace()).await?;
    ensure!(output.code == 0, "kubectl ordinal {args}: {output:?}");
    Ok(output.stdout)
}

/// Runs it where it is to fail with exit code 1, and returns all that it says.
async fn refused(ns: &Namespace, args: &str) -> Result<String> {
    let output = ns.kubectl().ordinal(args.split_whitespace()).await?;
    ensure!(output.code == 1, "kubectl ordinal {args}: {output:?}");
    Ok(output.stdout + &output.stderr)
}

/// What a text must have.
#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}
