//! helm, as a user has it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::binaries::{repository, tool};

/// helm with a home of its own and, if it is to meet one, a cluster.
pub struct Helm {
    program: PathBuf,
    home: TempDir,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// One that only renders.
    pub async fn alone() -> Result<Self> {
        Ok(Self { program: tool("helm").await?, home: TempDir::new()?, kubeconfig: None })
    }

    /// One that meets a cluster.
    pub async fn of(kubeconfig: &Path) -> Result<Self> {
        Ok(Self { kubeconfig: Some(kubeconfig.to_owned()), ..Self::alone().await? })
    }

    /// What it prints; an error with its own words when it fails.
    pub async fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(repository()).kill_on_drop(true);
        for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(home, self.home.path());
        }
        command.env_remove("KUBECONFIG").env("HOME", self.home.path());
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        let output = command.output().await.context("helm cannot be run")?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm {}: {told}", args.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The objects of a release `ordinal` in `ordinal-system`, with these values.
    pub async fn template(&self, values: &[&str]) -> Result<Vec<Value>> {
        let args = [&["template", "ordinal", CHART, "--namespace=ordinal-system"], values].concat();
        let text = self.run(&args).await?;
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).with_context(|| format!("no YAML: {text}"))?;
        Ok(all.into_iter().filter(|object| !object.is_null()).collect())
    }
}

/// Where the chart is.
pub const CHART: &str = "deploy/helm/ordinal";
