//! The control plane of real nodes: etcd, API server, controllers without the built-in StatefulSet controller,
//! scheduler, DNS.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use ordinal_tests::{
    Look,
    certs::{Authority, Subject},
    control_plane::client_of,
    eventually,
    process::Process,
};
use serde_json::json;

use super::{HOST, WORK, node::address};

/// Fixed, as the bridge's address is: there is one cluster at a time.
const PORT: u16 = 26_443;
const ETCD: u16 = 26_379;
const ETCD_PEERS: u16 = 26_380;

/// A server that is not there by then will not come.
const START: Duration = Duration::from_secs(180);

/// The first address of the range of Services, which pods know the API server by.
const SERVICE: &str = "10.96.0.1";

pub struct Plane {
    /// Kubernetes' own programs.
    binaries: &'static Path,
    /// What nodes run, and CoreDNS.
    pub node_binaries: PathBuf,
    processes: Vec<Process>,
}

/// A kubeconfig of somebody.
pub fn kubeconfig(who: &str) -> PathBuf {
    Path::new(WORK).join(format!("{who}.kubeconfig"))
}

impl Plane {
    /// One that does not run yet.
    pub fn new(binaries: &'static Path, node_binaries: PathBuf) -> Self {
        Self { binaries, node_binaries, processes: Vec::new() }
    }

    /// Starts it for so many nodes.
    pub async fn start(&mut self, nodes: usize, logs: &Path) -> Result<()> {
        self.make_certificates(nodes)?;
        self.start_etcd(logs)?;
        self.start_api_server(logs).await?;
        self.start_controllers(logs)?;
        self.start_dns(logs)
    }

    /// Ends all of it, clients before the servers that they talk to.
    pub fn stop(&mut self) {
        while let Some(process) = self.processes.pop() {
            process.kill();
        }
    }

    /// A certificate or key.
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(WORK).join("certs").join(name)
    }

    fn make_certificates(&self, nodes: usize) -> Result<()> {
        let authority = Authority::make(&Path::new(WORK).join("certs"))?;
        let names = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
        ];
        let addresses = ["127.0.0.1", SERVICE, HOST];
        let server = Subject { name: "kube-apiserver", dns: &names, addresses: &addresses, ..Subject::default() };
        authority.issue("apiserver", &server)?;
        authority.tokens("tokens")?;
        for (file, name, group) in [
            ("admin", "admin", "system:masters"),
            ("kubelet-client", "apiserver-kubelet-client", "system:masters"),
            ("controller-manager", "system:kube-controller-manager", ""),
            ("scheduler", "system:kube-scheduler", ""),
            ("proxy", "system:kube-proxy", ""),
        ] {
            authority.issue(file, &Subject { name, group, ..Subject::default() })?;
            self.write_kubeconfig(file)?;
        }
        for number in 1..=nodes {
            let (file, address) = (format!("node{number}"), address(number));
            let (name, addresses) = (format!("system:node:{file}"), [address.as_str()]);
            let node = Subject { name: &name, group: "system:nodes", addresses: &addresses, ..Subject::default() };
            authority.issue(&file, &node)?;
            self.write_kubeconfig(&file)?;
        }
        Ok(())
    }

    fn write_kubeconfig(&self, who: &str) -> Result<()> {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {
                "server": format!("https://{HOST}:{PORT}"), "certificate-authority": self.file("ca.crt"),
            }}],
            "users": [{"name": who, "user": {
                "client-certificate": self.file(&format!("{who}.crt")), "client-key": self.file(&format!("{who}.key")),
            }}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": who}}],
        });
        let path = self::kubeconfig(who);
        std::fs::write(&path, format!("{kubeconfig:#}\n")).with_context(|| format!("cannot write {}", path.display()))
    }

    fn start_program(&mut self, program: &Path, logs: &Path, args: Vec<OsString>) -> Result<()> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        self.processes.push(Process::start(&name, program, args, logs.join(format!("{name}.log")))?);
        Ok(())
    }

    fn start_etcd(&mut self, logs: &Path) -> Result<()> {
        let (clients, peers) = (format!("http://127.0.0.1:{ETCD}"), format!("http://127.0.0.1:{ETCD_PEERS}"));
        let args = flags([
            ("data-dir", Path::new(WORK).join("etcd").into()),
            ("listen-client-urls", clients.clone().into()),
            ("advertise-client-urls", clients.into()),
            ("listen-peer-urls", peers.clone().into()),
            ("initial-advertise-peer-urls", peers.clone().into()),
            ("initial-cluster", format!("default={peers}").into()),
            // The data dies with the run.
            ("unsafe-no-fsync", "true".into()),
            ("log-level", "warn".into()),
        ]);
        self.start_program(&self.binaries.join("etcd"), logs, args)
    }

    async fn start_api_server(&mut self, logs: &Path) -> Result<()> {
        let args = flags([
            ("etcd-servers", format!("http://127.0.0.1:{ETCD}").into()),
            ("bind-address", HOST.into()),
            ("advertise-address", HOST.into()),
            ("secure-port", PORT.to_string().into()),
            ("cert-dir", Path::new(WORK).join("certs").into()),
            ("tls-cert-file", self.file("apiserver.crt").into()),
            ("tls-private-key-file", self.file("apiserver.key").into()),
            ("client-ca-file", self.file("ca.crt").into()),
            ("kubelet-client-certificate", self.file("kubelet-client.crt").into()),
            ("kubelet-client-key", self.file("kubelet-client.key").into()),
            ("kubelet-preferred-address-types", "InternalIP".into()),
            ("authorization-mode", "Node,RBAC".into()),
            // The second is not a default, but clusters have it, so the chart's roles must bear it.
            ("enable-admission-plugins", "NodeRestriction,OwnerReferencesPermissionEnforcement".into()),
            ("service-account-issuer", "https://kubernetes.default.svc".into()),
            ("service-account-key-file", self.file("tokens.pub").into()),
            ("service-account-signing-key-file", self.file("tokens.key").into()),
            ("service-cluster-ip-range", "10.96.0.0/24".into()),
            ("allow-privileged", "true".into()),
            // Pods of a lost node are given up after 300 s usually; nobody shall wait that long here.
            ("default-not-ready-toleration-seconds", "5".into()),
            ("default-unreachable-toleration-seconds", "5".into()),
        ]);
        self.start_program(&self.binaries.join("kube-apiserver"), logs, args)?;
        let client = client_of(&kubeconfig("admin")).await?;
        eventually(START, "kube-apiserver is ready", async || {
            client.request_text(http::Request::get("/readyz").body(Vec::new())?).await?;
            Ok(Look::Done(()))
        })
        .await
    }

    fn start_controllers(&mut self, logs: &Path) -> Result<()> {
        let recycler = Path::new(WORK).join("recycler.yaml");
        std::fs::write(&recycler, include_str!("recycler.yaml"))?;
        let controllers = flags([
            ("kubeconfig", kubeconfig("controller-manager").into()),
            ("leader-elect", "false".into()),
            ("secure-port", "0".into()),
            // Nobody but Ordinal looks after pets here.
            ("controllers", "*,-statefulset-controller".into()),
            ("use-service-account-credentials", "true".into()),
            ("service-account-private-key-file", self.file("tokens.key").into()),
            ("root-ca-file", self.file("ca.crt").into()),
            ("enable-hostpath-provisioner", "true".into()),
            ("pv-recycler-pod-template-filepath-hostpath", recycler.into()),
            // A lost node is found out in seconds.
            ("node-monitor-period", "2s".into()),
            ("node-monitor-grace-period", "10s".into()),
        ]);
        self.start_program(&self.binaries.join("kube-controller-manager"), logs, controllers)?;
        let scheduler = flags([
            ("kubeconfig", kubeconfig("scheduler").into()),
            ("authentication-kubeconfig", kubeconfig("scheduler").into()),
            ("authorization-kubeconfig", kubeconfig("scheduler").into()),
            ("leader-elect", "false".into()),
            ("secure-port", "0".into()),
        ]);
        self.start_program(&self.binaries.join("kube-scheduler"), logs, scheduler)
    }

    /// DNS for the pods of all nodes, on the bridge.
    fn start_dns(&mut self, logs: &Path) -> Result<()> {
        let file = Path::new(WORK).join("Corefile");
        let text = include_str!("Corefile").replace("KUBECONFIG", &kubeconfig("admin").display().to_string());
        std::fs::write(&file, text.replace("HOST", HOST))?;
        self.start_program(&self.node_binaries.join("coredns"), logs, vec!["-conf".into(), file.into()])
    }
}

/// Flags in the form that all of these programs take.
fn flags<const N: usize>(pairs: [(&str, OsString); N]) -> Vec<OsString> {
    let flag = |(name, value): (&str, OsString)| {
        let mut flag = OsString::from(format!("--{name}="));
        flag.push(value);
        flag
    };
    pairs.into_iter().map(flag).collect()
}
