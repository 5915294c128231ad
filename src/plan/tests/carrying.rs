//! What it takes to carry a plan out: which refusals are as good as success, and what the next plan is told.

use crate::fixture::{World, now, pod, set};
use k8s_openapi::jiff::SignedDuration;
use ordinal_plan::{
    action::{Action, ClaimOwners, Which, Why},
    carry::{Answer, Learned, status_patch},
    snapshot::{Memory, Refusal, Trial, Verdict},
};
use serde_json::json;

const REFUSED: Answer<'_> = Answer::Refused("denied");
const OVER_QUOTA: Answer<'_> = Answer::Refused("pods \"web-0\" is forbidden: exceeded quota: few");
const NO_DRY_RUN: Answer<'_> = Answer::Refused("admission webhook \"w\" does not support dry run");

const ANSWERS: [Answer<'_>; 7] =
    [Answer::Gone, Answer::Taken, Answer::Changed, REFUSED, OVER_QUOTA, NO_DRY_RUN, Answer::Other];

fn name() -> String {
    "web-0".into()
}

fn uid() -> String {
    "uid-web-0".into()
}

/// One of each, and the refusals that are as good as its success.
fn every_action() -> Vec<(Action, Vec<Answer<'static>>)> {
    let owners = ClaimOwners {
        name: name(),
        uid: uid(),
        resource_version: "1".into(),
        pod: Some(name()),
        remove: Vec::new(),
        add: Vec::new(),
    };
    let gone = || vec![Answer::Gone];
    let gone_or_another = || vec![Answer::Gone, Answer::Changed];
    vec![
        (Action::AdoptPod { name: name(), uid: uid() }, gone()),
        (Action::AdoptRevision { name: name(), uid: uid() }, gone()),
        (Action::UpdateClaim(ClaimOwners { pod: None, ..owners.clone() }.into()), gone()),
        (Action::UpdateClaim(owners.into()), gone()),
        (Action::ReleasePod { name: name(), uid: uid() }, gone_or_another()),
        (Action::DeletePod { name: name(), uid: uid(), why: Why::Condemned }, gone_or_another()),
        (Action::DeleteRevision { name: name(), uid: uid() }, gone_or_another()),
        (Action::UpdateService { name: name(), patch: json!({}) }, gone_or_another()),
        (Action::CreateService { name: name() }, vec![Answer::Taken]),
        (Action::TryPod { name: name(), ordinal: 0 }, vec![Answer::Taken, OVER_QUOTA, NO_DRY_RUN]),
        (Action::CreateRevision { name: name(), hash: "new".into(), number: 1 }, vec![]),
        (Action::RenumberRevision { name: name(), uid: uid(), number: 2 }, vec![]),
        (Action::CreateClaim { name: name(), template: "data".into(), pod: name() }, vec![]),
        (Action::CreatePod { name: name(), ordinal: 0, revision: Which::Update }, vec![]),
        (Action::UpdatePod { name: name(), uid: uid(), ordinal: 0, labels: true, volumes: false }, vec![]),
        (Action::RetainClaims { name: name(), uid: uid(), resource_version: "1".into() }, gone_or_another()),
        (Action::PromisePod { name: name(), uid: uid() }, gone_or_another()),
        (Action::PromiseRevision { name: name(), uid: uid() }, gone_or_another()),
        (Action::ReleaseNative { name: name(), uid: uid(), resource_version: "1".into() }, gone_or_another()),
        (Action::EndAdoption, gone_or_another()),
    ]
}

// also: S-2.5, O-4
#[test]
fn o_5_what_is_gone_need_not_be_deleted_and_nothing_else_is_taken_for_done() {
    for (action, fine) in every_action() {
        let content: Vec<_> = ANSWERS.into_iter().filter(|answer| action.is_content_with(*answer)).collect();
        assert_eq!(content, fine, "{action}");
    }
}

fn those(is_one: impl Fn(&Action) -> bool) -> Vec<String> {
    every_action().iter().filter(|(action, _)| is_one(action)).map(|(action, _)| action.to_string()).collect()
}

// also: S-3.11
#[test]
fn s_2_5_only_who_takes_asks_whether_the_set_is_still_there() {
    assert_eq!(those(Action::adopts), ["adopt pod web-0", "adopt revision web-0"]);
    let asks = those(Action::needs_the_live_set);
    assert_eq!(asks, ["adopt pod web-0", "adopt revision web-0", "delete StatefulSet web-0 and leave its pods"]);
}

#[test]
fn the_steps_of_taking_over_a_stateful_set_are_known() {
    let steps = [
        "update owners of claim web-0: 0 off",
        "have StatefulSet web-0 retain its claims",
        "become an owner of pod web-0",
        "become an owner of revision web-0",
        "delete StatefulSet web-0 and leave its pods",
        "take spec.adoptFrom away",
    ];
    assert_eq!(those(Action::takes_over), steps);
}

#[test]
fn o_10_only_what_keeps_a_pod_from_being_made_or_a_set_from_being_taken_over_is_told_as_refused() {
    for (action, _) in every_action() {
        let mut learned = Learned::default();
        learned.note_refusal(&action, "denied");
        let makes_pods = ["create pod", "repair", "create revision", "create claim"];
        let doing = action.to_string();
        let expected = action.takes_over() || makes_pods.iter().any(|verb| doing.starts_with(verb));
        assert_eq!(learned.refusal.is_some(), expected, "{action}");
    }
}

#[test]
fn o_10_the_first_refusal_of_a_pass_is_told() {
    let mut learned = Learned::default();
    for (ordinal, message) in [(0, "no"), (1, "nor this one")] {
        let action = Action::CreatePod { name: format!("web-{ordinal}"), ordinal, revision: Which::Update };
        learned.note_refusal(&action, message);
    }
    assert_eq!(learned.refusal, Some(refusal("no")));
}

fn refusal(message: &str) -> Refusal {
    Refusal { doing: "create pod web-0 at the update revision".into(), message: message.into() }
}

#[test]
fn s_4_1_a_status_of_what_could_not_be_had_says_only_what_is_in_the_way() {
    let world = set(3).with(pod(0)).status_was("replicas", 70);
    let (plan, snapshot) = (world.plan(), world.snapshot());
    assert_eq!(plan.status_to_write(&snapshot.set, false), plan.status);
    let undetermined = plan.status_to_write(&snapshot.set, true);
    assert_eq!(undetermined.replicas, 70, "as it was");
    assert!(!undetermined.conditions.is_empty());
    assert_eq!(undetermined.conditions, plan.status.conditions);
}

#[test]
fn n_10_a_status_goes_only_to_the_set_and_the_version_that_it_was_made_from() {
    let (plan, snapshot) = (set(1).plan(), set(1).snapshot());
    let patch = status_patch(&snapshot.set, &plan.status);
    assert_eq!(patch["metadata"], json!({"uid": "set", "resourceVersion": "1"}));
    assert_eq!(patch["status"], json!(plan.status));
}

fn tried(world: &World, refused: Option<&str>) -> Trial {
    world.plan().trial(&world.snapshot().set, refused.map(str::to_owned), now())
}

fn refused(count: u32, seconds: i64) -> Verdict {
    let retry_at = now().checked_add(SignedDuration::from_secs(seconds)).expect("a time");
    Verdict::Refused { message: "no".into(), count, retry_at }
}

#[test]
fn o_4_trials_that_are_refused_in_a_row_wait_ever_longer() {
    let mut world = set(1).untried();
    for (count, seconds) in [(1, 5), (2, 10), (3, 20)] {
        let trial = tried(&world, Some("no"));
        assert_eq!(trial, Trial { revision: "web-new".into(), generation: 1, verdict: refused(count, seconds) });
        world.memory.trial = Some(trial);
    }
    assert_eq!(tried(&world, None).verdict, Verdict::Passed);
}

#[test]
fn o_4_the_trials_of_another_revision_do_not_count() {
    let mut world = set(1);
    world.memory.trial = Some(Trial { revision: "web-old".into(), generation: 1, verdict: refused(9, 300) });
    assert_eq!(tried(&world, Some("no")).verdict, refused(1, 5));
}

#[test]
fn o_10_a_refusal_is_told_until_a_pass_goes_through() {
    let plan = set(1).plan();
    let before = Memory { refusal: Some(refusal("no")), ..Memory::default() };
    let nothing = Learned::default();
    assert_eq!(plan.memory_after(&before, &nothing, true).refusal, before.refusal, "it failed before it came to it");
    assert_eq!(plan.memory_after(&before, &nothing, false).refusal, None);
    let again = Learned { refusal: Some(refusal("still no")), ..Learned::default() };
    for failed in [true, false] {
        assert_eq!(plan.memory_after(&before, &again, failed).refusal, again.refusal);
    }
}

// also: O-4, O-9
#[test]
fn o_7_what_a_plan_remembers_is_handed_to_the_next_one_with_what_was_learned() {
    let plan = set(1).with(pod(0).failed().age(5)).plan();
    assert_eq!(plan.memory.failures.slots.len(), 1);
    let kept = plan.memory_after(&Memory::default(), &Learned::default(), false);
    assert_eq!(kept, plan.memory);
    let trial = Trial { revision: "web-new".into(), generation: 2, verdict: Verdict::Passed };
    let learned = Learned { trial: Some(trial), service: Some(Err("no".into())), ..Learned::default() };
    let memory = plan.memory_after(&Memory::default(), &learned, false);
    assert_eq!((memory.trial, memory.service_error), (learned.trial, Some("no".into())));
}
