//! A whole control plane on loopback: etcd, kube-apiserver, kube-controller-manager without its StatefulSet controller,
//! kube-scheduler, and nodes that kwok plays.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use http::Request;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    audit::{self, Call, Tail},
    binaries,
    certs::Certs,
    identity,
    identity::Identity,
    install,
    kubectl::Kubectl,
    kwok::{self, Pace},
    namespace::Namespace,
    node, ports, probe,
    process::{Process, Signal},
    scratch::{self, Scratch},
    wait::{Look, eventually},
};

/// A server that is not there by then will not come: on two busy cores all of it takes under ten seconds.
const START: Duration = Duration::from_secs(60);

/// What a control plane is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nodes that kwok plays. With none there is no scheduler either: who brings nodes binds the pods too.
    pub nodes: usize,
    /// How long a pod runs before it is ready, unless its annotations say otherwise.
    pub ready_after: Duration,
    /// How long a deleted pod takes to stop, unless its annotations say otherwise.
    pub stop_after: Duration,
    /// Whether the CRD, and the operator's namespace and permissions are there from the start.
    pub install: bool,
    /// Whether the built-in StatefulSet controller runs too, to compare with.
    pub built_in: bool,
    /// What is written down of the calls.
    pub audit: audit::Policy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 5,
            ready_after: Duration::ZERO,
            stop_after: Duration::ZERO,
            install: true,
            built_in: false,
            audit: audit::Policy::default(),
        }
    }
}

/// A running control plane. Dropping it stops everything and removes its directory.
#[derive(Debug)]
pub struct ControlPlane {
    // In the order in which they must go: clients before the servers that they talk to, the directory last.
    components: Mutex<Vec<Process>>,
    apiserver: Mutex<Process>,
    /// With which it was started.
    apiserver_args: Vec<OsString>,
    etcd: Mutex<Process>,
    /// With which it was started.
    etcd_args: Vec<OsString>,
    etcd_port: u16,
    url: String,
    binaries: &'static Path,
    scratch: Scratch,
}

impl ControlPlane {
    /// The control plane that all tests of this process share, started by the first that asks.
    pub async fn shared() -> Result<&'static ControlPlane> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(Options::default())).await
    }

    /// Starts one and waits until its nodes are ready. A failure keeps the logs and says where they are.
    pub async fn start(options: Options) -> Result<Self> {
        let binaries = binaries::folder().await?;
        let scratch = Scratch::new()?;
        let servers = start_servers(scratch.path(), binaries, options.audit).await.map_err(not_started)?;
        let started = Self {
            components: Mutex::default(),
            apiserver: Mutex::new(servers.apiserver),
            apiserver_args: servers.apiserver_args,
            etcd: Mutex::new(servers.etcd),
            etcd_args: servers.etcd_args,
            etcd_port: servers.etcd_port,
            url: servers.url,
            binaries,
            scratch,
        };
        started.populate(&servers.certs, &options).await.map_err(not_started)?;
        Ok(started)
    }

    /// The CRD comes before kube-controller-manager, whose garbage collector only looks for new kinds every 30 s.
    async fn populate(&self, certs: &Certs, options: &Options) -> Result<()> {
        self.apiserver_ready().await?;
        let client = self.client(Identity::Tests).await?;
        let kubectl = self.kubectl();
        if options.install {
            install::crds(&kubectl).await?;
            install::operator_permissions(&kubectl).await?;
        }
        install::storage_class(&kubectl).await?;
        node::create(&client, options.nodes).await?;
        self.start_components(certs, options)?;
        node::all_ready(&client, options.nodes, START).await
    }

    fn start_components(&self, certs: &Certs, options: &Options) -> Result<()> {
        let mut controller_manager = vec![
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
            "--use-service-account-credentials=false".into(),
            flag("service-account-private-key-file", &certs.service_account_key),
            flag("root-ca-file", &certs.ca),
            "--enable-hostpath-provisioner=true".into(),
            "--allocate-node-cidrs=false".into(),
            // A test that waits for an autoscaler would wait for its 15 s.
            "--horizontal-pod-autoscaler-sync-period=1s".into(),
            // Its limits are for clusters; here they would only make everything slow.
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=2000".into(),
        ];
        // The first would want leases of nodes that a test plays itself; the others want cluster-wide keys and addresses.
        let mut controllers = "*,-node-lifecycle-controller,-node-ipam-controller,\
                               -certificatesigningrequest-signing-controller"
            .to_owned();
        if !options.built_in {
            controllers.push_str(",-statefulset-controller");
        }
        controller_manager.push(flag("controllers", controllers));
        self.start_component("kube-controller-manager", Identity::ControllerManager, controller_manager)?;
        if options.nodes == 0 {
            return Ok(());
        }
        self.start_component(
            "kube-scheduler",
            Identity::Scheduler,
            [
                flag("authentication-kubeconfig", self.kubeconfig(Identity::Scheduler)),
                flag("authorization-kubeconfig", self.kubeconfig(Identity::Scheduler)),
                "--leader-elect=false".into(),
                "--secure-port=0".into(),
            ],
        )?;
        let config = self.dir().join("kwok.yaml");
        let pace = Pace { ready_after: options.ready_after, stop_after: options.stop_after };
        std::fs::write(&config, kwok::config(pace)).context("cannot write kwok's configuration")?;
        self.start_component("kwok", Identity::Kwok, [flag("config", config)])
    }

    fn start_component(&self, name: &str, id: Identity, args: impl IntoIterator<Item = OsString>) -> Result<()> {
        let process = self.start_program(name, id, args)?;
        lock(&self.components).push(process);
        Ok(())
    }

    /// Starts one more of Kubernetes' programs with the kubeconfig of an identity, after whom its log is named.
    pub fn start_program(
        &self,
        program: &str,
        id: Identity,
        args: impl IntoIterator<Item = OsString>,
    ) -> Result<Process> {
        let args = std::iter::once(flag("kubeconfig", self.kubeconfig(id))).chain(args);
        Process::start(program, &self.binaries.join(program), args, self.log(id.name()))
    }

    fn apiserver_lives(&self) -> Result<()> {
        ended("kube-apiserver", &mut lock(&self.apiserver))
    }

    /// A namespace of its own for a test, ready for pods.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace> {
        Namespace::create(self.client(Identity::Tests).await?, self.kubectl(), prefix, json!({})).await
    }

    /// The kubeconfig file of an identity.
    pub fn kubeconfig(&self, id: Identity) -> PathBuf {
        identity::kubeconfig_path(self.scratch.path(), id)
    }

    /// Writes a kubeconfig of an identity that goes to another port on loopback, behind which the API server is.
    pub fn kubeconfig_through(&self, id: Identity, port: u16) -> Result<PathBuf> {
        let direct = self.kubeconfig(id);
        let path = self.dir().join(format!("{}-{port}.kubeconfig", id.name()));
        let told = |path: &Path| format!("cannot copy the kubeconfig {}", path.display());
        let text = std::fs::read_to_string(&direct).with_context(|| told(&direct))?;
        let text = text.replace(&self.url, &format!("https://127.0.0.1:{port}"));
        std::fs::write(&path, text).with_context(|| told(&path))?;
        Ok(path)
    }

    /// A client of an identity. Its connections belong to the current tokio runtime, so each test asks for its own.
    pub async fn client(&self, id: Identity) -> Result<Client> {
        client_of(&self.kubeconfig(id)).await
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self) -> Kubectl {
        self.kubectl_as(Identity::Admin)
    }

    /// kubectl as somebody else.
    pub fn kubectl_as(&self, id: Identity) -> Kubectl {
        Kubectl::new(self.binaries.join("kubectl"), self.kubeconfig(id), &self.scratch.path().join("kubectl-cache"))
    }

    /// The address of the API server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The directory with logs and kubeconfigs. Gone with the control plane, unless something failed.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// The log file of a component, or of an operator that runs against this control plane.
    pub fn log(&self, name: &str) -> PathBuf {
        self.scratch.path().join(format!("{name}.log"))
    }

    /// The calls that an identity has made so far, as the API server counted them.
    pub fn calls(&self, id: Identity) -> Result<Vec<Call>> {
        audit::calls(self.scratch.path(), id)
    }

    /// Follows the calls of an identity from the first one on.
    pub fn tail(&self, id: Identity) -> Tail {
        Tail::of(self.scratch.path(), id)
    }

    /// The calls that an identity has made in a namespace so far, events aside, which come when they come.
    pub fn calls_in(&self, id: Identity, namespace: &str) -> Result<Vec<Call>> {
        let here = |call: &Call| call.object.namespace == namespace && call.object.resource != "events";
        Ok(self.calls(id)?.into_iter().filter(here).collect())
    }

    /// Signals the API server: [`Signal::Stop`] freezes it with all its connections open.
    pub fn signal_apiserver(&self, signal: Signal) {
        lock(&self.apiserver).signal(signal);
    }

    /// Kills the API server, so that all connections to it break. Nobody answers at its address until
    /// [`ControlPlane::revive_apiserver`].
    pub async fn kill_apiserver(&self) -> Result<()> {
        self.signal_apiserver(Signal::Kill);
        eventually(START, "kube-apiserver has ended", async || {
            let code = lock(&self.apiserver).exit_code()?;
            Ok(Look::when(code.is_some(), || "it runs".to_owned()))
        })
        .await
    }

    /// Starts the API server again, with all that etcd has kept, and waits until it is ready.
    pub async fn revive_apiserver(&self) -> Result<()> {
        let (name, program) = ("kube-apiserver", self.binaries.join("kube-apiserver"));
        *lock(&self.apiserver) = Process::start(name, &program, &self.apiserver_args, self.log(name))?;
        self.apiserver_ready().await
    }

    /// Kills etcd. The API server lives on, and can read and write nothing until [`ControlPlane::revive_etcd`].
    pub async fn kill_etcd(&self) -> Result<()> {
        lock(&self.etcd).signal(Signal::Kill);
        eventually(START, "etcd has ended", async || {
            let code = lock(&self.etcd).exit_code()?;
            Ok(Look::when(code.is_some(), || "it runs".to_owned()))
        })
        .await
    }

    /// Starts etcd again, with all that it has kept, and waits until the API server is ready.
    pub async fn revive_etcd(&self) -> Result<()> {
        let revived = Process::start("etcd", &self.binaries.join("etcd"), &self.etcd_args, self.log("etcd"))?;
        *lock(&self.etcd) = revived;
        self.apiserver_ready().await
    }

    /// Makes etcd forget all versions of objects but the last. An API server that starts after this answers 410 to a watch
    /// from before.
    pub async fn compact_etcd(&self) -> Result<()> {
        let call = async |path: &str, body: String| -> Result<Value> {
            let (code, answer) = probe::post(self.etcd_port, path, &body).await?;
            if code != 200 {
                bail!("etcd answers {code} to {path}: {answer}");
            }
            serde_json::from_str(&answer).with_context(|| format!("etcd's answer to {path} is no JSON: {answer}"))
        };
        // "AA==" is a key that does not exist: only the header is asked for.
        let read = call("/v3/kv/range", json!({"key": "AA=="}).to_string()).await?;
        let revision = &read["header"]["revision"];
        call("/v3/kv/compaction", json!({"revision": revision, "physical": true}).to_string()).await?;
        Ok(())
    }

    async fn apiserver_ready(&self) -> Result<()> {
        let client = self.client(Identity::Tests).await?;
        eventually(START, "kube-apiserver is ready", async || {
            self.apiserver_lives()?;
            client.request_text(Request::get("/readyz").body(Vec::new())?).await?;
            Ok(Look::Done(()))
        })
        .await
    }

    /// Name and pid of all programs that belong to it.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let told = |process: &Process| (process.name().to_owned(), process.pid());
        let mut pids: Vec<_> = lock(&self.components).iter().map(told).collect();
        pids.extend([told(&lock(&self.apiserver)), told(&lock(&self.etcd))]);
        pids
    }
}

/// Keeps the logs of a control plane that does not start: called while its directory is still there.
fn not_started(error: anyhow::Error) -> anyhow::Error {
    error.context(format!("the control plane does not start; {}", scratch::kept_note()))
}

/// A client with the credentials of a kubeconfig file.
pub async fn client_of(kubeconfig: &Path) -> Result<Client> {
    let told = || format!("kubeconfig {}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(told)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.with_context(told)?;
    // A refusal is something to look at: the eviction API says 429, and would be asked again for minutes.
    config.default_retry = false;
    Client::try_from(config).with_context(told)
}

struct Servers {
    etcd: Process,
    etcd_args: Vec<OsString>,
    etcd_port: u16,
    apiserver: Process,
    apiserver_args: Vec<OsString>,
    url: String,
    certs: Certs,
}

async fn start_servers(dir: &Path, binaries: &Path, audit: audit::Policy) -> Result<Servers> {
    let [etcd_port, peer_port, port] = ports::free()?;
    let certs = Certs::make(&dir.join("certs"))?;
    let url = format!("https://127.0.0.1:{port}");
    let tokens = dir.join("tokens.csv");
    identity::write_tokens(&tokens)?;
    identity::write_kubeconfigs(dir, &url, &certs.ca)?;
    let log = |name: &str| dir.join(format!("{name}.log"));

    let store = format!("http://127.0.0.1:{etcd_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    let etcd_args: Vec<OsString> = vec![
        flag("data-dir", dir.join("etcd")),
        flag("listen-client-urls", &store),
        flag("advertise-client-urls", &store),
        flag("listen-peer-urls", &peer),
        flag("initial-advertise-peer-urls", &peer),
        flag("initial-cluster", format!("default={peer}")),
        // The data dies with the test: a crash of the machine may take it.
        "--unsafe-no-fsync".into(),
        // Old versions of 10,000 pods fill the usual 2 GiB before they are compacted.
        "--quota-backend-bytes=6442450944".into(),
        "--log-level=warn".into(),
    ];
    let mut etcd = Process::start("etcd", &binaries.join("etcd"), &etcd_args, log("etcd"))?;
    eventually(START, "etcd is healthy", async || {
        ended("etcd", &mut etcd)?;
        let (code, body) = probe::get(etcd_port, "/health").await?;
        Ok(Look::when(code == 200, || body))
    })
    .await?;

    audit::write_policy(dir, audit)?;
    let (audit_policy, audit_log) = audit::paths(dir);
    let apiserver_args = vec![
        flag("etcd-servers", &store),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        flag("secure-port", port.to_string()),
        flag("cert-dir", dir.join("certs")),
        flag("tls-cert-file", &certs.server),
        flag("tls-private-key-file", &certs.server_key),
        "--authorization-mode=RBAC".into(),
        flag("token-auth-file", &tokens),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        flag("service-account-key-file", &certs.service_account),
        flag("service-account-signing-key-file", &certs.service_account_key),
        "--service-cluster-ip-range=10.0.0.0/16".into(),
        "--allow-privileged=true".into(),
        "--endpoint-reconciler-type=none".into(),
        // Nobody would take the taint off a new node: node-lifecycle-controller is off.
        "--disable-admission-plugins=TaintNodesByCondition".into(),
        // Refusing `blockOwnerDeletion` without permission is not a default, but clusters do it, so our Role must bear it.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".into(),
        // The tests are the only load, and a queue would only add noise to their times.
        "--enable-priority-and-fairness=false".into(),
        "--max-requests-inflight=0".into(),
        "--max-mutating-requests-inflight=0".into(),
        flag("audit-policy-file", audit_policy),
        flag("audit-log-path", audit_log),
        // One file, however long.
        "--audit-log-maxsize=0".into(),
    ];
    let apiserver =
        Process::start("kube-apiserver", &binaries.join("kube-apiserver"), &apiserver_args, log("kube-apiserver"))?;
    Ok(Servers { etcd, etcd_args, etcd_port, apiserver, apiserver_args, url, certs })
}

/// An error when a server that should run has ended, with its last words.
fn ended(name: &str, process: &mut Process) -> Result<()> {
    match process.exit_code()? {
        Some(code) => bail!("{name} ended with {code}: {}", process.log_tail(5)),
        None => Ok(()),
    }
}

fn flag(name: &str, value: impl Into<OsString>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value.into());
    flag
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
