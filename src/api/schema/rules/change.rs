//! Fields that never change (S-1.6). That a field comes or goes is seen one level above it. Absent, empty string and empty list
//! count as equal.
//!
//! Each status write asks all of them, so the short way comes first: nothing changed. And they sit as deep as they can: for a step
//! down from an object, the API server copies the schemas of all its fields.

use super::rule;
use kube::core::Rule;

/// On `spec`.
pub(super) fn rules() -> Vec<Rule> {
    [
        (".serviceName", same("serviceName")),
        (".podManagementPolicy", SAME_POLICY.to_owned()),
        (".volumeClaimTemplates", as_present("volumeClaimTemplates")),
    ]
    .map(|(field, unchanged)| immutable(unchanged).field_path(field))
    .into()
}

/// On `spec.selector`.
pub(super) fn selector() -> Vec<Rule> {
    vec![immutable(same("matchLabels")), immutable(same_expressions())]
}

/// On `spec.volumeClaimTemplates`.
pub(super) fn claims() -> Vec<Rule> {
    [same_claims(), same_other_requests()].map(|same| immutable(format!("self == oldSelf || ({same})"))).into()
}

fn immutable(unchanged: String) -> Rule {
    rule(unchanged, "field is immutable")
}

/// A string, list or map that did not change, absent being empty.
fn same(field: &str) -> String {
    format!(
        "has(self.{field}) ? (has(oldSelf.{field}) ? self.{field} == oldSelf.{field} : size(self.{field}) == 0) : \
         !has(oldSelf.{field}) || size(oldSelf.{field}) == 0"
    )
}

/// A list that neither came nor went.
fn as_present(field: &str) -> String {
    format!(
        "has(self.{field}) ? has(oldSelf.{field}) || size(self.{field}) == 0 : \
         !has(oldSelf.{field}) || size(oldSelf.{field}) == 0"
    )
}

/// The same expressions in the same order. Not `==`, as `values` may be absent or empty.
fn same_expressions() -> String {
    let each = |what: &str| {
        let of = |set: &str| format!("(has({set}.matchExpressions) ? {set}.matchExpressions.map(e, {what}) : [])");
        format!("{} == {}", of("self"), of("oldSelf"))
    };
    let same = [each("e.key"), each("e.operator"), each("has(e.values) ? e.values : []")].join(" && ");
    format!("(!has(self.matchExpressions) && !has(oldSelf.matchExpressions)) || ({same})")
}

/// An empty string is `OrderedReady`.
const SAME_POLICY: &str = "(self.podManagementPolicy == 'Parallel') == (oldSelf.podManagementPolicy == 'Parallel')";

/// Field by field: absent is what the API server makes of it, and what it fills in by itself (apiVersion, kind, status)
/// does not count. The fields of a claim spec are those of 1.37; a later one is not compared until it is listed.
fn same_claims() -> String {
    let or = |object: &str, field: &str, absent: &str| {
        same_of_each_claim(&format!("has(t.{object}.{field}) ? t.{object}.{field} : {absent}"))
    };
    // For these, absent and empty do not mean the same.
    let strict = |field: &str| same_of_each_claim(&format!("has(t.spec.{field}) ? [t.spec.{field}] : []"));
    let resources = |list: &str| {
        same_of_each_claim(&format!(
            "has(t.spec.resources) && has(t.spec.resources.{list}) ? t.spec.resources.{list} : {{}}"
        ))
    };
    [
        same_of_each_claim("t.metadata.name"),
        or("metadata", "generateName", "''"),
        or("metadata", "namespace", "''"),
        or("metadata", "labels", "{}"),
        or("metadata", "annotations", "{}"),
        or("metadata", "finalizers", "[]"),
        or("spec", "accessModes", "[]"),
        or("spec", "volumeMode", "'Filesystem'"),
        or("spec", "volumeName", "''"),
        strict("storageClassName"),
        strict("volumeAttributesClassName"),
        strict("selector"),
        strict("dataSource"),
        strict("dataSourceRef"),
        resources("limits"),
        format!("({} || {SAME_STORAGE})", resources("requests")),
    ]
    .join(" && ")
}

/// `what` gives the same for each claim template `t` as for the old one in its place.
fn same_of_each_claim(what: &str) -> String {
    format!("self.map(t, {what}) == oldSelf.map(t, {what})")
}

/// Requested storage by value. Only where there are few claim templates: up to 1.34 the API server takes a quantity for
/// one of three megabytes, and no more than these fit into the budget. (That there are as many old ones, all of them
/// requesting storage, is known from the other comparisons and rules.)
const SAME_STORAGE: &str = "size(self) <= 4 && [0, 1, 2, 3].all(i, i >= size(self) || \
    quantity(string(self[i].spec.resources.requests['storage'])) == \
    quantity(string(oldSelf[i].spec.resources.requests['storage'])))";

/// What else is requested, where storage is compared by value. A rule of its own, because its cost is.
fn same_other_requests() -> String {
    let there = |claims: &str| format!("has({claims}[i].spec.resources) && has({claims}[i].spec.resources.requests)");
    let (wanted, had) = ("self[i].spec.resources.requests", "oldSelf[i].spec.resources.requests");
    format!(
        "size(self) != size(oldSelf) || [0, 1, 2, 3].all(i, i >= size(self) || !({}) || !({}) || \
         (size({wanted}) == size({had}) && \
         {wanted}.all(k, k == 'storage' || (k in {had} && {wanted}[k] == {had}[k]))))",
        there("self"),
        there("oldSelf"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that a newer Kubernetes brings has to be added to the comparison.
    #[test]
    fn o_3_every_field_of_a_claim_spec_is_compared() {
        let crd = crate::schema::crd();
        let claim = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/volumeClaimTemplates/items";
        let fields = crd.pointer(&format!("{claim}/properties/spec/properties")).expect("claim specs are described");
        let compared = same_claims();
        for field in fields.as_object().expect("properties are an object").keys() {
            assert!(compared.contains(&format!("t.spec.{field}")), "{field}");
        }
    }
}
