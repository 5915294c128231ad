//! While a StatefulSet has a set's name, the set does nothing but say so.

use kube::{ResourceExt, api::DeleteParams};
use ordinal_tests::{Operator, OperatorOptions, Outcome};
use serde_json::json;

use super::{Natives, control_plane, place};
use crate::sets::{Sets, set};

#[tokio::test]
async fn s_8_4_a_set_beside_a_stateful_set_of_its_name_does_nothing_until_that_one_is_gone() -> Outcome {
    let (ns, _operator) = place("beside").await?;
    ns.native(set("web", 2, json!({}))).await?;
    let before = ns.photo().await?;
    ns.create_set(set("web", 3, json!({}))).await?;
    ns.condition("web", "Stalled", "True", "ConflictingStatefulSet").await?;
    assert_eq!(ns.photo().await?, before);
    ns.natives().delete("web", &DeleteParams::orphan()).await?;
    ns.settled("web").await?;
    let after = ns.photo().await?;
    assert!(before.pods.iter().all(|(name, pod)| after.pods.get(name) == Some(pod)), "{before:?}, {after:?}");
    Ok(())
}

/// The usual installation: no right to see StatefulSets.
#[tokio::test]
async fn s_8_4_without_a_right_to_see_it_a_stateful_set_is_known_by_its_pods() -> Outcome {
    let control_plane = control_plane().await?;
    let ns = control_plane.namespace("unseen").await?;
    let args = vec!["--leader-elect=false".into(), format!("--namespaces={}", ns.name())];
    let _operator = Operator::start(control_plane, OperatorOptions { args, ..OperatorOptions::default() }).await?;
    let native = ns.native(set("web", 2, json!({}))).await?;
    let before = ns.photo().await?;
    ns.adopt(&native, json!({})).await?;
    let words = super::held(&ns, "web", "AdoptionDisabled").await?;
    assert!(words.contains("adoption.enabled"), "{words}");
    ns.patch_set("web", json!({"spec": {"adoptFrom": null, "replicas": 5}})).await?;
    ns.condition("web", "Stalled", "True", "ConflictingStatefulSet").await?;
    assert_eq!(ns.photo().await?, before);
    let alive = ns.natives().get("web").await?;
    assert_eq!((alive.uid(), alive.metadata.deletion_timestamp), (native.uid(), None));
    Ok(())
}
