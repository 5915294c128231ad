//! Rules of the set's own fields.
//!
//! An empty string stands for the default, as it does for the built-in.

use super::{NOT_A_DNS_LABEL, NOT_NEGATIVE, rule};
use crate::{MAX_NAME_LENGTH, schema::embedded::DNS_LABEL};
use kube::core::Rule;

/// On creation only: a name never changes, and pods that are taken over have theirs.
pub(super) fn name() -> Vec<Rule> {
    let taken_over = "has(self.spec) && has(self.spec.adoptFrom)";
    let fits = format!("oldSelf.hasValue() || {taken_over} || size(self.metadata.name) <= {MAX_NAME_LENGTH}");
    let too_long = format!(
        "must be no more than {MAX_NAME_LENGTH} characters: the pods' label controller-revision-hash has to hold it"
    );
    let label = format!("oldSelf.hasValue() || self.metadata.name.matches('{DNS_LABEL}')");
    [rule(fits, &too_long), rule(label, NOT_A_DNS_LABEL)]
        .map(|rule| rule.field_path(".metadata.name").optional_old_self(true))
        .into()
}

/// Pods of an ordinal that is no int32 would not be known as the set's own (S-1.4).
pub(super) fn ordinals() -> Vec<Rule> {
    vec![
        rule(
            "!has(self.ordinals) || self.replicas + self.ordinals.start <= 2147483647",
            "must not be greater than 2147483647 together with replicas",
        )
        .field_path(".ordinals.start"),
    ]
}

/// A schema takes 1.0 for an integer, a rule does not, nor does the built-in.
pub(super) fn integer() -> Rule {
    rule("self <= 2147483647", "must be an integer")
}

pub(super) fn service_name() -> Rule {
    rule(format!("self == '' || self.matches('{DNS_LABEL}')"), NOT_A_DNS_LABEL)
}

pub(super) fn pod_management_policy() -> Rule {
    rule("self in ['', 'OrderedReady', 'Parallel']", "must be 'OrderedReady' or 'Parallel'")
}

pub(super) fn update_strategy() -> Vec<Rule> {
    vec![
        rule("self.type in ['', 'RollingUpdate', 'OnDelete']", "must be 'RollingUpdate' or 'OnDelete'"),
        rule("self.type != 'OnDelete' || !has(self.rollingUpdate)", "only allowed for updateStrategy 'RollingUpdate'")
            .field_path(".rollingUpdate"),
    ]
}

pub(super) fn max_unavailable() -> Vec<Rule> {
    vec![
        rule("type(self) != int || self >= 0", NOT_NEGATIVE),
        rule("type(self) == int ? self != 0 : !self.matches('^0+%$')", "cannot be 0"),
        rule(
            "type(self) == int || !self.matches('^[0-9]+%$') || self.matches('^0*(100|[0-9]?[0-9])%$')",
            "must not be greater than 100%",
        ),
        rule(
            "type(self) == int || self.matches('^[0-9]+%$')",
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex \
             used for validation is '[0-9]+%')",
        ),
    ]
}

pub(super) fn retention() -> Rule {
    rule("self in ['', 'Retain', 'Delete']", r#"supported values: "Retain", "Delete""#)
}
