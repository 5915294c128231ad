//! Who else writes a set: Helm, Argo CD, Flux and Terraform leave their marks on what they own, and would put it back, or take it
//! away, when it changes its kind.

use serde_json::Value;

use crate::finding::{Finding, unsure};

/// Marks by which Argo CD takes an object for its own; on an object that is not in Git, they have it pruned.
const ARGO: [(&str, &str); 2] =
    [("labels", "argocd.argoproj.io/instance"), ("annotations", "argocd.argoproj.io/tracking-id")];

/// The label that Argo CD went by until version 3, and that charts set for themselves.
const INSTANCE: &str = "app.kubernetes.io/instance";

fn mark<'o>(object: &'o Value, part: &str, name: &str) -> Option<&'o str> {
    object["metadata"][part][name].as_str()
}

/// Takes from a copy what would have Argo CD prune it, and says so.
pub fn strip(copy: &mut Value) -> Vec<Finding> {
    let mut taken = Vec::new();
    for (part, name) in ARGO {
        let marks = copy["metadata"].get_mut(part).and_then(Value::as_object_mut);
        if marks.is_some_and(|marks| marks.remove(name).is_some()) {
            taken.push(name);
        }
    }
    if taken.is_empty() {
        return Vec::new();
    }
    let text = format!("left out {}: with it, Argo CD would prune what is not in Git yet", taken.join(", "));
    vec![unsure(text)]
}

/// What to do about those who have marked a set of kind `from`, before it becomes one of kind `into`.
pub fn of(object: &Value, from: &str, into: &str) -> Vec<Finding> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let mut findings = Vec::new();
    if let Some(release) = mark(object, "annotations", "meta.helm.sh/release-name") {
        let mut todo = vec![
            format!("no helm upgrade until the chart makes the {into}: an upgrade makes the {from} anew"),
            format!("the chart may lose its {from} only when the {from} is gone, or Helm deletes it with its pods"),
        ];
        if mark(object, "annotations", "helm.sh/resource-policy") != Some("keep") {
            let kind = from.to_lowercase();
            todo.push(format!("to be safe: kubectl annotate {kind} {name} helm.sh/resource-policy=keep"));
            todo.push("and the same in the chart, for helm uninstall".into());
        }
        findings.push(unsure(format!("Helm's release {release} owns the {from}")).with(todo));
    }
    let argo = ARGO.iter().any(|(part, name)| mark(object, part, name).is_some());
    if argo {
        let mut todo = vec![format!("turn automated sync off until Git has the {into} instead of the {from}")];
        let options = mark(object, "annotations", "argocd.argoproj.io/sync-options").unwrap_or_default();
        if !options.contains("Prune=false") {
            let kind = from.to_lowercase();
            todo.push(format!(
                "to be safe: kubectl annotate {kind} {name} argocd.argoproj.io/sync-options=Prune=false"
            ));
        }
        findings.push(unsure(format!("Argo CD owns the {from}")).with(todo));
    } else if let Some(instance) = mark(object, "labels", INSTANCE)
        && mark(object, "annotations", "meta.helm.sh/release-name").is_none()
    {
        let text = format!("the label {INSTANCE}={instance} may be Argo CD's, which went by it until version 3");
        findings.push(unsure(text).with([format!(
            "if it is: turn automated sync and pruning off until Git has the {into} instead of the {from}"
        )]));
    }
    let flux = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];
    if let Some(owner) = flux.iter().find_map(|label| mark(object, "labels", label)) {
        let mut todo = vec![format!("suspend {owner} in Flux until Git has the {into} instead of the {from}")];
        if mark(object, "annotations", "kustomize.toolkit.fluxcd.io/prune") != Some("disabled") {
            let kind = from.to_lowercase();
            todo.push(format!("to be safe: kubectl annotate {kind} {name} kustomize.toolkit.fluxcd.io/prune=disabled"));
        }
        findings.push(unsure(format!("Flux's {owner} owns the {from}")).with(todo));
    }
    let managers = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut managers = managers.filter_map(|entry| entry["manager"].as_str());
    if managers.any(|manager| manager.to_lowercase().contains("terraform")) {
        findings.push(
            unsure(format!("Terraform has written the {from}")).with([
                "terraform state rm its resource first, so that no apply deletes it with its pods, or makes it anew"
                    .to_owned(),
                format!("afterwards: import the {into}"),
            ]),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(metadata: Value) -> String {
        of(&json!({"metadata": metadata}), "StatefulSet", "OrdinalSet").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_owner_is_told_with_what_keeps_it_from_deleting() {
        let helm = told(json!({"name": "web", "annotations": {"meta.helm.sh/release-name": "shop"}}));
        assert!(helm.contains("Helm's release shop") && helm.contains("helm.sh/resource-policy=keep"), "{helm}");
        let argo =
            told(json!({"name": "web", "annotations": {"argocd.argoproj.io/tracking-id": "a:apps/StatefulSet:n/web"}}));
        assert!(argo.contains("Argo CD owns") && argo.contains("sync-options=Prune=false"), "{argo}");
        let flux = told(json!({"name": "web", "labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}));
        assert!(flux.contains("suspend shop") && flux.contains("prune=disabled"), "{flux}");
        let terraform = told(json!({"name": "web", "managedFields": [{"manager": "Terraform"}]}));
        assert!(terraform.contains("terraform state rm"), "{terraform}");
        assert_eq!(told(json!({"name": "web", "managedFields": [{"manager": "kubectl"}]})), "");
    }

    #[test]
    fn who_is_safe_already_is_not_told_to_be() {
        let helm = json!({"meta.helm.sh/release-name": "shop", "helm.sh/resource-policy": "keep"});
        assert!(!told(json!({"name": "web", "annotations": helm})).contains("to be safe"));
    }

    #[test]
    fn a_label_that_charts_set_too_is_doubted_unless_helm_is_there() {
        let labels = json!({INSTANCE: "shop"});
        assert!(told(json!({"labels": labels})).contains("may be Argo CD's"));
        let helm = json!({"labels": labels, "annotations": {"meta.helm.sh/release-name": "shop"}});
        assert!(!told(helm).contains("Argo"));
    }

    #[test]
    fn a_copy_loses_what_would_have_it_pruned() {
        let mut copy = json!({"metadata": {"labels": {"argocd.argoproj.io/instance": "shop", "app": "web"}}});
        assert_eq!(strip(&mut copy).len(), 1);
        assert_eq!(copy, json!({"metadata": {"labels": {"app": "web"}}}));
        assert_eq!(strip(&mut copy).len(), 0);
    }
}
