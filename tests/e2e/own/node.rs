//! A node: containerd, kubelet and kube-proxy, with a network, a /run, a /var/lib and a /var/log of their own, and what
//! stands in for systemd-logind. The machine itself gets a link and a route per node.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ordinal_tests::process::{Process, Signal};
use serde_json::json;

use super::{BRIDGE, HOST, WORK, cgroup, leftovers::NODES, plane::Plane};

const HOLD: &str = include_str!("node.sh");

/// In a node's cgroup, and then what is asked for.
const ENTER: &str = r#"echo $$ >"$0/cgroup.procs" && exec "$@""#;

/// A program that has not begun its work by then does not.
const START: Duration = Duration::from_secs(180);

pub struct Node {
    number: usize,
    folder: PathBuf,
    logs: PathBuf,
    programs: Vec<Program>,
    state: Mutex<State>,
}

/// What runs on a node.
struct Program {
    name: &'static str,
    args: Vec<String>,
    /// A file within the node that is there when others may start.
    begun: Option<&'static str>,
}

#[derive(Default)]
struct State {
    /// The first holds the network and the places; none while the power is off.
    running: Vec<Process>,
    /// Its kubelet knows, and takes no more pods.
    shutting_down: bool,
}

/// A node's address on the bridge.
pub fn address(number: usize) -> String {
    format!("10.77.0.{}", 10 + number)
}

/// Those of its pods.
fn pods(number: usize) -> String {
    format!("10.88.{number}.0/24")
}

/// What a node's cgroup is called.
pub fn own_name(number: usize) -> String {
    format!("ordinal-node{number}")
}

fn link(number: usize) -> String {
    format!("ordinal-n{number}")
}

/// Runs a program to its end; an error with its own words when it fails.
pub fn run(program: &str, args: &str) -> Result<()> {
    output(Command::new(program).args(args.split_whitespace())).map(drop)
}

fn output(command: &mut Command) -> Result<String> {
    let told = format!("{command:?}").replace('"', "");
    let output = command.output().with_context(|| format!("cannot run {told}"))?;
    ensure!(output.status.success(), "{told}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Takes away a node's link, if it has one. Connections that were cut off would keep it, and the node's network, for minutes.
pub fn disconnect(number: usize) -> Result<()> {
    let link = link(number);
    let is_there = || Path::new("/sys/class/net").join(&link).exists();
    if !is_there() {
        return Ok(());
    }
    let deleted = run("ip", &format!("link delete {link}"));
    // The kernel may have been faster: it goes with the node's network too.
    if is_there() { deleted } else { Ok(()) }
}

/// Makes the bridge, with the machine's own address on it.
pub fn make_bridge() -> Result<()> {
    run("ip", &format!("link add {BRIDGE} type bridge"))?;
    run("ip", &format!("address add {HOST}/24 dev {BRIDGE}"))?;
    run("ip", &format!("link set {BRIDGE} up"))
}

impl Node {
    /// Starts one. It becomes ready by and by.
    pub fn start(number: usize, plane: &Plane, logs: &Path) -> Result<Self> {
        let folder = Path::new(WORK).join(format!("node{number}"));
        for place in ["lib", "log", "network"] {
            let path = folder.join(place);
            std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        cgroup::make(&own_name(number))?;
        let programs = configure(number, &folder, plane)?;
        let node = Self { number, folder, logs: logs.to_owned(), programs, state: Mutex::default() };
        node.power_on()?;
        Ok(node)
    }

    /// As the API server calls it.
    pub fn name(&self) -> String {
        format!("node{}", self.number)
    }

    /// Starts all of it, as a machine boots: what its disk holds is there, and nothing runs. After a failure it is off.
    pub fn power_on(&self) -> Result<()> {
        let booted = self.boot();
        if booted.is_err() {
            self.power_off()?;
        }
        booted
    }

    fn boot(&self) -> Result<()> {
        let holder = self.hold()?;
        let pid = holder.pid();
        self.state().running.push(holder);
        self.connect(pid)?;
        for Program { name, args, begun } in &self.programs {
            let args = self.entering(pid, args);
            self.state().running.push(Process::start(name, &in_path("nsenter")?, args, self.log(name))?);
            if let Some(file) = begun {
                let file = Path::new("/proc").join(pid.to_string()).join("root").join(file);
                soon(&format!("{name} of {}", self.name()), || file.exists())?;
            }
        }
        Ok(())
    }

    /// Ends all of it at once, its containers too, as a power failure does.
    pub fn power_off(&self) -> Result<()> {
        cgroup::kill(&own_name(self.number))?;
        *self.state() = State::default();
        disconnect(self.number)
    }

    /// Tells its kubelet that it is about to be shut down.
    pub fn announce_shutdown(&self) -> Result<()> {
        let mut state = self.state();
        let logind = state.running.iter_mut().find(|process| process.name() == "logind");
        logind.with_context(|| format!("{} is off", self.name()))?.signal(Signal::Term);
        state.shutting_down = true;
        Ok(())
    }

    /// It goes on, and nobody reaches it.
    pub fn unplug(&self) -> Result<()> {
        run("ip", &format!("link set {} down", link(self.number)))
    }

    /// It is reached again.
    pub fn plug(&self) -> Result<()> {
        run("ip", &format!("link set {} up", link(self.number)))
    }

    /// It runs and is reached, whatever was done to it.
    pub fn mend(&self) -> Result<()> {
        if self.state().shutting_down {
            self.power_off()?;
        }
        let is_off = self.state().running.is_empty();
        if is_off { self.power_on() } else { self.plug() }
    }

    /// Kills a container's processes behind the kubelet's back.
    pub fn kill_container(&self, id: &str) -> Result<()> {
        self.inside("ctr", &["--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", id]).map(drop)
    }

    /// Brings an image to it.
    pub fn load(&self, archive: &Path) -> Result<()> {
        let archive = archive.to_str().context("the image's path is not UTF-8")?;
        self.inside("ctr", &["--namespace=k8s.io", "images", "import", archive]).map(drop)
    }

    /// Runs a program on the node, as somebody who sits at it would.
    pub fn inside(&self, program: &str, args: &[&str]) -> Result<String> {
        let pid = self.state().running.first().map(Process::pid);
        let pid = pid.with_context(|| format!("{} is off", self.name()))?;
        let all: Vec<String> = [program].iter().chain(args).map(|&arg| arg.to_owned()).collect();
        output(Command::new("nsenter").args(self.entering(pid, &all)))
    }

    /// The arguments of nsenter for a program on the node.
    fn entering(&self, pid: u32, program: &[String]) -> Vec<String> {
        let cgroup = cgroup::of_programs(&own_name(self.number)).display().to_string();
        let target = format!("--target={pid}");
        let enter = [target.as_str(), "--mount", "--net", "/bin/sh", "-c", ENTER, &cgroup];
        enter.iter().map(|&arg| arg.to_owned()).chain(program.iter().cloned()).collect()
    }

    /// A process that holds the network and the places while the power is on.
    fn hold(&self) -> Result<Process> {
        let cgroup = cgroup::of_programs(&own_name(self.number));
        let enter = ["--mount", "--net", "/bin/sh", "-c", HOLD, "node"].map(str::to_owned).into_iter();
        let args = enter.chain([self.folder.display().to_string(), cgroup.display().to_string()]);
        let mut holder = Process::start("node", &in_path("unshare")?, args, self.log("node"))?;
        // Then its shell has done its work.
        let comm = format!("/proc/{}/comm", holder.pid());
        let held = soon(&format!("{} has places of its own", self.name()), || {
            std::fs::read_to_string(&comm).is_ok_and(|name| name.trim() == "sleep")
        });
        match held {
            Ok(()) => Ok(holder),
            Err(error) if holder.exit_code()?.is_some() => Err(error.context(holder.log_tail(5))),
            Err(error) => Err(error),
        }
    }

    /// A link from its network to the bridge.
    fn connect(&self, pid: u32) -> Result<()> {
        let (link, address) = (link(self.number), address(self.number));
        run("ip", &format!("link add {link} type veth peer name eth0 netns {pid}"))?;
        run("ip", &format!("link set {link} master {BRIDGE} up"))?;
        let within = |args: &str| self.inside("ip", &args.split_whitespace().collect::<Vec<_>>()).map(drop);
        within("link set lo up")?;
        // The same one each time: neighbours remember it.
        within(&format!("link set eth0 address 02:00:0a:4d:00:{:02x}", 10 + self.number))?;
        within(&format!("address add {address}/24 dev eth0"))?;
        within("link set eth0 up")?;
        within(&format!("route add default via {HOST}"))?;
        for other in (1..=NODES).filter(|other| *other != self.number) {
            within(&format!("route add {} via {}", pods(other), self::address(other)))?;
        }
        run("ip", &format!("route replace {} via {address} dev {BRIDGE}", pods(self.number)))
    }

    fn log(&self, program: &str) -> PathBuf {
        self.logs.join(format!("{}-{program}.log", self.name()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = self.power_off() {
            eprintln!("{}: {error:#}", self.name());
        }
    }
}

fn in_path(program: &str) -> Result<PathBuf> {
    ordinal_tests::binaries::in_path(program).with_context(|| format!("there is no {program}"))
}

fn soon(what: &str, is: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is() {
        if begun.elapsed() > START {
            bail!("not within {START:?}: {what}");
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Writes what the programs are configured by, and says how they are called.
fn configure(number: usize, folder: &Path, plane: &Plane) -> Result<Vec<Program>> {
    let write = |name: &str, text: String| -> Result<String> {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path.display().to_string())
    };
    let binary = |name: &str| plane.node_binaries.join(name).display().to_string();
    let (node, address) = (format!("node{number}"), address(number));

    let network = json!({
        "cniVersion": "0.4.0", "name": "ordinal-e2e", "plugins": [{
            "type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true, "ipMasq": true,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": pods(number)}]]},
        }],
    });
    write("network/10-ordinal.conflist", network.to_string())?;
    let containerd = include_str!("containerd.toml")
        .replace("PLUGINS", &plane.node_binaries.display().to_string())
        .replace("FOLDER", &folder.join("network").display().to_string());
    let containerd = write("containerd.toml", containerd)?;

    let kubelet = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": "0.0.0.0", "port": 10250, "healthzPort": 0, "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": false}, "webhook": {"enabled": true},
            "x509": {"clientCAFile": plane.file("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": plane.file(&format!("{node}.crt")), "tlsPrivateKeyFile": plane.file(&format!("{node}.key")),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{}", own_name(number)),
        "failCgroupV1": false, "failSwapOn": false,
        "clusterDNS": [HOST], "clusterDomain": "cluster.local", "resolvConf": "",
        // A disk that is full of other things is no reason to evict.
        "evictionHard": {"nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        // The control plane takes a node for lost after ten seconds.
        "nodeStatusUpdateFrequency": "2s",
        "shutdownGracePeriod": "20s", "shutdownGracePeriodCriticalPods": "5s",
    });
    let kubelet = write("kubelet.json", kubelet.to_string())?;

    let proxy = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
        "clientConnection": {"kubeconfig": super::plane::kubeconfig("proxy")}, "clusterCIDR": "10.88.0.0/16",
        "hostnameOverride": node, "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
        // The table of connections is the whole machine's.
        "conntrack": {"maxPerCore": 0},
    });
    let proxy = write("proxy.json", proxy.to_string())?;

    let kubeconfig = super::plane::kubeconfig(&node);
    let kubelet = vec![
        binary("kubelet"),
        format!("--config={kubelet}"),
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--hostname-override={node}"),
        format!("--node-ip={address}"),
    ];
    let containerd = vec!["containerd".to_owned(), format!("--config={containerd}")];
    Ok(vec![
        Program { name: "logind", args: vec![binary("logind")], begun: Some("run/logind") },
        Program { name: "containerd", args: containerd, begun: Some("run/containerd/containerd.sock") },
        Program { name: "kubelet", args: kubelet, begun: None },
        Program { name: "kube-proxy", args: vec![binary("kube-proxy"), format!("--config={proxy}")], begun: None },
    ])
}
