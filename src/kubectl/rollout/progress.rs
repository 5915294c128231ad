//! How far a roll-out is, in the words of `kubectl rollout status`.

use ordinal_api::{OrdinalSet, UpdateStrategyType};

/// Where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whether there is nothing left to wait for.
    pub done: bool,
    /// In a sentence.
    pub text: String,
}

/// Judges a set by its spec and status.
pub fn judge(set: &OrdinalSet) -> Progress {
    let status = set.status.clone().unwrap_or_default();
    let spec = &set.spec;
    let waiting = |text: String| Progress { done: false, text };
    if status.observed_generation < set.metadata.generation.unwrap_or(0) {
        return waiting("waiting for the set's last change to be observed".into());
    }
    let stalled = status.conditions.iter().find(|c| c.type_ == "Stalled" && c.status == "True");
    if let Some(stalled) = stalled {
        return waiting(format!("stalled: {}", stalled.message.as_deref().unwrap_or("nothing moves")));
    }
    let busy = status.conditions.iter().find(|c| c.type_ == "Progressing" && c.status == "True");
    let why = busy.and_then(|c| c.message.as_deref()).map(|m| format!(": {m}")).unwrap_or_default();
    let replicas = spec.replicas;
    if status.replicas != replicas {
        return waiting(format!("{} of {replicas} pods exist{why}", status.replicas));
    }
    let on_delete = spec.update_strategy.type_ == UpdateStrategyType::OnDelete;
    let partition = spec.update_strategy.rolling_update.as_ref().map_or(0, |r| r.partition);
    let wanted = if on_delete { replicas } else { (replicas - partition.max(0)).max(0) };
    if status.updated_replicas < wanted {
        let by_hand = if on_delete { ": with OnDelete a pod is updated when you delete it" } else { why.as_str() };
        return waiting(format!("{} of {wanted} pods are updated{by_hand}", status.updated_replicas));
    }
    if status.available_replicas < replicas {
        return waiting(format!("{} of {replicas} pods are available{why}", status.available_replicas));
    }
    // The counts do not tell which pods they are of: after a canary that was taken back, its pod is the old one.
    if let Some(busy) = busy {
        return waiting(busy.message.clone().unwrap_or_else(|| "pods are still to be replaced".into()));
    }
    let text = if partition > 0 && !on_delete {
        format!(
            "partitioned roll out complete: {} new pods have been updated, those below ordinal {} stay as they are",
            status.updated_replicas,
            partition.saturating_add(spec.ordinals.map_or(0, |o| o.start)),
        )
    } else {
        format!("roll out complete: {replicas} pods at revision {}", status.update_revision)
    };
    Progress { done: true, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(spec: Value, status: Value) -> OrdinalSet {
        let mut object = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": "web", "generation": 2},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": {}},
            "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3,
                "updateRevision": "web-2"},
        });
        for (part, fields) in [("spec", spec), ("status", status)] {
            for (name, value) in fields.as_object().expect("fields") {
                object[part][name] = value.clone();
            }
        }
        serde_json::from_value(object).expect("a set")
    }

    fn rolling(partition: i32) -> Value {
        json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}})
    }

    #[test]
    fn o_11_it_is_complete_when_all_pods_are_updated_and_available() {
        assert!(judge(&set(json!({}), json!({}))).done);
        for status in [
            json!({"observedGeneration": 1}),
            json!({"replicas": 4}),
            json!({"replicas": 2}),
            json!({"updatedReplicas": 2}),
            json!({"availableReplicas": 2}),
            json!({"conditions": [{"type": "Stalled", "status": "True", "message": "no"}]}),
            json!({"conditions": [{"type": "Progressing", "status": "True", "message": "web-2 is old"}]}),
        ] {
            let progress = judge(&set(json!({}), status.clone()));
            assert!(!progress.done, "{status}: {progress:?}");
        }
    }

    #[test]
    fn s_10_8_a_partition_is_said_in_words() {
        let progress = judge(&set(rolling(2), json!({"updatedReplicas": 1})));
        assert!(
            progress.done && progress.text.starts_with("partitioned roll out complete: 1 new pods"),
            "{progress:?}"
        );
        let progress = judge(&set(rolling(2), json!({"updatedReplicas": 0})));
        assert!(!progress.done && progress.text.contains("0 of 1"), "{progress:?}");
        assert!(
            judge(&set(rolling(7), json!({"updatedReplicas": 0}))).done,
            "a partition beyond all pods holds all back"
        );
    }

    #[test]
    fn on_delete_says_who_has_to_act() {
        let strategy = json!({"updateStrategy": {"type": "OnDelete"}});
        let progress = judge(&set(strategy.clone(), json!({"updatedReplicas": 1})));
        assert!(!progress.done && progress.text.contains("when you delete it"), "{progress:?}");
        assert!(judge(&set(strategy, json!({}))).done);
    }

    #[test]
    fn what_is_waited_for_is_told() {
        let condition = json!([{"type": "Progressing", "status": "True", "message": "waiting for web-1 to be ready"}]);
        let progress = judge(&set(json!({}), json!({"updatedReplicas": 1, "conditions": condition})));
        assert_eq!(progress.text, "1 of 3 pods are updated: waiting for web-1 to be ready");
    }
}
