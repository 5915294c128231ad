//! Completion as kubectl asks for it: by a program `kubectl_complete-ordinal` in PATH, which is this one under that name. It prints
//! a candidate per line, with what it means behind a tab, and then what the shell shall make of them.

use clap::{Command, CommandFactory};
use k8s_openapi::{NamespaceResourceScope, api::apps::v1::StatefulSet};
use kube::{Resource, ResourceExt, api::ListParams};
use ordinal_api::OrdinalSet;
use serde::de::DeserializeOwned;

use crate::{
    cli::{Cli, Place},
    cluster::Cluster,
};

/// What kubectl looks for in PATH.
pub const PROGRAM: &str = "kubectl_complete-ordinal";

/// No names of files.
const NO_FILES: &str = ":4";

/// Prints what may stand in the place of the last word.
pub async fn run(words: &[String]) {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let command = Cli::command();
    let command = within(&command, before);
    let mut candidates = candidates(command, last);
    let positional = command.get_positionals().next().map(|arg| arg.get_id().as_str().to_owned());
    if candidates.is_empty() {
        candidates = match positional.as_deref() {
            Some("set") => names::<OrdinalSet>(before).await,
            Some("native") => names::<StatefulSet>(before).await,
            _ => Vec::new(),
        };
    }
    candidates.iter().filter(|candidate| candidate.starts_with(last)).for_each(|candidate| println!("{candidate}"));
    println!("{NO_FILES}");
}

/// The subcommand that the words before lead to.
fn within<'c>(command: &'c Command, before: &[String]) -> &'c Command {
    before.iter().fold(command, |command, word| command.find_subcommand(word).unwrap_or(command))
}

/// Subcommands, or flags where a word begins with a dash.
fn candidates(command: &Command, last: &str) -> Vec<String> {
    let with = |name: String, about: Option<&clap::builder::StyledStr>| match about {
        Some(about) => format!("{name}\t{about}"),
        None => name,
    };
    if last.starts_with('-') {
        let long =
            command.get_arguments().filter_map(|arg| Some(with(format!("--{}", arg.get_long()?), arg.get_help())));
        return long.collect();
    }
    command.get_subcommands().map(|sub| with(sub.get_name().to_owned(), sub.get_about())).collect()
}

/// The sets of a kind in the namespace; none where they cannot be had.
async fn names<K>(before: &[String]) -> Vec<String>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
{
    let after = |names: &[&str]| {
        let at = before.iter().position(|word| names.contains(&word.as_str()))?;
        before.get(at + 1).cloned()
    };
    let place = Place {
        namespace: after(&["-n", "--namespace"]),
        context: after(&["--context"]),
        kubeconfig: after(&["--kubeconfig"]).map(Into::into),
    };
    let Ok(cluster) = Cluster::connect(&place).await else { return Vec::new() };
    let listed = cluster.api::<K>().list(&ListParams::default()).await;
    listed.map(|sets| sets.iter().map(ResourceExt::name_any).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(words: &[&str]) -> Vec<String> {
        let (last, before) = words.split_last().expect("a word");
        let before: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
        let command = Cli::command();
        let all = candidates(within(&command, &before), last);
        all.iter().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn subcommands_and_flags_are_offered_where_they_may_stand() {
        assert!(offered(&["ro"]).contains(&"rollout".into()));
        assert_eq!(offered(&["-n", "ns", "rollout", ""]), ["status", "history", "undo", "restart"]);
        assert!(offered(&["rollout", "status", "web", "--"]).contains(&"--timeout".into()));
        assert_eq!(offered(&["rollout", "status", ""]), Vec::<String>::new(), "the name of a set");
    }
}
