//! The command line and its exit codes.

use std::{path::Path, time::Duration};

use ordinal_tests::{Outcome, operator::call};
use tempfile::TempDir;

/// A command line that is wrong ends a process at once.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A kubeconfig whose server nobody needs to reach.
const KUBECONFIG: &str = r#"{
    "apiVersion": "v1", "kind": "Config", "current-context": "here",
    "clusters": [{"name": "here", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "me", "user": {}}],
    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}]
}"#;

/// Runs the operator with this kubeconfig; what it says when it gives up.
async fn gives_up(kubeconfig: &Path, more: &[&str]) -> anyhow::Result<String> {
    let flag = format!("--kubeconfig={}", kubeconfig.display());
    let output = call(&[&["run", &flag], more].concat(), AT_ONCE).await?;
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    assert!(output.stderr.contains(&*kubeconfig.to_string_lossy()), "the file is not named: {}", output.stderr);
    Ok(output.stderr)
}

#[tokio::test]
async fn a_kubeconfig_that_is_not_there_is_named() -> Outcome {
    let dir = TempDir::new()?;
    let said = gives_up(&dir.path().join("nowhere"), &[]).await?;
    assert!(said.contains("No such file"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_kubeconfig_that_is_none_is_named() -> Outcome {
    let dir = TempDir::new()?;
    for (name, text) in [("broken", "token: [secret\n"), ("other", "just a secret"), ("empty", "")] {
        let path = dir.path().join(name);
        std::fs::write(&path, text)?;
        let said = gives_up(&path, &[]).await?;
        assert!(said.trim_end().lines().count() == 1, "more than a sentence: {said}");
        assert!(!said.contains("secret"), "what is in a kubeconfig does not belong into a log: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_context_that_the_kubeconfig_does_not_have_is_named() -> Outcome {
    let dir = TempDir::new()?;
    let path = dir.path().join("kubeconfig");
    std::fs::write(&path, KUBECONFIG)?;
    let said = gives_up(&path, &["--context=elsewhere"]).await?;
    assert!(said.contains("elsewhere"), "{said}");
    Ok(())
}

#[tokio::test]
async fn without_any_kubeconfig_it_says_what_it_looked_for() -> Outcome {
    let output = call(&["run"], AT_ONCE).await?;
    assert_eq!(output.code, 1, "{}", output.stderr);
    for place in ["no kubeconfig in ~/.kube/config", "not in a pod"] {
        assert!(output.stderr.contains(place), "{}", output.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() -> Outcome {
    let dir = TempDir::new()?;
    let path = dir.path().join("kubeconfig");
    std::fs::write(&path, KUBECONFIG)?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let flags = [format!("--kubeconfig={}", path.display()), format!("--health-bind-address={address}")];
    let output = call(&["run", &flags[0], &flags[1]], AT_ONCE).await?;
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains(&address), "{}", output.stderr);
    Ok(())
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_names_the_flag() -> Outcome {
    for (wrong, named) in [
        (&["run", "--no-such-flag"][..], "--no-such-flag"),
        (&["run", "--workers=0"], "--workers"),
        (&["run", "--leader-elect=perhaps"], "--leader-elect"),
        (&["run", "--lease-duration=-1"], "--lease-duration"),
        (&["run", "--lease-duration=5"], "--lease-duration"),
        (&["run", "--log-level=loud"], "--log-level"),
        (&["walk"], "walk"),
        (&[], "run"),
    ] {
        let output = call(wrong, AT_ONCE).await?;
        assert_eq!(output.code, 2, "ordinal {wrong:?}: {}", output.stderr);
        assert!(output.stderr.contains(named), "ordinal {wrong:?} does not name {named}: {}", output.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn help_lists_every_flag() -> Outcome {
    let output = call(&["run", "--help"], AT_ONCE).await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    for flag in [
        "--kubeconfig",
        "--context",
        "--workers",
        "--qps",
        "--burst",
        "--leader-elect",
        "--lease-name",
        "--lease-namespace",
        "--identity",
        "--lease-duration",
        "--renew-deadline",
        "--retry-period",
        "--health-bind-address",
        "--log-format",
        "--log-level",
    ] {
        assert!(output.stdout.contains(flag), "{flag} is not in\n{}", output.stdout);
    }
    let output = call(&["--help"], AT_ONCE).await?;
    assert!(output.code == 0 && output.stdout.contains("Exit codes"), "{}", output.stdout);
    let output = call(&["--version"], AT_ONCE).await?;
    assert!(output.code == 0 && output.stdout.starts_with("ordinal "), "{}", output.stdout);
    Ok(())
}
