//! Claims: what they are made of (S-5.1), and whose they are under the retention policy (S-5.5, S-5.6). Never deleted by
//! us (N-1): owner references decide, the garbage collector acts.

use crate::{
    action::{Action, ClaimOwners},
    name,
    snapshot::{Claim, Pod, SET_API_VERSION, SET_KIND, Set},
    view::{View, in_range},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use ordinal_api::Retention;
use serde_json::{Value, json};

/// The claim to be created for a template and a pod (S-5.1); `None` when there is no such template.
pub fn desired(set: &Set, template: &str, name: &str) -> Option<Value> {
    let (_, template) = set.claim_templates().find(|(n, _)| *n == template)?;
    let mut claim = template.as_object().cloned().unwrap_or_default();
    claim.insert("apiVersion".into(), "v1".into());
    claim.insert("kind".into(), "PersistentVolumeClaim".into());
    claim.remove("status");
    let mut metadata = template["metadata"].as_object().cloned().unwrap_or_default();
    metadata.insert("name".into(), name.into());
    metadata.insert("namespace".into(), set.namespace.as_str().into());
    // The selector wins; its expressions are no labels.
    let mut labels = metadata.get("labels").and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in set.spec.selector.match_labels.iter().flatten() {
        labels.insert(key.clone(), value.as_str().into());
    }
    if !labels.is_empty() {
        metadata.insert("labels".into(), labels.into());
    }
    claim.insert("metadata".into(), metadata.into());
    Some(claim.into())
}

/// Creates the claims of a pod that do not exist.
///
/// # Errors
/// The messages for those that exist but are being deleted: a full volume is never replaced by an empty one, so that is
/// waited for (N-6, S-5.2).
pub(crate) fn create_missing(
    view: &View<'_>,
    ordinal: i32,
    pod: &str,
    actions: &mut Vec<Action>,
) -> Result<(), String> {
    let mut errors = Vec::new();
    for template in &view.claim_templates {
        match view.claim(template, ordinal) {
            Some(claim) if claim.deleting => errors.push(format!("pvc {} is being deleted", claim.name)),
            Some(_) => {}
            None => actions.push(Action::CreateClaim {
                name: name::claim(template, &view.set.name, ordinal),
                template: (*template).into(),
                pod: pod.into(),
            }),
        }
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

/// Whether a claim of a pod that does not exist still belongs to its predecessor, and is about to be collected (S-5.4).
pub(crate) fn is_stale(view: &View<'_>, ordinal: i32, pod: &str) -> bool {
    view.set.spec.persistent_volume_claim_retention_policy.when_scaled != Retention::Retain
        && view.claims_of(ordinal).any(|claim| claim.owners.iter().any(|o| is_pod_ref(o, pod)))
}

/// Owner changes that the retention policy asks for, for the claims of one ordinal that exist.
pub(crate) fn owner_changes<'a>(
    view: &'a View<'_>,
    ordinal: i32,
    pod: &'a PodRef<'a>,
) -> impl Iterator<Item = Action> + 'a {
    view.claims_of(ordinal)
        .filter_map(move |claim| owner_change(view.set, ordinal, pod, claim))
        .map(|change| Action::UpdateClaim(change.into()))
}

/// Claims of one ordinal whose policy is ignored because of somebody else's controller reference (S-5.6).
pub(crate) fn conflicting<'a>(
    view: &'a View<'_>,
    ordinal: i32,
    pod: &'a PodRef<'a>,
) -> impl Iterator<Item = String> + 'a {
    view.claims_of(ordinal)
        .filter(move |claim| deletes(view.set) && has_unexpected_controller(view.set, pod, claim))
        .map(|claim| claim.name.clone())
}

/// A pod as owner of claims; without a UID while it does not exist.
pub(crate) struct PodRef<'a> {
    pub name: &'a str,
    pub uid: &'a str,
}

impl<'a> From<&'a Pod> for PodRef<'a> {
    fn from(pod: &'a Pod) -> Self {
        Self { name: &pod.name, uid: &pod.uid }
    }
}

fn owner_change(set: &Set, ordinal: i32, pod: &PodRef<'_>, claim: &Claim) -> Option<ClaimOwners> {
    if is_up_to_date(set, ordinal, pod, claim) {
        return None;
    }
    let ours = |o: &&OwnerReference| is_set_ref(o, set) || is_pod_ref(o, pod.name);
    let mut add = Vec::new();
    if !(deletes(set) && has_unexpected_controller(set, pod, claim)) {
        let wanted = Wanted::of(set, ordinal);
        add.extend(wanted.set.then(|| set.controller_ref()));
        add.extend(wanted.pod.then(|| pod_ref(pod)));
    }
    // An owner that is there in another form is replaced by its addition; one that is as it shall be stays.
    let unwanted = claim.owners.iter().filter(ours).filter(|o| !add.iter().any(|a| a.uid == o.uid));
    let remove = unwanted.map(|o| o.uid.clone()).collect();
    add.retain(|o| !claim.owners.contains(o));
    Some(ClaimOwners {
        name: claim.name.clone(),
        uid: claim.uid.clone(),
        resource_version: claim.resource_version.clone(),
        pod: Some(pod.name.into()),
        remove,
        add,
    })
}

/// S-5.5's checks, in its order.
fn is_up_to_date(set: &Set, ordinal: i32, pod: &PodRef<'_>, claim: &Claim) -> bool {
    let set_ref = claim.owners.iter().find(|o| is_set_ref(o, set));
    let pod_ref = claim.owners.iter().find(|o| is_pod_ref(o, pod.name));
    if set_ref.is_some_and(|o| o.uid != set.uid) || pod_ref.is_some_and(|o| o.uid != pod.uid) {
        return true; // of a namesake: never touched
    }
    let ours = |o: &&OwnerReference| o.uid == set.uid || (o.uid == pod.uid && !pod.uid.is_empty());
    if deletes(set) && has_unexpected_controller(set, pod, claim) {
        return !claim.owners.iter().any(|o| ours(&o));
    }
    if claim.owners.iter().filter(ours).any(|o| o.controller != Some(true)) {
        return false;
    }
    let wanted = Wanted::of(set, ordinal);
    wanted.set == set_ref.is_some() && wanted.pod == pod_ref.is_some()
}

/// Which of our owners a claim shall have: the table of S-5.5.
struct Wanted {
    set: bool,
    pod: bool,
}

impl Wanted {
    fn of(set: &Set, ordinal: i32) -> Self {
        let policy = set.spec.persistent_volume_claim_retention_policy;
        let (deleted, scaled) = (policy.when_deleted == Retention::Delete, policy.when_scaled == Retention::Delete);
        let condemned = !in_range(set, ordinal);
        Self { set: deleted && !(condemned && scaled), pod: condemned && scaled }
    }
}

/// Whether the policy deletes claims at all.
fn deletes(set: &Set) -> bool {
    let policy = set.spec.persistent_volume_claim_retention_policy;
    policy.when_deleted == Retention::Delete || policy.when_scaled == Retention::Delete
}

fn has_unexpected_controller(set: &Set, pod: &PodRef<'_>, claim: &Claim) -> bool {
    claim.owners.iter().any(|o| {
        if is_set_ref(o, set) {
            o.uid != set.uid
        } else if is_pod_ref(o, pod.name) {
            o.uid != pod.uid
        } else {
            o.controller == Some(true)
        }
    })
}

fn is_set_ref(o: &OwnerReference, set: &Set) -> bool {
    o.api_version == SET_API_VERSION && o.kind == SET_KIND && o.name == set.name
}

fn is_pod_ref(o: &OwnerReference, pod: &str) -> bool {
    o.api_version == "v1" && o.kind == "Pod" && o.name == pod
}

fn pod_ref(pod: &PodRef<'_>) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "Pod".into(),
        name: pod.name.into(),
        uid: pod.uid.into(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The body of the patch that carries out a change: keyed by UID, so that references of others stay (N-10).
pub fn owner_patch(change: &ClaimOwners) -> Value {
    let removed = change.remove.iter().map(|uid| json!({"$patch": "delete", "uid": uid}));
    let added = change.add.iter().map(|o| json!(o));
    json!({"metadata": {
        "uid": change.uid,
        "resourceVersion": change.resource_version,
        "ownerReferences": removed.chain(added).collect::<Vec<_>>(),
    }})
}
