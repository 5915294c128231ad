//! What the plugin shows, and what it finds wrong.

use std::collections::BTreeSet;

use anyhow::Result;
use ordinal_tests::{Identity, Look, Outcome, binaries::built, world};
use serde_json::{Value, json};

use super::{has, ordinal, refused};
use crate::sets::{SOON, Sets, claims, image, set};

#[tokio::test]
async fn status_shows_a_set_on_one_screen() -> Outcome {
    let ns = world::namespace("plugin-screen").await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.settled("db").await?;
    has(
        &ordinal(&ns, "status db").await?,
        &[": Complete, 2 of 2 available, 2 updated\n", "SLOT", "db-0", "Available", "data-db-1 Bound", "CLAIMS"],
    );
    ns.annotate_pod("db-1", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    ns.condition("db", "Progressing", "True", "WaitingForPod").await?;
    has(&ordinal(&ns, "status db -o wide").await?, &[": Progressing, 1 of 2 available", "waiting for db-1", "IP"]);
    assert_eq!(ordinal(&ns, "status -o name").await?, "ordinalset.apps.ordinal.dev/db\n");
    assert_eq!(ordinal(&ns, "status -l app=other -o name").await?, "");
    let json: Value = serde_json::from_str(&ordinal(&ns, "status db -o json").await?)?;
    assert_eq!((&json["kind"], &json["metadata"]["name"]), (&json!("OrdinalSet"), &json!("db")));
    has(&ordinal(&ns, "status db -o yaml").await?, &["kind: OrdinalSet\n", "  name: db\n"]);
    ns.create_set(set("web", 0, json!({}))).await?;
    let list: Value = serde_json::from_str(&ordinal(&ns, "status -o json").await?)?;
    assert_eq!((&list["kind"], list["items"].as_array().map(Vec::len)), (&json!("List"), Some(2)));
    assert_eq!(ordinal(&ns, "status -l app=web -o name").await?.lines().count(), 0, "sets by their own labels");
    Ok(())
}

#[tokio::test]
async fn status_tells_a_slot_that_is_missing_and_a_pod_that_is_in_the_way() -> Outcome {
    let ns = world::namespace("plugin-taken").await?;
    let pod = json!({"metadata": {"name": "web-0"}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}});
    ns.create_object::<k8s_openapi::api::core::v1::Pod>(pod).await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.condition("web", "Stalled", "True", "NameTaken").await?;
    has(&ordinal(&ns, "status web").await?, &["missing", "NameTaken"]);
    Ok(())
}

#[tokio::test]
async fn tree_shows_all_that_hangs_on_a_set() -> Outcome {
    let ns = world::namespace("plugin-tree").await?;
    ns.create_set(set("db", 2, json!({"volumeClaimTemplates": claims(), "serviceName": "db"}))).await?;
    ns.settled("db").await?;
    ns.scale("db", 1).await?;
    ns.settled("db").await?;
    let tree = ordinal(&ns, "tree db").await?;
    has(
        &tree,
        &["OrdinalSet ", "Service db: missing", "ControllerRevision db-", "current, update", "Pod db-0: Available on "],
    );
    has(
        &tree,
        &["PersistentVolumeClaim data-db-0: Bound, 1Mi", "PersistentVolume pvc-", "data-db-1: Bound, 1Mi, of no pod"],
    );
    Ok(())
}

#[tokio::test]
async fn explain_tells_the_operators_own_plan() -> Outcome {
    let ns = world::namespace("plugin-explain").await?;
    ns.create_set(set("web", 2, json!({}))).await?;
    ns.settled("web").await?;
    has(&ordinal(&ns, "explain web").await?, &["2 wanted, 2 there", "To do now:\n  nothing\n", "Complete"]);
    ns.annotate_pod("web-0", json!({"test.ordinal.dev/never-ready": "true"})).await?;
    ns.condition("web", "Progressing", "True", "WaitingForPod").await?;
    ns.patch_set("web", image("nginx:2")).await?;
    has(&ordinal(&ns, "explain web").await?, &["web-0"]);
    Ok(())
}

#[tokio::test]
async fn events_of_a_set_its_pods_and_claims_come_in_order() -> Outcome {
    let ns = world::namespace("plugin-events").await?;
    ns.create_set(set("db", 1, json!({"volumeClaimTemplates": claims()}))).await?;
    ns.create_set(set("other", 1, json!({}))).await?;
    ns.settled("db").await?;
    ns.eventually(SOON, "the events are there", async || {
        let told = ordinal(&ns, "events db").await?;
        let subjects = ["ordinalset/db", "pod/db-0", "persistentvolumeclaim/data-db-0"];
        let all = subjects.iter().all(|subject| told.contains(subject));
        assert!(!told.contains("other"), "of another set:\n{told}");
        Ok(Look::when(all, || told))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn convert_makes_a_manifest_of_a_statefulset_that_is_there() -> Outcome {
    let ns = world::namespace("plugin-convert").await?;
    let mut native = set("web", 2, json!({"serviceName": "web", "volumeClaimTemplates": claims()}));
    (native["apiVersion"], native["kind"]) = ("apps/v1".into(), "StatefulSet".into());
    ns.create_object::<k8s_openapi::api::apps::v1::StatefulSet>(native).await?;
    let manifest = ordinal(&ns, "convert sts/web").await?;
    has(&manifest, &["apiVersion: apps.ordinal.dev/v1\n", "kind: OrdinalSet\n", "name: web\n"]);
    assert!(!manifest.contains("resourceVersion") && !manifest.contains("status:"), "{manifest}");
    ns.kubectl().apply(&manifest).await?;
    let fields = |set: &Value| -> BTreeSet<String> {
        set["spec"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let stored: Value = serde_json::from_str(&ns.kubectl().ok(["get", "sts", "web", "-o", "json"]).await?)?;
    assert_eq!(fields(&ns.set("web").await?), fields(&stored));
    has(&ordinal(&ns, "convert web --to=statefulset").await?, &["apiVersion: apps/v1\n", "kind: StatefulSet\n"]);
    Ok(())
}

#[tokio::test]
async fn doctor_finds_what_still_points_to_the_statefulset_of_before() -> Outcome {
    let ns = world::namespace("plugin-doctor").await?;
    ns.create_set(set("web", 1, json!({}))).await?;
    ns.settled("web").await?;
    has(&ordinal(&ns, "doctor").await?, &["ok   Kubernetes v1.", "the kind OrdinalSet is installed", "1 OrdinalSets"]);
    let mut native = set("web", 0, json!({"serviceName": "web"}));
    (native["apiVersion"], native["kind"]) = ("apps/v1".into(), "StatefulSet".into());
    ns.create_object::<k8s_openapi::api::apps::v1::StatefulSet>(native).await?;
    let autoscaler = json!({
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"},
            "maxReplicas": 3,
        },
    });
    ns.create_object::<k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler>(autoscaler).await?;
    let told = refused(&ns, "doctor").await?;
    has(&told, &["a StatefulSet of the same name exists", "HorizontalPodAutoscaler web still points to a StatefulSet"]);
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_told_with_its_name_and_namespace() -> Outcome {
    let ns = world::namespace("plugin-wrong").await?;
    for command in
        ["rollout status", "rollout history", "rollout undo", "rollout restart", "status", "tree", "explain", "events"]
    {
        let told = refused(&ns, &format!("{command} nobody")).await?;
        has(&told, &["ordinalset.apps.ordinal.dev/nobody not found in namespace", ns.name()]);
    }
    let other = ns.kubectl().ordinal(["rollout", "status", "deployment/web"]).await?;
    assert_eq!(other.code, 2, "a wrong command line: {other:?}");
    has(&other.stderr, &["this is about ordinalset/NAME"]);
    Ok(())
}

#[tokio::test]
async fn missing_rights_are_told_in_the_servers_words() -> Outcome {
    let ns = world::namespace("plugin-rights").await?;
    let scheduler = world::world().await?.control_plane.kubectl_as(Identity::Scheduler).in_namespace(ns.name());
    let output = scheduler.ordinal(["status", "web"]).await?;
    assert_eq!(output.code, 1, "{output:?}");
    has(&output.stderr, &["cannot get resource \"ordinalsets\"", "system:kube-scheduler"]);
    Ok(())
}

#[tokio::test]
async fn completion_is_printed_for_shells() -> Outcome {
    let ns = world::namespace("plugin-completion").await?;
    for shell in ["bash", "zsh", "fish"] {
        has(&ordinal(&ns, &format!("completion {shell}")).await?, &["kubectl-ordinal", "rollout"]);
    }
    Ok(())
}

#[tokio::test]
async fn completion_offers_subcommands_and_sets_through_kubectl() -> Outcome {
    let ns = world::namespace("plugin-complete").await?;
    ns.create_set(set("web", 0, json!({}))).await?;
    let (kubectl, folder) = (ns.kubectl(), tempfile::tempdir()?);
    // As make install-plugin puts them.
    let plugin = built("kubectl-ordinal").await?;
    for name in ["kubectl-ordinal", "kubectl_complete-ordinal"] {
        std::os::unix::fs::symlink(&plugin, folder.path().join(name))?;
    }
    let kubeconfig = world::world().await?.control_plane.kubeconfig(Identity::Admin);
    let offered = async |words: &[&str]| -> Result<String> {
        let mut command = tokio::process::Command::new(kubectl.program());
        command.args(["__complete", "ordinal", "--namespace", ns.name()]).args(words);
        let output = command.env("KUBECONFIG", &kubeconfig).env("PATH", folder.path()).output().await?;
        Ok(String::from_utf8(output.stdout)?)
    };
    has(&offered(&["rollout", ""]).await?, &["status\tWait until", "undo\t", "\n:4\n"]);
    has(&offered(&["rollout", "status", ""]).await?, &["web\n:4\n"]);
    Ok(())
}
