//! Where the tour takes place: a control plane of its own, or a cluster that is given.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use ordinal_tests::{
    ControlPlane, Identity, Kubectl, Look, Operator, OperatorOptions, Options, binaries, control_plane::client_of,
    diagnose, eventually, install, operator, scratch::Scratch,
};

use crate::screen::Screen;

/// On a machine of its own all of it takes about five seconds.
const READY: Duration = Duration::from_secs(60);
/// SIGTERM to exit: what is under way is finished, the lease given back.
const GRACE: Duration = Duration::from_secs(15);
const CRD: &str = "ordinalsets.apps.ordinal.dev";

/// The stage of the tour.
pub struct Stage {
    kubectl: Kubectl,
    kubeconfig: PathBuf,
    /// How the commands that are shown begin, up to the namespace.
    shown_as: String,
    namespace: String,
    place: Place,
    operator: Option<Operator>,
}

enum Place {
    /// Held, for it goes when it is dropped.
    Own {
        _control_plane: Box<ControlPlane>,
    },
    Given {
        brought_crd: bool,
        scratch: Scratch,
    },
}

impl Stage {
    /// Starts a control plane with five nodes and the operator beside it.
    pub async fn own(screen: &Screen) -> Result<Self> {
        screen.progress("building the operator, starting etcd, kube-apiserver, kube-scheduler and five nodes …");
        // A pace that an eye can follow: a pod is ready after 0.7 s and stops after 0.3 s.
        let options = Options {
            ready_after: Duration::from_millis(700),
            stop_after: Duration::from_millis(300),
            ..Options::default()
        };
        let (control_plane, _) = tokio::try_join!(ControlPlane::start(options), operator::binary())?;
        let operator = Operator::start(&control_plane, OperatorOptions::default()).await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(control_plane.client(Identity::Admin).await?, "default");
        eventually(READY, "the namespace takes pods", async || {
            let account = accounts.get_opt("default").await?;
            Ok(Look::when(account.is_some(), || "it has no service account yet".to_owned()))
        })
        .await?;
        Ok(Self {
            kubectl: control_plane.kubectl(),
            kubeconfig: control_plane.kubeconfig(Identity::Admin),
            shown_as: "kubectl".to_owned(),
            namespace: "default".to_owned(),
            place: Place::Own { _control_plane: Box::new(control_plane) },
            operator: Some(operator),
        })
    }

    /// Takes a cluster as it is and makes a namespace in it.
    pub async fn given(screen: &Screen, kubeconfig: PathBuf) -> Result<Self> {
        if !kubeconfig.is_file() {
            bail!("there is no kubeconfig {}", kubeconfig.display());
        }
        let scratch = Scratch::new()?;
        let program = binaries::kubectl().await?;
        let kubectl = Kubectl::new(program, kubeconfig.clone(), &scratch.path().join("kubectl-cache"));
        let server = kubectl.ok(["cluster-info"]).await.context("the cluster does not answer")?;
        screen.output(server.lines().next().unwrap_or_default());

        let namespace = format!("ordinal-demo-{}", std::process::id());
        kubectl.ok(["create", "namespace", &namespace]).await?;
        Ok(Self {
            kubectl: kubectl.in_namespace(&namespace),
            kubeconfig,
            shown_as: format!("kubectl -n {namespace}"),
            namespace,
            place: Place::Given { brought_crd: false, scratch },
            operator: None,
        })
    }

    /// Brings what a given cluster lacks: the CRD, an operator. Our own has it all.
    pub async fn furnish(&mut self, screen: &Screen) -> Result<()> {
        let Place::Given { brought_crd, scratch } = &mut self.place else { return Ok(()) };
        let crd = self.kubectl.ok(["get", "crd", CRD, "--ignore-not-found", "-o", "name"]).await?;
        if crd.is_empty() {
            screen.progress("installing the CRD …");
            *brought_crd = true;
            install::crds(&self.kubectl).await?;
        }
        let find = ["get", "deployment", "ordinal", "--namespace=ordinal-system", "--ignore-not-found", "-o", "name"];
        if !self.kubectl.ok(find).await?.is_empty() {
            screen.progress("the operator of this cluster does the work (deployment ordinal-system/ordinal)");
            return Ok(());
        }
        screen.progress("starting the operator as a process here …");
        let args = [format!("--lease-namespace={}", self.namespace)];
        let log = scratch.path().join("operator.log");
        let operator = Operator::launch(&self.kubeconfig, &args, log).await?;
        operator.ready(READY).await?;
        self.operator = Some(operator);
        Ok(())
    }

    /// Whether it is our own control plane.
    pub fn is_own(&self) -> bool {
        matches!(self.place, Place::Own { .. })
    }

    /// Where the set lives.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A client with the rights of kubectl.
    pub async fn client(&self) -> Result<Client> {
        client_of(&self.kubeconfig).await
    }

    /// Runs kubectl without showing it.
    pub async fn look(&self, args: &[&str]) -> Result<String> {
        self.kubectl.ok(args).await
    }

    /// Shows a command as a person would type it, and runs that very command.
    pub async fn run(&self, screen: &Screen, args: &[&str]) -> Result<String> {
        let typed: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
        screen.command(&format!("{} {}", self.shown_as, typed.join(" ")));
        self.kubectl.ok(args).await
    }

    /// Adds to an error what a person needs to see why.
    pub async fn explain(&self, error: Error) -> Error {
        let shown = diagnose::namespace(&self.kubectl).await;
        let kept = ordinal_tests::scratch::kept_note();
        anyhow!("{error:#}\n\n{shown}\n{kept}")
    }

    /// Tells a person how to play on.
    pub fn invite(&self, screen: &Screen) {
        screen.line("");
        screen.line("  The cluster stays up. In another terminal:");
        screen.line(&format!("     export KUBECONFIG={}", self.kubeconfig.display()));
        if binaries::in_path("kubectl").is_none() {
            let folder = self.kubectl.program().parent().unwrap_or(Path::new("."));
            screen.line(&format!("     export PATH=$PATH:{}", folder.display()));
        }
        screen.line("     kubectl get ordinalsets,pods,persistentvolumeclaims");
        screen.line("  Ctrl-C ends it and removes everything.");
    }

    /// Stops the operator and takes away what the tour brought.
    pub async fn leave(mut self, screen: &Screen) -> Result<()> {
        let stopped = match self.operator.take() {
            Some(operator) => operator.stop(GRACE).await.and_then(|code| {
                ensure!(code == 0, "the operator ended with {code} when it was asked to stop");
                Ok(())
            }),
            None => Ok(()),
        };
        if let Place::Given { brought_crd, .. } = &self.place {
            screen.progress(&format!("removing namespace {} and what else the tour brought …", self.namespace));
            self.look(&["delete", "namespace", &self.namespace, "--timeout=120s"]).await?;
            if *brought_crd {
                self.look(&["delete", "crd", CRD, "--timeout=60s"]).await?;
            }
        }
        stopped
    }
}

/// An argument as a shell takes it.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@".contains(c);
    if arg.chars().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
}
