//! Who points to a set by its kind, and would be left behind when the kind changes; and who guards its pods.

use anyhow::Result;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{
    ResourceExt,
    api::ListParams,
    core::{Selector, SelectorExt},
};
use serde_json::Value;

use crate::{
    cluster::{Cluster, code},
    finding::{Finding, unsure},
};

/// An autoscaler's kind, where it is served, and where it says what it scales.
struct Scaling {
    kind: &'static str,
    path: &'static str,
    plural: &'static str,
    field: &'static str,
}

const SCALING: [Scaling; 3] = [
    Scaling {
        kind: "HorizontalPodAutoscaler",
        path: "/apis/autoscaling/v2",
        plural: "horizontalpodautoscalers",
        field: "scaleTargetRef",
    },
    Scaling {
        kind: "VerticalPodAutoscaler",
        path: "/apis/autoscaling.k8s.io/v1",
        plural: "verticalpodautoscalers",
        field: "targetRef",
    },
    Scaling { kind: "ScaledObject", path: "/apis/keda.sh/v1alpha1", plural: "scaledobjects", field: "scaleTargetRef" },
];

/// What was found around a set.
#[derive(Default)]
pub struct Neighbours {
    pub findings: Vec<Finding>,
    /// Commands that point autoscalers to the other kind.
    pub repoint: Vec<String>,
}

/// Looks at the neighbours of a set of kind `from`, which is to become one of kind `into`. What may not be seen is told, and no
/// reason to stop.
pub async fn of(
    cluster: &Cluster,
    name: &str,
    template: &Value,
    from: (&str, &str),
    into: (&str, &str),
) -> Result<Neighbours> {
    let mut found = Neighbours::default();
    for scaling in &SCALING {
        let path = format!("{}/namespaces/{}/{}", scaling.path, cluster.namespace, scaling.plural);
        let listed = cluster.client.request::<Value>(http::Request::get(path).body(Vec::new())?).await;
        match listed {
            Ok(list) => {
                let items = list["items"].as_array().cloned().unwrap_or_default();
                for scaler in items.iter().filter(|item| points_to(item, scaling.field, from.1, name)) {
                    scaling.tell(scaler, from.1, into, &mut found);
                }
            }
            // The kind is not served here.
            Err(error) if code(&error) == 404 => {}
            Err(error) => found.findings.push(unseen(scaling.plural, &error)),
        }
    }
    match cluster.api::<PodDisruptionBudget>().list(&ListParams::default()).await {
        Ok(budgets) => found.findings.extend(guards(&budgets.items, template)),
        Err(error) => found.findings.push(unseen("poddisruptionbudgets", &error)),
    }
    Ok(found)
}

fn unseen(what: &str, error: &kube::Error) -> Finding {
    let why = if code(error) == 403 { "you may not list them".to_owned() } else { error.to_string() };
    unsure(format!("{what} were not looked at: {why}"))
}

impl Scaling {
    fn tell(&self, scaler: &Value, from: &str, into: (&str, &str), found: &mut Neighbours) {
        let (kind, field) = (self.kind, self.field);
        let name = scaler["metadata"]["name"].as_str().unwrap_or_default();
        let target = format!(r#"{{"apiVersion":"{}","kind":"{}"}}"#, into.0, into.1);
        let plural = self.plural;
        let command = format!(r#"kubectl patch {plural} {name} --type=merge -p '{{"spec":{{"{field}":{target}}}}}'"#);
        let text = format!("{kind} {name} points to the {from}: it does nothing until you point it to the {}", into.1);
        found.findings.push(unsure(text).with([format!("after the end: {command}")]));
        found.repoint.push(command);
    }
}

fn points_to(scaler: &Value, field: &str, kind: &str, name: &str) -> bool {
    let target = &scaler["spec"][field];
    target["kind"] == kind && target["name"] == name
}

/// Budgets go by labels, so they stay in force; but they count by the pods' controller.
fn guards(budgets: &[PodDisruptionBudget], template: &Value) -> Option<Finding> {
    let labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    let labels = labels.into_iter().filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))).collect();
    let guards = |budget: &&PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
        selector.and_then(|s| Selector::try_from(s).ok()).is_some_and(|s: Selector| s.matches(&labels))
    };
    let names: Vec<String> = budgets.iter().filter(guards).map(ResourceExt::name_any).collect();
    (!names.is_empty()).then(|| {
        unsure(format!("PodDisruptionBudget {} guards the pods, and stays in force", names.join(", ")))
            .with(["for the seconds in which the pods have no controller, it may allow no eviction: drain no node now"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_autoscaler_is_told_with_the_command_that_points_it_to_the_other_kind() {
        let mut found = Neighbours::default();
        let scaler =
            json!({"metadata": {"name": "web"}, "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}}});
        assert!(points_to(&scaler, "scaleTargetRef", "StatefulSet", "web"));
        assert!(!points_to(&scaler, "scaleTargetRef", "OrdinalSet", "web"));
        assert!(!points_to(&scaler, "scaleTargetRef", "StatefulSet", "db"));
        SCALING[0].tell(&scaler, "StatefulSet", ("apps.ordinal.dev/v1", "OrdinalSet"), &mut found);
        assert_eq!(
            found.repoint,
            [
                r#"kubectl patch horizontalpodautoscalers web --type=merge -p '{"spec":{"scaleTargetRef":{"apiVersion":"apps.ordinal.dev/v1","kind":"OrdinalSet"}}}'"#
            ]
        );
    }

    #[test]
    fn a_budget_guards_by_labels() {
        let budget = |app: &str| {
            serde_json::from_value(
                json!({"metadata": {"name": app}, "spec": {"selector": {"matchLabels": {"app": app}}}}),
            )
            .expect("a budget")
        };
        let template = json!({"metadata": {"labels": {"app": "web"}}});
        let told = guards(&[budget("db"), budget("web")], &template).expect("one guards").to_string();
        assert!(told.contains("PodDisruptionBudget web guards"), "{told}");
        assert!(guards(&[budget("db")], &template).is_none());
    }
}
