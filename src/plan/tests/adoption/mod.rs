//! Taking over a StatefulSet: what each step needs and does, and that a crash after any of its writes harms nothing.

mod held;
mod told;
mod verified;

use crate::fixture::*;
use ordinal_api::AdoptionPhase as Phase;
use ordinal_plan::action::Action;
use serde_json::{Value, json};

/// The reference by which the StatefulSet controls an object.
fn by_native() -> Value {
    reference("apps/v1", "StatefulSet", "web", "native")
}

/// The reference by which the set owns an object beside its controller.
fn beside() -> Value {
    json!({"apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "name": "web", "uid": "set"})
}

/// A StatefulSet with three pods at rest, and a fresh set that is to take it over.
fn taken_over() -> World {
    let mut world = fresh(3).with([revision("old", 1), revision("new", 2)]).with(pods(0..3)).claims(&["data"]);
    for object in world.pods.iter_mut().chain(&mut world.revisions) {
        object["metadata"]["ownerReferences"] = json!([by_native()]);
    }
    for (ordinal, pod) in world.pods.iter_mut().enumerate() {
        let claim = json!({"name": "data", "persistentVolumeClaim": {"claimName": format!("data-web-{ordinal}")}});
        pod["spec"]["volumes"] = json!([claim]);
    }
    let world = (0..3).fold(world, |world, ordinal| world.with(claim(ordinal)));
    let mut world = world.adopting();
    let mut native = world.set.clone();
    native["apiVersion"] = "apps/v1".into();
    native["kind"] = "StatefulSet".into();
    native["metadata"]["uid"] = "native".into();
    native["metadata"]["resourceVersion"] = "77".into();
    native["spec"]["adoptFrom"].take();
    native["status"] = json!({
        "observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "updatedReplicas": 3,
        "currentReplicas": 3, "currentRevision": "web-new", "updateRevision": "web-new", "collisionCount": 2,
    });
    world.native = Some(native);
    world
}

impl World {
    fn native(&mut self) -> &mut Value {
        self.native.as_mut().expect("a StatefulSet")
    }

    /// The set is to take the StatefulSet over.
    fn adopting(self) -> Self {
        self.spec("adoptFrom", json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": "native"}))
    }

    /// Changes the StatefulSet.
    fn natively(mut self, path: &str, value: impl Into<Value>) -> Self {
        let mut place = self.native();
        for step in path.split('.') {
            place = &mut place[step];
        }
        *place = value.into();
        self
    }

    fn phase(&self) -> Option<Phase> {
        self.status().adoption.map(|adoption| adoption.phase)
    }

    /// What the API server makes of one action, with the collector and the built-in controller on its heels.
    fn carry_out(&mut self, action: &Action) {
        let own = |objects: &mut Vec<Value>, name: &str, owner: Value| {
            let object = objects.iter_mut().find(|o| o["metadata"]["name"] == name).expect("the object");
            let owners = object["metadata"]["ownerReferences"].as_array_mut().expect("owners");
            owners.retain(|o| o["uid"] != owner["uid"]);
            owners.push(owner);
            let controllers = owners.iter().filter(|o| o["controller"] == true).count();
            assert!(controllers <= 1, "the API server refuses two controllers of {name}");
        };
        match action {
            Action::PromisePod { name, .. } => own(&mut self.pods, name, beside()),
            Action::PromiseRevision { name, .. } => own(&mut self.revisions, name, beside()),
            Action::AdoptPod { name, .. } => own(&mut self.pods, name, by_set()),
            Action::AdoptRevision { name, .. } => own(&mut self.revisions, name, by_set()),
            Action::RetainClaims { .. } => {
                let retain = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
                self.native()["spec"]["persistentVolumeClaimRetentionPolicy"] = retain;
            }
            Action::UpdateClaim(change) => {
                let claim = self.claims.iter_mut().find(|c| c["metadata"]["name"] == *change.name).expect("the claim");
                let owners = claim["metadata"]["ownerReferences"].as_array_mut().expect("owners");
                owners.retain(|o| !change.remove.iter().any(|uid| o["uid"] == **uid));
                owners.extend(change.add.iter().map(|o| json!(o)));
            }
            Action::ReleaseNative { .. } => {
                self.native = Some(Value::Null);
                for object in self.pods.iter_mut().chain(&mut self.revisions) {
                    let owners = object["metadata"]["ownerReferences"].as_array_mut().expect("owners");
                    owners.retain(|o| o["uid"] != "native");
                }
            }
            Action::EndAdoption => drop(self.set["spec"]["adoptFrom"].take()),
            other => panic!("an adoption does not {other}"),
        }
    }

    /// One pass.
    fn pass(&mut self) {
        let plan = self.plan();
        plan.actions().for_each(|action| self.carry_out(action));
        self.set["status"] = json!(plan.status);
    }

    fn passes_until(&mut self, done: impl Fn(&Self) -> bool) {
        for _ in 0..60 {
            if done(self) {
                return;
            }
            self.pass();
        }
        panic!("no end: {}", self.set["status"]);
    }

    /// Passes until the set is at rest; the operator dies after so many writes, once. Returns how many writes there were.
    fn run(&mut self, mut dies_after: Option<usize>) -> usize {
        let mut writes = 0;
        let mut written = |dies_after: &mut Option<usize>| {
            writes += 1;
            dies_after.take_if(|left| *left == writes).is_some()
        };
        'passes: for _ in 0..60 {
            let plan = self.plan();
            for action in plan.actions() {
                self.carry_out(action);
                if written(&mut dies_after) {
                    continue 'passes;
                }
            }
            let before = self.set["status"].clone();
            let status = json!(plan.status);
            if status == before {
                if plan.actions().next().is_none() {
                    return writes;
                }
                continue;
            }
            self.set["status"] = status;
            written(&mut dies_after);
        }
        panic!("no end: {}", self.set["status"])
    }

    /// Pods and revisions are the set's own, and nobody else's.
    fn has_everything(&self) {
        for object in self.pods.iter().chain(&self.revisions) {
            assert_eq!(object["metadata"]["ownerReferences"], json!([by_set()]), "{}", object["metadata"]["name"]);
        }
    }

    fn is_taken_over(&self) {
        assert_eq!(self.condition("Adopted"), "True Adopted", "{}", self.message("Adopted"));
        assert_eq!(self.does(), NOTHING, "it would still do something");
        assert_eq!(self.set["spec"]["adoptFrom"], Value::Null);
        self.has_everything();
        let status = &self.set["status"];
        let revisions = (&status["currentRevision"], &status["updateRevision"], &status["collisionCount"]);
        assert_eq!(revisions, (&json!("web-new"), &json!("web-new"), &json!(2)), "what the StatefulSet knew is kept");
        assert_eq!(status["updatedReplicas"], 3);
    }
}

#[test]
fn n_5_a_stateful_set_is_taken_over_and_no_pod_is_touched() {
    let mut world = taken_over();
    let writes = world.run(None);
    world.is_taken_over();
    assert!(writes > 10, "{writes} writes");
}

#[test]
fn s_2_5_the_end_is_not_announced_before_all_pods_are_the_sets_own() {
    finishing().has_everything();
}

#[test]
fn n_13_a_crash_after_any_write_of_an_adoption_loses_nothing() {
    let writes = taken_over().run(None);
    for dies_after in 1..=writes {
        let mut world = taken_over();
        world.run(Some(dies_after));
        world.is_taken_over();
    }
}

#[test]
fn n_1_claims_are_taken_from_a_stateful_set_that_would_collect_them() {
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Retain"});
    let mut world = taken_over().natively("spec.persistentVolumeClaimRetentionPolicy", policy);
    world.claims.iter_mut().for_each(|c| c["metadata"]["ownerReferences"] = json!([by_native()]));
    assert_eq!(world.does(), ["have StatefulSet web retain its claims"]);
    let seen = world
        .clone()
        .natively("metadata.generation", 2)
        .natively("spec.persistentVolumeClaimRetentionPolicy", json!({}));
    assert_eq!(seen.does(), NOTHING, "its controller is to see it first");
    assert_eq!(seen.condition("Adopted"), "False Verifying");
    world.run(None);
    world.is_taken_over();
    assert!(world.claims.iter().all(|c| c["metadata"]["ownerReferences"] == json!([])), "{:?}", world.claims);
}

#[test]
fn n_3_the_stateful_set_goes_only_in_the_version_that_was_verified_and_once_its_going_is_announced() {
    let mut world = taken_over();
    world.pass();
    world.pass();
    assert_eq!(world.phase(), Some(Phase::Releasing));
    let deletion = world.plan().actions().next().cloned();
    let (name, uid, resource_version) = ("web".into(), "native".into(), "77".into());
    assert_eq!(deletion, Some(Action::ReleaseNative { name, uid, resource_version }));
    let going = world.natively("metadata.finalizers", json!(["orphan"])).natively("metadata.deletionTimestamp", ago(1));
    assert_eq!((going.does(), going.condition("Adopted")), (Vec::new(), "False Releasing".into()), "it is on its way");
}

#[test]
fn s_8_4_a_set_keeps_off_while_a_stateful_set_has_its_name() {
    let mut world = taken_over();
    world.set["spec"]["adoptFrom"].take();
    assert_eq!(world.does(), NOTHING);
    assert_eq!(world.condition("Stalled"), "True ConflictingStatefulSet");
    // Who may not see StatefulSets knows them by what they own.
    world.native = None;
    assert_eq!(world.does(), NOTHING);
    assert_eq!(world.condition("Stalled"), "True ConflictingStatefulSet");
    assert!(world.message("Stalled").contains("pod web-0 is a StatefulSet web's"), "{}", world.message("Stalled"));
    world.pods.clear();
    assert_eq!(world.condition("Stalled"), "True ConflictingStatefulSet");
    world.revisions.clear();
    assert_eq!(world.creates().len(), 1, "nothing of it is left");
}

#[test]
fn s_8_4_a_set_with_pods_of_its_own_keeps_off_too_and_counts_them() {
    let mut world = set(3).with(pods(0..3)).spec("replicas", 5);
    world.native = taken_over().native;
    assert_eq!(world.does(), NOTHING);
    assert_eq!((world.status().replicas, world.condition("Stalled").as_str()), (3, "True ConflictingStatefulSet"));
}

#[test]
fn s_8_4_only_a_stateful_set_of_the_name_is_in_the_way() {
    for (api_version, name) in [("apps/v1", "other"), ("apps.example/v1", "web")] {
        let mut world = set(3).with(pods(0..2));
        for pod in &mut world.pods {
            pod["metadata"]["ownerReferences"] = json!([reference(api_version, "StatefulSet", name, "native")]);
        }
        assert_ne!(world.condition("Stalled"), "True ConflictingStatefulSet", "{api_version} {name}");
    }
}

#[test]
fn n_9_another_stateful_set_of_the_name_is_not_the_one_that_is_meant() {
    let world = taken_over().natively("metadata.uid", "another");
    assert_eq!((world.does(), world.condition("Adopted")), (Vec::new(), "False ConflictingStatefulSet".into()));
    // GitOps puts it back when the pods have already been let go.
    let mut world = taken_over();
    world.passes_until(|world| matches!(world.native, Some(Value::Null)));
    let back = taken_over().natively("metadata.uid", "another").native;
    world.native = back;
    assert_eq!((world.does(), world.condition("Adopted")), (Vec::new(), "False ConflictingStatefulSet".into()));
    assert!(world.message("Adopted").contains("made anew"), "{}", world.message("Adopted"));
}

#[test]
fn without_the_right_to_see_stateful_sets_an_adoption_waits() {
    let mut world = taken_over();
    world.native = None;
    assert_eq!((world.does(), world.condition("Adopted")), (Vec::new(), "False AdoptionDisabled".into()));
    world.native = Some(Value::Null);
    assert_eq!((world.does(), world.condition("Adopted")), (Vec::new(), "False NotFound".into()));
}

/// A set that has all pods, and is about to take `spec.adoptFrom` away.
fn finishing() -> World {
    let mut world = taken_over();
    world.passes_until(|world| world.condition("Adopted") == "False Finishing");
    world
}

#[test]
fn n_5_what_would_change_pods_next_is_drift_and_waits_for_a_person() {
    let cases = [
        ("another template", finishing().spec("template", template("newer"))),
        ("a template that nobody is restarted for", finishing().on_delete().spec("template", template("newer"))),
        ("an older template", finishing().spec("template", template("old"))),
        ("fewer pods", finishing().spec("replicas", 2)),
        ("volumes", {
            let mut world = finishing();
            world.pods[1]["spec"]["volumes"] = json!([]);
            world
        }),
    ];
    for (what, mut world) in cases {
        // What has been tried goes on to deletions at once; all else is tried first.
        world.memory.trial.iter_mut().for_each(|trial| trial.revision = "web-old".into());
        assert_eq!((world.does(), world.condition("Adopted")), (Vec::new(), "False Drift".into()), "{what}");
        world.set["spec"]["adoptFrom"]["accept"] = json!(["TemplateChange"]);
        assert_eq!(world.condition("Adopted"), "False Finishing", "{what}");
    }
}

#[test]
fn n_5_what_restarts_nobody_is_no_drift() {
    let mut missing = finishing();
    missing.pods.pop();
    let mut ended = finishing();
    ended.pods[1]["status"]["phase"] = "Failed".into();
    let mut unlabelled = finishing();
    unlabelled.pods[1]["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = "lost".into();
    for (what, world) in [("a missing pod", missing), ("an ended pod", ended), ("a lost label", unlabelled)] {
        assert_eq!(world.condition("Adopted"), "False Finishing", "{what}: {}", world.message("Adopted"));
    }
}

#[test]
fn an_adoption_that_is_done_is_not_begun_again() {
    let mut world = taken_over();
    world.run(None);
    let world = world.adopting();
    assert_eq!((world.does(), world.condition("Adopted")), (Vec::new(), "True Adopted".into()));
}

#[test]
fn an_adoption_that_somebody_calls_off_is_abandoned() {
    let mut world = taken_over();
    world.pass();
    world.set["spec"]["adoptFrom"].take();
    assert_eq!(world.condition("Stalled"), "True ConflictingStatefulSet");
    world.native = Some(Value::Null);
    for object in world.pods.iter_mut().chain(&mut world.revisions) {
        object["metadata"]["ownerReferences"] = json!([beside()]);
    }
    assert_eq!((world.phase(), world.condition("Adopted")), (Some(Phase::Abandoned), "False Abandoned".into()));
    world.set["status"] = json!(world.plan().status);
    let again = World { set: world.set, ..taken_over() };
    let again = again.adopting();
    assert_eq!(again.condition("Adopted"), "False Staging", "it begins anew: {}", again.message("Adopted"));
}

/// Each kind has a watch of its own: that the StatefulSet is gone may be seen before its revisions are let go.
#[test]
fn n_5_a_set_waits_until_all_that_a_stateful_set_had_is_let_go() {
    let mut world = taken_over();
    world.set["spec"]["adoptFrom"].take();
    world.native = Some(Value::Null);
    for pod in &mut world.pods {
        pod["metadata"]["ownerReferences"] = json!([]);
    }
    assert_eq!(world.does(), NOTHING);
    assert!(world.message("Stalled").contains("revision web-old is still held"), "{}", world.message("Stalled"));
    for revision in &mut world.revisions {
        revision["metadata"]["ownerReferences"] = json!([]);
    }
    let does = world.does();
    assert!(does.iter().all(|action| action.starts_with("adopt")), "{does:?}");
}

#[test]
fn n_13_a_stateful_set_that_is_seen_too_long_does_not_lead_back() {
    let mut world = taken_over();
    let native = world.native.clone();
    world.passes_until(|world| matches!(world.native, Some(Value::Null)));
    let mut late = world.clone();
    late.native = native.clone();
    assert_eq!((late.does(), late.phase()), (Vec::new(), Some(Phase::Releasing)), "{}", late.message("Adopted"));
    late.set["status"] = json!(late.plan().status);
    late.native = Some(Value::Null);
    late.run(None);
    late.is_taken_over();
    world.pass();
    world.native = native;
    assert!(world.phase() > Some(Phase::Releasing) && world.does() == NOTHING, "{}", world.message("Adopted"));
}

/// A status that differed each time would be written for ever.
#[test]
fn o_10_what_is_said_of_an_adoption_stays_the_same_while_nothing_happens() {
    let refused = taken_over().spec("replicas", 5);
    let mut conflict = set(3).with(pods(0..3));
    conflict.native = taken_over().native;
    let mut staging = taken_over();
    staging.set["status"] = json!(staging.plan().status);
    for mut world in [refused, conflict, staging] {
        world.set["status"] = json!(world.plan().status);
        let mut later = world.snapshot();
        later.now = later.now.checked_add(k8s_openapi::jiff::SignedDuration::from_secs(60)).expect("a time");
        let status = ordinal_plan::plan(&later).status;
        assert_eq!(json!(status), world.set["status"]);
    }
}

#[test]
fn o_10_pods_that_are_taken_over_are_available_all_the_while() {
    let mut world = taken_over();
    for _ in 0..20 {
        world.pass();
        assert_eq!(world.condition("Available"), "True EnoughReplicas", "{}", world.message("Adopted"));
    }
}

/// The garbage collector takes a moment to let them go.
#[test]
fn o_10_pods_that_are_still_held_by_what_is_gone_are_counted() {
    let mut world = taken_over();
    world.passes_until(|world| matches!(world.native, Some(Value::Null)));
    for object in world.pods.iter_mut().chain(&mut world.revisions) {
        object["metadata"]["ownerReferences"] = json!([by_native(), beside()]);
    }
    assert_eq!((world.does(), world.phase()), (Vec::new(), Some(Phase::Claiming)));
    assert_eq!(world.message("Adopted"), "5 objects are still held by the StatefulSet that is gone");
    assert_eq!((world.status().replicas, world.condition("Available").as_str()), (3, "True EnoughReplicas"));
}
