//! Commands and flags, named as kubectl names them.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use ordinal_api::Accept;

use crate::{
    target::{Native, Target},
    time,
};

/// Works with OrdinalSets.
#[derive(Parser)]
#[command(name = "kubectl ordinal", bin_name = "kubectl ordinal", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub place: Place,
    #[command(subcommand)]
    pub command: Command,
}

/// Which cluster and namespace.
#[derive(Args, Clone)]
pub struct Place {
    /// The namespace; by default that of the context.
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// The context of the kubeconfig to use.
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// The kubeconfig file; by default $KUBECONFIG, or ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Watch a roll-out, look at its history, go back, restart.
    #[command(subcommand)]
    Rollout(Rollout),
    /// A set on one screen: its slots, what each pod is at, and what is wrong.
    Status(Sets),
    /// A set and all that hangs on it: pods, claims, volumes, revisions, Service.
    Tree(One),
    /// What the operator would do for a set now, and what it waits for.
    Explain(One),
    /// What was said of a set, its pods and its claims, in order.
    Events(One),
    /// A StatefulSet's manifest as an OrdinalSet's, or the reverse.
    Convert(Convert),
    /// Take over a running StatefulSet as an OrdinalSet, with no pod restarted.
    Adopt(Adopt),
    /// Give an OrdinalSet's pods back to a StatefulSet, with none restarted.
    Release(Release),
    /// Whether everything is as it must be: installation, rights, Services, budgets, autoscalers.
    Doctor(Doctor),
    /// A script that completes commands and flags, for a shell.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
pub enum Rollout {
    /// Wait until a roll-out is complete, and tell how it goes.
    Status(RolloutStatus),
    /// The revisions that can be gone back to.
    History(History),
    /// Go back to the revision before, or to a given one.
    Undo(Undo),
    /// Replace all pods, one after the other, without any other change.
    Restart(Restart),
}

/// One set.
#[derive(Args)]
pub struct One {
    /// The set: NAME, or ordinalset/NAME.
    pub set: Target,
}

/// One set, or those that labels choose.
#[derive(Args)]
pub struct Sets {
    /// The set: NAME, or ordinalset/NAME; all of the namespace if absent.
    pub set: Option<Target>,
    /// Sets with these labels: app=web,tier!=test.
    #[arg(short = 'l', long, conflicts_with = "set")]
    pub selector: Option<String>,
    /// How it is printed.
    #[arg(short, long, value_enum)]
    pub output: Option<Output>,
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// With more columns.
    Wide,
    /// Names alone.
    Name,
    /// The objects as JSON.
    Json,
    /// The objects as YAML.
    Yaml,
}

#[derive(Args)]
pub struct RolloutStatus {
    #[command(flatten)]
    pub set: One,
    /// Wait until it is complete; false: tell how it stands.
    #[arg(short, long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub watch: bool,
    /// Give up after so long, such as 90s or 5m; 0 waits for ever.
    #[arg(long, default_value = "0", value_parser = time::duration)]
    pub timeout: Duration,
}

#[derive(Args)]
pub struct History {
    #[command(flatten)]
    pub set: One,
    /// Print the template of this revision; given twice, what is different between the two.
    #[arg(long, value_name = "N")]
    pub revision: Vec<i64>,
    /// How it is printed.
    #[arg(short, long, value_enum)]
    pub output: Option<Output>,
}

#[derive(Args)]
pub struct Undo {
    #[command(flatten)]
    pub set: One,
    /// The revision to go back to; 0 is the one before.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub to_revision: i64,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Args)]
pub struct Restart {
    #[command(flatten)]
    pub set: One,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// Whether anything is changed.
#[derive(Args)]
pub struct DryRun {
    /// `client` only tells what would be sent, `server` has it judged without keeping it.
    #[arg(long, value_enum, default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub dry_run: Dry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dry {
    None,
    Client,
    Server,
}

#[derive(Args)]
pub struct Convert {
    /// The StatefulSet in the cluster: NAME, or statefulset/NAME.
    #[arg(required_unless_present = "filename")]
    pub set: Option<String>,
    /// A manifest; - is standard input, and may hold many objects, such as Helm's output.
    #[arg(short, long, value_name = "FILE", conflicts_with = "set")]
    pub filename: Option<String>,
    /// To which kind.
    #[arg(long, value_enum, default_value = "ordinalset")]
    pub to: Kind,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value = "yaml")]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// apps.ordinal.dev/v1
    Ordinalset,
    /// apps/v1
    Statefulset,
}

#[derive(Args)]
pub struct Adopt {
    /// The StatefulSet: NAME, or statefulset/NAME.
    #[arg(value_name = "STATEFULSET")]
    pub native: Native,
    /// A manifest with the OrdinalSet, or the StatefulSet, of this name; by default it is made from the one in the cluster.
    #[arg(short, long, value_name = "FILE")]
    pub filename: Option<String>,
    /// What would be refused otherwise: a roll-out that a partition holds; a changed template, for which pods are replaced after
    /// the end.
    #[arg(long, value_delimiter = ',', value_enum, ignore_case = true)]
    pub accept: Vec<Acceptable>,
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// Stop watching after so long, such as 90s or 5m; 0 watches for ever. The taking over goes on without.
    #[arg(long, default_value = "5m", value_parser = time::duration)]
    pub timeout: Duration,
}

/// What may be accepted of a StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Acceptable {
    #[value(name = "PartialRollout")]
    PartialRollout,
    #[value(name = "TemplateChange")]
    TemplateChange,
}

impl From<Acceptable> for Accept {
    fn from(accepted: Acceptable) -> Self {
        match accepted {
            Acceptable::PartialRollout => Self::PartialRollout,
            Acceptable::TemplateChange => Self::TemplateChange,
        }
    }
}

#[derive(Args)]
pub struct Release {
    /// The set: NAME, or ordinalset/NAME.
    pub set: Target,
    /// What would be refused otherwise: a roll-out that a partition holds.
    #[arg(long, value_delimiter = ',', value_enum, ignore_case = true)]
    pub accept: Vec<Releasable>,
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// Give up waiting after so long, such as 90s or 5m; 0 waits for ever. The same command goes on.
    #[arg(long, default_value = "5m", value_parser = time::duration)]
    pub timeout: Duration,
}

/// What may be accepted of an OrdinalSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Releasable {
    #[value(name = "PartialRollout")]
    PartialRollout,
}

/// Whether anything is changed.
#[derive(Args)]
pub struct Rehearsal {
    /// Print what there is to be said, and change nothing; the exit code tells whether it could be done.
    #[arg(long, value_enum, default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "server")]
    pub dry_run: Dry,
}

impl Rehearsal {
    pub fn is_on(&self) -> bool {
        self.dry_run != Dry::None
    }
}

#[derive(Args)]
pub struct Doctor {
    /// Sets of all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_come_before_or_after_as_with_kubectl() {
        for line in [
            "-n ns rollout status web",
            "rollout status ordinalset/web --namespace=ns",
            "rollout -n ns status ords/web --watch=false",
            "adopt sts/web -n ns --dry-run --accept=PartialRollout,TemplateChange --timeout 90s",
            "release -n ns web --accept=partialrollout --dry-run=server",
        ] {
            let cli = Cli::try_parse_from(["kubectl-ordinal"].into_iter().chain(line.split(' '))).expect(line);
            assert_eq!(cli.place.namespace.as_deref(), Some("ns"), "{line}");
        }
    }
}
