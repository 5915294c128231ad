//! Who talks to the API server, and how each is known to it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A client of the API server. Each has a user of its own, so that its permissions are its own and calls can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A person with all rights, and kubectl.
    Admin,
    /// The test itself, with all rights.
    Tests,
    /// The operator, with exactly the permissions that deploy/manifests grants to its service account.
    Operator,
    /// kube-controller-manager.
    ControllerManager,
    /// The built-in StatefulSet controller where it runs in a process of its own, with the permissions that Kubernetes
    /// itself grants to it.
    BuiltIn,
    /// kube-scheduler, with the permissions that Kubernetes itself grants to it.
    Scheduler,
    /// kwok, which plays the kubelets.
    Kwok,
}

impl Identity {
    /// Every one of them.
    pub const ALL: [Identity; 7] = [
        Identity::Admin,
        Identity::Tests,
        Identity::Operator,
        Identity::ControllerManager,
        Identity::BuiltIn,
        Identity::Scheduler,
        Identity::Kwok,
    ];

    /// A short word for files.
    pub fn name(self) -> &'static str {
        match self {
            Identity::Admin => "admin",
            Identity::Tests => "tests",
            Identity::Operator => "operator",
            Identity::ControllerManager => "kube-controller-manager",
            Identity::BuiltIn => "statefulset-controller",
            Identity::Scheduler => "kube-scheduler",
            Identity::Kwok => "kwok",
        }
    }

    /// The user that the API server sees. The operator is its service account, so the shipped bindings are proven as well.
    pub fn user(self) -> &'static str {
        match self {
            Identity::Operator => "system:serviceaccount:ordinal-system:ordinal",
            Identity::ControllerManager => "system:kube-controller-manager",
            Identity::BuiltIn => "system:serviceaccount:kube-system:statefulset-controller",
            Identity::Scheduler => "system:kube-scheduler",
            other => other.name(),
        }
    }

    fn groups(self) -> &'static str {
        match self {
            Identity::Operator => "system:serviceaccounts,system:serviceaccounts:ordinal-system",
            Identity::BuiltIn => "system:serviceaccounts,system:serviceaccounts:kube-system",
            Identity::Scheduler => "",
            // Its controllers share one user here; in a cluster each has a service account of its own.
            Identity::ControllerManager | Identity::Admin | Identity::Tests | Identity::Kwok => "system:masters",
        }
    }

    /// The servers are on loopback and the tokens die with them: they keep identities apart, not secrets.
    fn token(self) -> String {
        format!("token-of-{}", self.name())
    }
}

/// Writes the file that `kube-apiserver --token-auth-file` reads.
pub fn write_tokens(path: &Path) -> Result<()> {
    let lines: String = Identity::ALL
        .iter()
        .map(|id| format!("{},{},{},\"{}\"\n", id.token(), id.user(), id.name(), id.groups()))
        .collect();
    std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a kubeconfig per identity into `dir`, named after [`kubeconfig_path`].
pub fn write_kubeconfigs(dir: &Path, server: &str, ca: &Path) -> Result<()> {
    for id in Identity::ALL {
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "ordinal",
            "clusters": [{"name": "ordinal", "cluster": {"server": server, "certificate-authority": ca}}],
            "users": [{"name": id.name(), "user": {"token": id.token()}}],
            "contexts": [{"name": "ordinal", "context": {"cluster": "ordinal", "user": id.name()}}],
        });
        let path = kubeconfig_path(dir, id);
        std::fs::write(&path, format!("{kubeconfig:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Where the kubeconfig of an identity is.
pub fn kubeconfig_path(dir: &Path, id: Identity) -> PathBuf {
    dir.join(format!("{}.kubeconfig", id.name()))
}
