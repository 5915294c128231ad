//! The two that are compared, as processes.

use std::{ffi::OsString, fmt, path::PathBuf, time::Duration};

use anyhow::Result;
use ordinal_tests::{ControlPlane, Identity, Operator, OperatorOptions, Usage, process::Process, twins::Kind};

/// SIGTERM to exit: Ordinal finishes what is under way and gives its lease back.
const GRACE: Duration = Duration::from_secs(30);

/// How many calls a contestant may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// So many that it never waits: the built-in is told so, Ordinal knows no limit unless it is told one.
    Off,
    /// 20 a second and 30 at once: what the built-in has when nobody says otherwise.
    Default,
}

/// Who does the work, and how.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    /// By the kind that it serves.
    pub kind: Kind,
    /// How fast it may be.
    pub limits: Limits,
}

impl Contestant {
    /// Who it is to the API server.
    pub fn identity(self) -> Identity {
        match self.kind {
            Kind::Native => Identity::BuiltIn,
            Kind::Ours => Identity::Operator,
        }
    }

    /// Starts its process, and does not wait until it works. Neither has a lease to hold.
    pub async fn start(self, control_plane: &ControlPlane) -> Result<Running> {
        Ok(match self.kind {
            Kind::Native => {
                let (qps, burst) = match self.limits {
                    Limits::Off => (10_000, 10_000),
                    Limits::Default => (20, 30),
                };
                let args = [
                    "--controllers=statefulset-controller".to_owned(),
                    format!("--kube-api-qps={qps}"),
                    format!("--kube-api-burst={burst}"),
                    "--leader-elect=false".to_owned(),
                    "--secure-port=0".to_owned(),
                ];
                let args = args.map(OsString::from);
                Running::BuiltIn(control_plane.start_program("kube-controller-manager", self.identity(), args)?)
            }
            Kind::Ours => {
                let limits: &[&str] = match self.limits {
                    Limits::Off => &[],
                    Limits::Default => &["--qps=20", "--burst=30"],
                };
                let args = limits.iter().chain(&["--leader-elect=false"]).map(|arg| (*arg).to_owned()).collect();
                let options = OperatorOptions { args, wait_ready: false, shipped: true, ..OperatorOptions::default() };
                Running::Ordinal(Operator::start(control_plane, options).await?)
            }
        })
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(self.kind))
    }
}

/// As it is called in tables.
pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Native => "built-in",
        Kind::Ours => "Ordinal",
    }
}

/// A contestant at work. Dropping it kills it.
pub enum Running {
    /// kube-controller-manager with one controller.
    BuiltIn(Process),
    /// Ours.
    Ordinal(Operator),
}

impl Running {
    /// Its pid.
    pub fn pid(&self) -> u32 {
        match self {
            Running::BuiltIn(process) => process.pid(),
            Running::Ordinal(operator) => operator.pid(),
        }
    }

    /// What it has used so far.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid())
    }

    /// Returns when it has ended by itself, which it should not.
    pub async fn ended(&self) {
        let process = PathBuf::from(format!("/proc/{}", self.pid()));
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Stops it as a cluster would.
    pub async fn stop(self) -> Result<()> {
        match self {
            Running::BuiltIn(process) => process.stop(GRACE).await,
            Running::Ordinal(operator) => operator.stop(GRACE).await,
        }
        .map(drop)
    }
}
