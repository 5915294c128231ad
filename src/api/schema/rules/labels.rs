//! Rules of the selector and of labels.

use super::rule;
use kube::core::{Reason, Rule};

/// A label's key. That its prefix has no empty part and at most 253 characters is left to O-4.
const KEY: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$";
const NOT_A_KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
    an alphanumeric character";

pub(super) fn key() -> Rule {
    rule(format!("self.matches('{KEY}')"), NOT_A_KEY)
}

pub(super) fn keys() -> Rule {
    rule(format!("self.all(key, key.matches('{KEY}'))"), NOT_A_KEY)
}

/// Those of annotations may have capitals in the prefix.
pub(super) fn annotation_keys() -> Rule {
    rule(format!("self.all(key, key.lowerAscii().matches('{KEY}'))"), NOT_A_KEY)
}

pub(super) fn value() -> Rule {
    rule(
        "self.matches('^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$')",
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
         and end with an alphanumeric character",
    )
}

/// One of `matchExpressions`.
pub(super) fn expression() -> Vec<Rule> {
    vec![
        rule("self.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist']", "not a valid selector operator")
            .field_path(".operator"),
        rule(
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
            "must be specified when `operator` is 'In' or 'NotIn'",
        )
        .field_path(".values")
        .reason(Reason::FieldValueRequired),
        rule(
            "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        )
        .field_path(".values")
        .reason(Reason::FieldValueForbidden),
    ]
}

/// On `spec`: the selector is not empty, and matches the template.
pub(super) fn selector() -> Vec<Rule> {
    let matches =
        format!("has(self.template.metadata) && has(self.template.metadata.labels) ? ({MATCHES}) : ({NO_LABELS})");
    vec![
        rule(
            "(has(self.selector.matchLabels) && size(self.selector.matchLabels) > 0) || \
             (has(self.selector.matchExpressions) && size(self.selector.matchExpressions) > 0)",
            "empty selector is invalid for statefulset",
        )
        .field_path(".selector"),
        rule(matches, "`selector` does not match template `labels`").field_path(".template.metadata.labels"),
    ]
}

/// An operator that does not exist is refused elsewhere, and here means `NotIn`.
const MATCHES: &str = "(!has(self.selector.matchLabels) || self.selector.matchLabels.all(key, \
    key in self.template.metadata.labels && \
    self.selector.matchLabels[key] == self.template.metadata.labels[key])) && \
    (!has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, \
    e.operator == 'Exists' ? e.key in self.template.metadata.labels : \
    e.operator == 'DoesNotExist' ? !(e.key in self.template.metadata.labels) : \
    (e.operator == 'In') == (e.key in self.template.metadata.labels && has(e.values) && \
    self.template.metadata.labels[e.key] in e.values)))";

/// What matches a template without labels.
const NO_LABELS: &str = "(!has(self.selector.matchLabels) || size(self.selector.matchLabels) == 0) && \
    (!has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, \
    e.operator in ['NotIn', 'DoesNotExist']))";
