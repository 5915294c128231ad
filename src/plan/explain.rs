//! A plan in words: what would be done for a set now, and what it waits for.

use crate::{Plan, Snapshot, plan, snapshot::Set};
use std::{
    fmt::{self, Display, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The plan for what a snapshot shows.
pub fn tell(snapshot: &Snapshot) -> String {
    // A set that the planner cannot bear must not end the process that serves the others (N-14).
    match catch_unwind(AssertUnwindSafe(|| plan(snapshot))) {
        Ok(plan) => Told { set: &snapshot.set, plan: &plan }.to_string(),
        Err(_) => "the planner panicked: a defect, please report it\n".to_owned(),
    }
}

struct Told<'a> {
    set: &'a Set,
    plan: &'a Plan,
}

impl Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, plan } = self;
        let status = &plan.status;
        writeln!(f, "OrdinalSet {}/{}, generation {}", set.namespace, set.name, set.generation)?;
        writeln!(
            f,
            "Replicas: {} wanted, {} there, {} ready, {} available, {} updated; {} may be unavailable, {} are",
            set.replicas(),
            status.replicas,
            status.ready_replicas,
            status.available_replicas,
            status.updated_replicas,
            plan.budget.max_unavailable,
            plan.budget.unavailable,
        )?;
        let text = plan.to_string();
        f.write_str("\nTo do now:\n")?;
        indented(f, if text.is_empty() { "nothing" } else { &text })?;
        if !status.blocked_pods.is_empty() {
            f.write_str("\nBlocked pods:\n")?;
            for pod in &status.blocked_pods {
                indented(f, &format!("{}: {}: {}", pod.name, pod.reason, pod.message))?;
            }
        }
        f.write_str("\nConditions:\n")?;
        for condition in &status.conditions {
            let words = |text: &Option<String>| text.as_deref().unwrap_or_default().to_owned();
            let (reason, message) = (words(&condition.reason), words(&condition.message));
            let line = format!("{:<13} {:<7} {reason}: {message}", condition.type_, condition.status);
            indented(f, line.trim_end_matches([':', ' ']))?;
        }
        Ok(())
    }
}

fn indented(f: &mut impl Write, text: &str) -> fmt::Result {
    text.lines().try_for_each(|line| writeln!(f, "  {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::{Everything, snapshot};
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn a_plan_is_told_with_what_it_waits_for() {
        let set = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet",
            "metadata": {"namespace": "ns", "name": "web", "uid": "u", "generation": 1},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
            },
        });
        let set = Arc::new(Set::read(set).expect("a set"));
        let text =
            tell(&snapshot(set, Everything::default(), Timestamp::UNIX_EPOCH, crate::snapshot::Memory::default()));
        for part in [
            "OrdinalSet ns/web, generation 1\n",
            "2 wanted, 0 there",
            "create pod web-0",
            "waiting for web-0",
            "Progressing",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert!(!text.contains("Blocked pods"), "there are none:\n{text}");
    }
}
