//! Stories: the golden texts in `golden/`.

use crate::{cluster::Cluster, kubelet, story::Story};
use serde_json::{Value, json};

pub(crate) fn spec(replicas: i32, more: Value) -> Value {
    let mut spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "a"}]},
        },
    });
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    spec
}

pub(crate) fn with_claim(replicas: i32) -> Value {
    spec(replicas, json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}))
}

pub(crate) fn image(image: &str) -> impl FnOnce(&mut Value) + '_ {
    move |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = image.into()
}

pub(crate) fn replicas(n: i32) -> impl FnOnce(&mut Value) {
    move |set| set["spec"]["replicas"] = n.into()
}

#[test]
fn ordered_scaling() {
    let (mut cluster, mut story) = (Cluster::new(with_claim(3)), Story::default());
    story.chapter("3 replicas");
    story.until_quiet(&mut cluster);
    story.chapter("scaled to 5");
    cluster.edit(replicas(5));
    story.until_quiet(&mut cluster);
    story.chapter("scaled to 2");
    cluster.edit(replicas(2));
    story.until_quiet(&mut cluster);
    story.compare("ordered-scaling");
}

#[test]
fn canary_roll_out_and_roll_back() {
    let (mut cluster, mut story) = (Cluster::new(spec(3, json!({}))), Story::default());
    story.until_quiet(&mut cluster);
    story.chapter("image b, partition 2");
    cluster.edit(|set| {
        image("b")(set);
        set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    });
    story.until_quiet(&mut cluster);
    story.chapter("partition 0");
    cluster.edit(|set| set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0.into());
    story.until_quiet(&mut cluster);
    story.chapter("image a again");
    cluster.edit(image("a"));
    story.until_quiet(&mut cluster);
    story.compare("canary");
}

#[test]
fn parallel_roll_out_with_a_budget_of_two() {
    let more = json!({
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}},
    });
    let (mut cluster, mut story) = (Cluster::new(spec(5, more)), Story::default());
    story.until_quiet(&mut cluster);
    story.chapter("image b");
    cluster.edit(image("b"));
    story.until_quiet(&mut cluster);
    story.compare("parallel-budget");
}

#[test]
fn broken_roll_out_waits_for_a_person() {
    let (mut cluster, mut story) = (Cluster::new(spec(3, json!({}))), Story::default());
    story.until_quiet(&mut cluster);
    story.chapter("image b, which never gets ready");
    cluster.edit(|set| {
        image("b")(set);
        set["spec"]["template"]["metadata"]["annotations"] = json!({"sim": "broken"});
    });
    story.until_quiet(&mut cluster);
    story.chapter("image c, which would: the broken pod stays (S-4.13)");
    cluster.edit(|set| {
        image("c")(set);
        set["spec"]["template"]["metadata"]["annotations"] = json!({});
    });
    story.until_quiet(&mut cluster);
    story.chapter("somebody deletes it");
    cluster.delete_pod("web-2");
    kubelet::settle(&mut cluster);
    story.until_quiet(&mut cluster);
    story.compare("broken-roll-out");
}

#[test]
fn refused_revision_deletes_nothing() {
    let (mut cluster, mut story) = (Cluster::new(spec(2, json!({}))), Story::default());
    story.until_quiet(&mut cluster);
    story.chapter("image b, which the API server refuses (O-4)");
    cluster.edit(image("b"));
    cluster.refused.insert("web-0".into(), "admission policy says no".into());
    let plan = cluster.pass();
    assert!(plan.actions().any(|a| a.to_string().starts_with("try pod web-0")), "{plan}");
    assert_eq!(cluster.pods.len(), 2, "nothing is deleted for a revision that was refused");
    let plan = cluster.pass();
    let stalled = plan.status.conditions.iter().find(|c| c.type_ == "Stalled").map(|c| c.status.as_str());
    assert_eq!((stalled, plan.actions().count()), (Some("True"), 0), "{plan}");
    assert_eq!(plan.requeue_after.map(|d| d.as_secs()), Some(5), "it is tried again after a pause");
    story.chapter("the policy changes, and the pause is over");
    cluster.refused.clear();
    cluster.wait(k8s_openapi::jiff::SignedDuration::from_secs(5));
    story.until_quiet(&mut cluster);
    story.compare("refused-revision");
}
