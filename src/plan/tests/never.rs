//! N-1 … N-12 as decisions: over every small situation, and that the checker sees a plan that breaks them.

use crate::fixture::{NOTHING, PodBuilder, World, by_set, claim, now, pod, pods, pods_at, revision, set};
use ordinal_plan::{
    Plan, Snapshot,
    action::{Action, Stage, StageKind, Step, Which, Why},
    check::check,
    plan,
    snapshot::{Pod, Trial, Verdict},
};
use serde_json::json;

/// What a slot may hold: nothing, or a pod in one of these states.
const STATES: [fn(PodBuilder) -> PodBuilder; 8] = [
    |p| p,
    |p| p.at("old"),
    |p| p.unready(),
    |p| p.at("old").unready(),
    |p| p.at("old").pending(),
    |p| p.at("old").failed(),
    |p| p.at("old").terminating(),
    |p| p.at("old").ready_for(1),
];

/// Every way to fill three slots and one place above them, under both policies, several budgets and partitions.
fn every_situation(prepare: fn(World) -> World, look: impl Fn(&Snapshot, &Plan) -> Result<(), String>) {
    let holds = |ordinal: i32| STATES.map(|state| set(3).with(state(pod(ordinal))).snapshot().pods.remove(0));
    let holds: Vec<_> = (0..4).map(holds).collect();
    for (parallel, max, partition) in [(false, 1, 0), (true, 1, 0), (true, 2, 0), (false, 2, 1), (true, 2, 1)] {
        let world = set(3).was("old").min_ready(10).max_unavailable(max).partition(partition);
        let mut snapshot = prepare(if parallel { world.parallel() } else { world }).snapshot();
        let places = STATES.len() + 1;
        for n in 0..places.pow(4) {
            let states = [n % places, n / places % places, n / places.pow(2) % places, n / places.pow(3)];
            let fill = holds.iter().zip(states).filter_map(|(hold, state)| hold.get(state).cloned());
            snapshot.pods = fill.collect();
            let plan = plan(&snapshot);
            let violations = check(&snapshot, &plan);
            let seen = if violations.is_empty() { look(&snapshot, &plan) } else { Err(format!("{violations:?}")) };
            seen.unwrap_or_else(|e| {
                panic!("{e}\nstates {states:?}, parallel {parallel}, max {max}, {partition}\n{plan}")
            });
        }
    }
}

fn unless(broken: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if broken { Err(what()) } else { Ok(()) }
}

#[test]
fn n_7_no_available_pod_in_range_goes_beyond_the_budget() {
    let available = |pod: &Pod| {
        let long = pod.ready_since.is_some_and(|since| now().duration_since(since).as_secs() >= 10);
        pod.ready && long && pod.deleting.is_none() && pod.name != "web-3"
    };
    every_situation(
        |world| world,
        |snapshot, plan| {
            let there = snapshot.pods.iter().filter(|p| available(p)).count();
            let going = snapshot.pods.iter().filter(|p| available(p) && deletes(plan).any(|uid| *uid == p.uid)).count();
            let strategy = json!(snapshot.set.spec.update_strategy);
            let max = strategy["rollingUpdate"]["maxUnavailable"].as_u64().expect("a number");
            let left = u64::try_from(there - going).expect("a small number");
            unless(going > 0 && left + max < 3, || format!("{left} are left of {there}"))
        },
    );
}

fn deletes(plan: &Plan) -> impl Iterator<Item = &String> {
    plan.actions().filter_map(|a| match a {
        Action::DeletePod { uid, .. } => Some(uid),
        _ => None,
    })
}

#[test]
fn n_2_no_pod_is_made_where_one_is_or_twice() {
    every_situation(
        |world| world,
        |snapshot, plan| {
            let mut names: Vec<&String> = snapshot.pods.iter().map(|p| &p.name).collect();
            names.extend(plan.actions().filter_map(|a| match a {
                Action::CreatePod { name, .. } => Some(name),
                _ => None,
            }));
            let all = names.len();
            names.sort();
            names.dedup();
            unless(names.len() < all, || "one identity, two pods".into())
        },
    );
}

#[test]
fn n_3_every_deletion_is_of_a_pod_that_was_judged_and_is_not_yet_going() {
    every_situation(
        |world| world,
        |snapshot, plan| {
            let judged = |uid: &String| snapshot.pods.iter().any(|p| p.uid == *uid && p.deleting.is_none());
            unless(!deletes(plan).all(judged), || "what is not there, or going already, is deleted".into())
        },
    );
}

// also: S-4.2
#[test]
fn n_8_a_set_being_deleted_keeps_its_pods_in_every_situation() {
    every_situation(World::deleting, |_, plan| unless(plan.actions().next().is_some(), || "it acts".into()));
}

#[test]
fn n_6_a_claim_is_made_only_where_none_of_its_name_is() {
    for existing in [claim(0), claim(0).unbound(), claim(0).deleting(), claim(0).owner(by_set())] {
        for world in [set(1), set(1).parallel(), set(1).with(pod(0).pending()), set(1).with(pod(0).bare())] {
            let done = world.claims(&["data"]).with(existing.clone()).does();
            assert!(!done.iter().any(|what| what.starts_with("create claim")), "{done:?}");
        }
    }
}

#[test]
fn n_6_a_pod_never_starts_beside_a_claim_that_is_going() {
    for world in [set(1), set(1).parallel()] {
        assert_eq!(world.claims(&["data"]).with(claim(0).deleting()).creates(), NOTHING);
    }
}

#[test]
fn n_10_a_repair_writes_the_two_labels_of_identity_and_nothing_else() {
    let labels = ordinal_plan::pod::identity_labels("web-3", 3);
    let expected = json!({"statefulset.kubernetes.io/pod-name": "web-3", "apps.kubernetes.io/pod-index": "3"});
    assert_eq!(json!(labels), expected);
    let foreign = pod(0).label("mesh.example.com/injected", "true").volume(json!({"name": "injected", "emptyDir": {}}));
    assert_eq!(set(1).with(foreign).does(), NOTHING, "what others added is no reason for one");
}

// also: S-2.8
#[test]
fn n_10_a_repair_of_volumes_keeps_those_of_others() {
    let world = set(1).claims(&["data"]);
    let others = json!([{"name": "injected", "emptyDir": {}}, {"name": "data", "emptyDir": {}}]);
    let repaired = ordinal_plan::pod::volumes(&world.snapshot().set, 0, Some(&others));
    let data = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}});
    assert_eq!(json!(repaired), json!([data, {"name": "injected", "emptyDir": {}}]));
}

/// The violations of a plan to which an action was added.
fn found(world: &World, kind: StageKind, extra: Vec<Action>) -> Vec<&'static str> {
    let mut plan: Plan = world.plan();
    let steps = extra.into_iter().map(|a| Step(vec![a])).collect();
    plan.stages.push(Stage { kind, pace: ordinal_plan::action::Pace::OneByOne, steps });
    check(&world.snapshot(), &plan).into_iter().map(|v| v.rule).collect()
}

fn delete(ordinal: i32, why: Why) -> Action {
    Action::DeletePod { name: format!("web-{ordinal}"), uid: format!("uid-web-{ordinal}"), why }
}

fn create(ordinal: i32) -> Action {
    Action::CreatePod { name: format!("web-{ordinal}"), ordinal, revision: Which::Update }
}

#[test]
fn n_2_the_checker_sees_a_second_pod_of_one_identity() {
    assert_eq!(found(&set(1).with(pod(0)), StageKind::Slots, vec![create(0)]), ["N-2"]);
    assert_eq!(found(&set(1), StageKind::Slots, vec![create(0)]), ["N-2"], "made twice in one plan");
}

#[test]
fn n_3_the_checker_sees_a_deletion_of_what_was_not_judged() {
    let world = set(1).with([pod(0), pod(1).terminating()]);
    let other = Action::DeletePod { name: "web-0".into(), uid: "another".into(), why: Why::Condemned };
    assert_eq!(found(&world, StageKind::Condemned, vec![other]), ["N-3"]);
    assert_eq!(found(&world, StageKind::Condemned, vec![delete(1, Why::Condemned)]), ["N-3"], "it is going already");
    let revision = Action::DeleteRevision { name: "web-new".into(), uid: "another".into() };
    assert_eq!(found(&world, StageKind::History, vec![revision]), ["N-3"]);
}

#[test]
fn n_6_the_checker_sees_a_claim_made_over_another() {
    let world = set(1).claims(&["data"]).with(pod(0)).with(claim(0));
    let claim = Action::CreateClaim { name: "data-web-0".into(), template: "data".into(), pod: "web-0".into() };
    assert_eq!(found(&world, StageKind::Slots, vec![claim]), ["N-6"]);
}

#[test]
fn n_7_the_checker_sees_too_many_available_pods_go() {
    let world = set(3).was("old").with(pods_at("old", 0..3));
    assert_eq!(world.deletes(), ["web-2"]);
    assert_eq!(found(&world, StageKind::Update, vec![delete(1, Why::Outdated)]), ["N-7"]);
    assert_eq!(found(&world.max_unavailable("67%"), StageKind::Update, vec![]), NOTHING);
}

#[test]
fn n_7_the_checker_lets_a_pod_go_that_is_not_available() {
    let world = set(3).was("old").with(pods_at("old", 0..2)).with(pod(2).at("old").unready());
    assert_eq!(found(&world, StageKind::Update, vec![delete(2, Why::Outdated)]), NOTHING);
    assert_eq!(found(&world, StageKind::Update, vec![delete(1, Why::Outdated)]), ["N-7"], "it does not count as there");
}

#[test]
fn n_2_a_violation_is_told_by_its_rule_and_names() {
    let world = set(1).with(pod(0));
    let mut plan: Plan = world.plan();
    let steps = vec![Step(vec![create(0)])];
    plan.stages.push(Stage { kind: StageKind::Slots, pace: ordinal_plan::action::Pace::OneByOne, steps });
    let told: Vec<_> = check(&world.snapshot(), &plan).iter().map(ToString::to_string).collect();
    assert!(told.len() == 1 && told[0].starts_with("N-2: ") && told[0].contains("web-0"), "{told:?}");
}

#[test]
fn n_8_the_checker_sees_work_on_a_set_being_deleted() {
    let world = set(1).deleting().with(pods(0..2));
    assert_eq!(found(&world, StageKind::Condemned, vec![delete(1, Why::Condemned)]), ["N-8"]);
}

#[test]
fn n_9_the_checker_sees_a_write_to_what_somebody_else_controls() {
    let world = set(0).with(pod(0).of_another()).with(revision("x", 0).of_another());
    assert_eq!(found(&world, StageKind::Condemned, vec![delete(0, Why::Condemned)]), ["N-9"]);
    let forget = Action::DeleteRevision { name: "web-x".into(), uid: "uid-of-x".into() };
    assert_eq!(found(&world, StageKind::History, vec![forget]), ["N-9"]);
    let repair =
        Action::UpdatePod { name: "web-0".into(), uid: "uid-web-0".into(), ordinal: 0, labels: true, volumes: false };
    assert_eq!(found(&world, StageKind::Slots, vec![repair]), ["N-9"]);
}

#[test]
fn n_12_the_checker_sees_a_roll_out_of_a_revision_that_was_not_tried() {
    let mut world = set(3).was("old").with(pods_at("old", 0..3)).untried();
    world = world.spec("updateStrategy", json!({"type": "OnDelete"}));
    let goes = |world: &World| found(world, StageKind::Update, vec![delete(2, Why::Outdated)]);
    assert_eq!(goes(&world), ["N-12"]);
    let verdict = Verdict::Refused { message: "no".into(), count: 1, retry_at: now() };
    world.memory.trial = Some(Trial { revision: "web-new".into(), generation: 1, verdict });
    assert_eq!(goes(&world), ["N-12"], "nor of one that was refused");
}
