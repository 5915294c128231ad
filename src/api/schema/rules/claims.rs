//! Rules of the claim templates.

use super::rule;
use kube::core::{Reason, Rule};

/// On `spec`. The built-in accepts a name twice, and forgets all claims but the last.
pub(super) fn names() -> Vec<Rule> {
    vec![
        rule(
            "!has(self.volumeClaimTemplates) || self.volumeClaimTemplates.all(t, \
             self.volumeClaimTemplates.exists_one(o, o.metadata.name == t.metadata.name))",
            "names of claim templates must be unique",
        )
        .field_path(".volumeClaimTemplates"),
    ]
}

/// On the spec of a claim template.
pub(super) fn spec() -> Vec<Rule> {
    vec![
        rule("has(self.accessModes) && size(self.accessModes) > 0", "at least 1 access mode is required")
            .field_path(".accessModes")
            .reason(Reason::FieldValueRequired),
        rule(
            "!has(self.accessModes) || !('ReadWriteOncePod' in self.accessModes) || \
             self.accessModes.all(mode, mode == 'ReadWriteOncePod')",
            "may not use ReadWriteOncePod with other access modes",
        )
        .field_path(".accessModes")
        .reason(Reason::FieldValueForbidden),
        rule(
            "has(self.resources) && has(self.resources.requests) && 'storage' in self.resources.requests",
            "storage must be requested",
        )
        .field_path(".resources")
        .reason(Reason::FieldValueRequired),
        rule(
            "!has(self.dataSource) || (has(self.dataSource.apiGroup) && self.dataSource.apiGroup != '') || \
             self.dataSource.kind == 'PersistentVolumeClaim'",
            "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        )
        .field_path(".dataSource"),
    ]
}
