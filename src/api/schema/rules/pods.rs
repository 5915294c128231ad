//! Rules of the pod template: what the built-in demands of a set's template in particular, and the mistake that is made
//! most. All else that pods must keep is asked of the API server (O-4).

use super::rule;
use kube::core::{Reason, Rule};

/// On `spec.template.spec`.
pub(super) fn spec() -> Vec<Rule> {
    vec![
        rule("!has(self.restartPolicy) || self.restartPolicy in ['', 'Always']", r#"supported values: "Always""#)
            .field_path(".restartPolicy"),
        rule("!has(self.activeDeadlineSeconds)", "activeDeadlineSeconds in StatefulSet is not Supported")
            .field_path(".activeDeadlineSeconds")
            .reason(Reason::FieldValueForbidden),
        rule(
            "!has(self.ephemeralContainers) || size(self.ephemeralContainers) == 0",
            "ephemeral containers not allowed in pod template",
        )
        .field_path(".ephemeralContainers")
        .reason(Reason::FieldValueForbidden),
    ]
}

/// On `spec`: whatever a container mounts is a volume of the template or a claim.
pub(super) fn mounts() -> Vec<Rule> {
    ["containers", "initContainers"]
        .map(|containers| {
            let found = format!(
                "!has(self.template.spec.{containers}) || self.template.spec.{containers}.all(c, \
                 !has(c.volumeMounts) || sets.contains(\
                 (has(self.template.spec.volumes) ? self.template.spec.volumes.map(v, v.name) : []) + \
                 (has(self.volumeClaimTemplates) ? self.volumeClaimTemplates.map(t, t.metadata.name) : []), \
                 c.volumeMounts.map(m, m.name)))"
            );
            rule(found, "volumeMounts: Not found: a name is neither of volumes nor of volumeClaimTemplates")
                .field_path(format!(".template.spec.{containers}"))
        })
        .into()
}
