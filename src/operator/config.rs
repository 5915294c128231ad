//! The command line.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, num::NonZeroU16, path::PathBuf, time::Duration};
use tracing_subscriber::filter::LevelFilter;

/// Ordinal: OrdinalSets, which are StatefulSets and more.
///
/// Exit codes: 0 stopped on request, 1 could not run, 2 wrong usage, 3 leadership was lost.
#[derive(Parser, Debug)]
#[command(name = "ordinal", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the operator until it is stopped by SIGTERM or SIGINT.
    Run(Run),
    /// Say what the operator would do for a set now, and what the set waits for. Changes nothing.
    Explain(Explain),
}

/// Flags of `ordinal explain`.
#[derive(Args, Debug, Clone)]
pub struct Explain {
    /// The set.
    #[arg(value_name = "NAMESPACE/NAME", value_parser = full_name)]
    pub set: (String, String),

    /// Where the set is.
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Which cluster, and who we are there.
#[derive(Args, Debug, Clone)]
pub struct Cluster {
    /// Kubeconfig file; without it $KUBECONFIG, ~/.kube/config or, in a pod, the service account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig; without it its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Flags of `ordinal run`.
#[derive(Args, Debug, Clone)]
pub struct Run {
    /// The cluster to work in.
    #[command(flatten)]
    pub cluster: Cluster,

    /// Work in these namespaces alone; without it in all.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_parser = namespace)]
    pub namespaces: Vec<String>,

    /// Take over StatefulSets where spec.adoptFrom asks for it: they are watched then, which needs rights on them.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub adoption: bool,

    /// How many sets are worked on at a time; with --namespaces, in each of them.
    #[arg(long, value_name = "N", default_value = "5", value_parser = count)]
    pub workers: NonZeroU16,

    /// Requests per second at most, on average; 0: no limit but the API server's own.
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = rate)]
    pub qps: f32,

    /// Requests at once at most before --qps counts.
    #[arg(long, value_name = "N", default_value = "30", value_parser = count)]
    pub burst: NonZeroU16,

    /// Work only while holding a Lease, so that one of several operators works.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub leader_elect: bool,

    /// Name of the Lease.
    #[arg(long, value_name = "NAME", default_value = "ordinal")]
    pub lease_name: String,

    /// Namespace of the Lease; without it the operator's own.
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", default_value = "ordinal-system")]
    pub lease_namespace: String,

    /// Who this operator is among those that want the Lease; without it a name made from the host's.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: Option<String>,

    /// How long others wait for a holder that does not renew.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub lease_duration: Duration,

    /// How long a holder tries to renew before it gives up; less than --lease-duration.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub renew_deadline: Duration,

    /// Pause between two tries to take or renew the Lease.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub retry_period: Duration,

    /// Where /livez, /readyz, /metrics and /debug/plan/NAMESPACE/NAME are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub health_bind_address: SocketAddr,

    /// Tell of each set at /metrics; with thousands of sets, say false.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub metrics_per_set: bool,

    /// Form of the log on stderr.
    #[arg(long, value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "ORDINAL_LOG", default_value = "info")]
    pub log_level: LevelFilter,
}

/// Form of the log.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

impl Run {
    /// The namespaces that are worked in, each for itself; `None` stands for all of them at once.
    pub fn realms(&self) -> Vec<Option<String>> {
        let mut realms: Vec<_> = self.namespaces.iter().cloned().map(Some).collect();
        realms.sort();
        realms.dedup();
        if realms.is_empty() { vec![None] } else { realms }
    }

    /// What the values of single flags cannot say.
    ///
    /// # Errors
    /// A sentence for the person who wrote the command line.
    pub fn validate(&self) -> Result<(), String> {
        if self.renew_deadline >= self.lease_duration {
            return Err("--renew-deadline must be less than --lease-duration".into());
        }
        if self.retry_period >= self.renew_deadline {
            return Err("--retry-period must be less than --renew-deadline".into());
        }
        Ok(())
    }
}

fn namespace(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits =
        (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-') && !text.ends_with('-');
    if fits { Ok(text.to_owned()) } else { Err("not the name of a namespace".into()) }
}

fn full_name(text: &str) -> Result<(String, String), String> {
    let (namespace, name) = text.split_once('/').ok_or("must be NAMESPACE/NAME")?;
    if name.is_empty() || name.contains('/') {
        return Err("must be NAMESPACE/NAME".into());
    }
    Ok((self::namespace(namespace)?, name.to_owned()))
}

fn count(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| "must be from 1 to 65535".into())
}

/// No clock could add what is much longer.
const A_DAY: Duration = Duration::from_secs(86_400);

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && duration <= A_DAY => Ok(duration),
        _ => Err("must be greater than 0 and at most 86400, a day".into()),
    }
}

fn rate(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(rate) if f32::is_finite(rate) && rate >= 0.0 => Ok(rate),
        _ => Err("must be a number, 0 or greater".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn run(args: &[&str]) -> Result<Run, String> {
        let cli = Cli::try_parse_from([&["ordinal", "run"], args].concat()).map_err(|e| e.to_string())?;
        let Command::Run(run) = cli.command else { panic!("another command") };
        run.validate().map(|()| run)
    }

    #[test]
    fn every_flag_has_a_help_text() {
        let command = Cli::command();
        for sub in command.get_subcommands() {
            for arg in sub.get_arguments() {
                assert!(arg.get_help().is_some(), "--{} has no help", arg.get_id());
            }
        }
    }

    // also: O-14
    #[test]
    fn s_8_9_five_sets_at_a_time_and_no_limit_of_calls_unless_flags_say_so() {
        let usual = run(&[]).expect("no flags");
        assert_eq!((usual.workers.get(), usual.qps, usual.burst.get()), (5, 0.0, 30));
        let native = run(&["--workers=10", "--qps=20", "--burst=40"]).expect("flags");
        assert_eq!((native.workers.get(), native.qps, native.burst.get()), (10, 20.0, 40));
    }

    #[test]
    fn each_namespace_is_worked_in_once() {
        assert_eq!(run(&[]).expect("no flags").realms(), [None]);
        let two = run(&["--namespaces=b,a", "--namespaces=b"]).expect("flags");
        assert_eq!(two.realms(), [Some("a".to_owned()), Some("b".to_owned())]);
    }

    #[test]
    fn a_set_to_explain_is_named_with_its_namespace() {
        let explain = |set| Cli::try_parse_from(["ordinal", "explain", set]).map(|cli| cli.command);
        assert!(matches!(explain("ns/web"), Ok(Command::Explain(e)) if e.set == ("ns".to_owned(), "web".to_owned())));
        for wrong in ["web", "ns/", "/web", "ns/web/0"] {
            assert!(explain(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn n_14_no_value_of_any_flag_is_a_panic() {
        let long = "x".repeat(70_000);
        let words = [
            "",
            "-",
            "é",
            "\u{0}",
            "1e999",
            "-0",
            "NaN",
            "inf",
            "99999999999999999999",
            "1.5.5",
            "a/b/c",
            ":0",
            " ",
            &long,
        ];
        for command in Cli::command().get_subcommands() {
            for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
                for word in words {
                    let line = ["ordinal".to_owned(), command.get_name().to_owned(), format!("--{flag}={word}")];
                    if let Ok(Cli { command: Command::Run(run) }) = Cli::try_parse_from(line) {
                        let _ = (run.validate(), run.realms());
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_flags_are_refused() {
        assert!(run(&[]).is_ok());
        for wrong in [
            &["--workers", "0"][..],
            &["--qps", "-1"],
            &["--qps", "NaN"],
            &["--lease-duration", "5"],
            &["--retry-period", "10"],
            &["--renew-deadline", "0"],
            &["--lease-duration", "1e18"],
            &["--log-format", "xml"],
            &["--health-bind-address", "8081"],
            &["--namespaces", "Prod"],
            &["--namespaces", "a,,b"],
            &["--metrics-per-set", "maybe"],
            &["--no-such-flag"],
        ] {
            assert!(run(wrong).is_err(), "{wrong:?}");
        }
    }
}
