//! `rollout history`: the revisions that can be gone back to, what each was made of, and what is different.

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt;
use ordinal_plan::revision::restore;
use serde_json::Value;
use similar::TextDiff;

use crate::{
    cli::{History, Output},
    cluster::Cluster,
    family::{number, revisions},
    output::{self, Table},
};

/// Where people say why they changed something.
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

pub async fn run(args: &History, cluster: &Cluster) -> Result<ExitCode> {
    let target = &args.set.set;
    let set = cluster.set(target).await?;
    let revisions = revisions(cluster, &set).await?;
    match args.revision.as_slice() {
        [] => print!("{}", list(&revisions, args.output, &target.to_string())?),
        [one] => {
            let revision = find(&revisions, *one)?;
            match args.output {
                Some(format @ (Output::Json | Output::Yaml)) => print!("{}", output::object(revision, format)?),
                _ => print!("{target} with revision #{one}\n{}", output::yaml(&template(revision)?)?),
            }
        }
        [old, new] => print!("{}", difference(find(&revisions, *old)?, find(&revisions, *new)?)?),
        _ => bail!("--revision is given once to see one, or twice to compare two"),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(revisions: &[ControllerRevision], output: Option<Output>, target: &str) -> Result<String> {
    let names = || revisions.iter().map(|r| format!("controllerrevision.apps/{}\n", r.name_any())).collect();
    Ok(match output {
        Some(Output::Name) => names(),
        Some(format @ (Output::Json | Output::Yaml)) => output::object(&revisions, format)?,
        wide => {
            let wide = wide == Some(Output::Wide);
            let mut table =
                Table::new(if wide { &["REVISION", "NAME", "CHANGE-CAUSE"] } else { &["REVISION", "CHANGE-CAUSE"] });
            for revision in revisions {
                let cause = revision.annotations().get(CHANGE_CAUSE).map_or("<none>", String::as_str);
                let name = wide.then(|| revision.name_any());
                table.row([Some(number(revision).to_string()), name, Some(cause.to_owned())].into_iter().flatten());
            }
            format!("{target}\n{table}")
        }
    })
}

/// The revision of this number.
pub fn find(revisions: &[ControllerRevision], wanted: i64) -> Result<&ControllerRevision> {
    let found = revisions.iter().find(|revision| number(revision) == wanted);
    found.ok_or_else(|| {
        let known: Vec<String> = revisions.iter().map(|r| number(r).to_string()).collect();
        anyhow!("unable to find specified revision {wanted} in history; there are {}", known.join(", "))
    })
}

/// The pod template that a revision records.
pub fn template(revision: &ControllerRevision) -> Result<Value> {
    let data = serde_json::to_value(&revision.data)?;
    restore(data).with_context(|| format!("revision {} holds no template", revision.name_any()))
}

fn difference(old: &ControllerRevision, new: &ControllerRevision) -> Result<String> {
    let (before, after) = (output::yaml(&template(old)?)?, output::yaml(&template(new)?)?);
    let names = [old, new].map(|r| format!("revision {} ({})", number(r), r.name_any()));
    let text =
        TextDiff::from_lines(&before, &after).unified_diff().context_radius(3).header(&names[0], &names[1]).to_string();
    Ok(if text.is_empty() { "no difference\n".into() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn revision(number: i64, image: &str) -> ControllerRevision {
        let template = json!({"$patch": "replace", "spec": {"containers": [{"name": "c", "image": image}]}});
        serde_json::from_value(json!({
            "metadata": {"name": format!("web-{number}"), "annotations": {CHANGE_CAUSE: format!("image {image}")}},
            "revision": number, "data": {"spec": {"template": template}},
        }))
        .expect("a revision")
    }

    #[test]
    fn the_history_is_listed_as_kubectl_lists_it() {
        let text =
            list(&[revision(1, "a"), revision(2, "b")], None, "ordinalset.apps.ordinal.dev/web").expect("a list");
        assert_eq!(
            text,
            "ordinalset.apps.ordinal.dev/web\nREVISION   CHANGE-CAUSE\n1          image a\n2          image b\n"
        );
    }

    #[test]
    fn two_revisions_are_compared_line_by_line() {
        let text = difference(&revision(1, "a"), &revision(2, "b")).expect("a difference");
        assert!(text.contains("-  - image: a") || text.contains("- image: a"), "{text}");
        assert!(text.contains("+") && text.contains("image: b"), "{text}");
        assert_eq!(difference(&revision(1, "a"), &revision(3, "a")).expect("none"), "no difference\n");
    }

    #[test]
    fn a_revision_that_is_not_there_is_told_with_those_that_are() {
        let error = find(&[revision(4, "a")], 2).expect_err("there is none").to_string();
        assert!(error.contains('2') && error.contains("there are 4"), "{error}");
    }
}
