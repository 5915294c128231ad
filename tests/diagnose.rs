//! What a person wants to see when a wait has failed.

use futures::future::join_all;

use crate::kubectl::Kubectl;

/// What is shown, and the call of kubectl that shows it.
const LOOKS: [(&str, &[&str]); 4] = [
    ("sets", &["get", "ordinalsets", "-o", "custom-columns=NAME:.metadata.name,SPEC:.spec.replicas,STATUS:.status"]),
    ("pods", &["get", "pods", "-o", "wide"]),
    ("claims", &["get", "persistentvolumeclaims"]),
    ("events", &["get", "events", "--sort-by=.metadata.creationTimestamp"]),
];

/// Sets, pods, claims and events of kubectl's namespace, as text. Never fails: a look that does says so.
pub async fn namespace(kubectl: &Kubectl) -> String {
    let shown = join_all(LOOKS.map(|(title, args)| async move {
        let text = match kubectl.run(args).await {
            Ok(output) => output.stdout + &output.stderr,
            Err(error) => format!("{error:#}"),
        };
        format!("--- {title}\n{}", text.trim_end())
    }))
    .await;
    format!("how things stand:\n{}\n", shown.join("\n"))
}
