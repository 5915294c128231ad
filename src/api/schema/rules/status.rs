//! Rules of the status: what the built-in's validation demands of whoever writes it (S-1.8).

use super::rule;
use kube::core::Rule;

/// On `status`: no counter exceeds the one that contains it.
pub(super) fn counters() -> Vec<Rule> {
    [
        ("readyReplicas", "replicas"),
        ("currentReplicas", "replicas"),
        ("updatedReplicas", "replicas"),
        ("availableReplicas", "replicas"),
        ("availableReplicas", "readyReplicas"),
    ]
    .map(|(part, whole)| {
        let within = format!("!has(self.{part}) || self.{part} <= (has(self.{whole}) ? self.{whole} : 0)");
        rule(within, &format!("cannot be greater than status.{whole}")).field_path(format!(".{part}"))
    })
    .into()
}

/// On the set, so that a status that is taken away is seen too.
pub(super) fn collision_count() -> Rule {
    rule(
        "!has(oldSelf.status) || !has(oldSelf.status.collisionCount) || (has(self.status) && \
         has(self.status.collisionCount) && self.status.collisionCount >= oldSelf.status.collisionCount)",
        "cannot be decremented",
    )
    .field_path(".status.collisionCount")
}
