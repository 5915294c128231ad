//! The steps of the tour. Each names what a user of StatefulSets should notice, shows the command, and checks what came of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use ordinal_tests::{Look, eventually};
use serde_json::Value;

use crate::{
    patience,
    pods::{Pods, State},
    screen::Screen,
    stage::Stage,
};

const STEPS: usize = 9;
const MANIFEST: &str = "examples/kubia.yaml";
/// The image of the manifest, and the one that follows it in the book that kubia is from.
const OLD: &str = "luksa/kubia-pet";
const NEW: &str = "luksa/kubia-pet-peers";
const CANARY: &str = concat!(
    r#"[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"luksa/kubia-pet-peers"},"#,
    r#"{"op":"add","path":"/spec/updateStrategy","value":{"type":"RollingUpdate","rollingUpdate":{"partition":2}}}]"#
);
const ALL: &str = r#"{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}"#;

/// All steps in their order.
pub async fn walk(stage: &Stage, screen: &Screen, pods: &Pods) -> Result<()> {
    let tour = Tour { stage, screen, pods };
    tour.ordered_creation().await.context("step 1")?;
    tour.claims().await.context("step 2")?;
    tour.deleted_pod().await.context("step 3")?;
    tour.scale_up().await.context("step 4")?;
    tour.scale_down().await.context("step 5")?;
    tour.old_claim_again().await.context("step 6")?;
    tour.canary().await.context("step 7")?;
    tour.roll_out().await.context("step 8")?;
    tour.roll_back().await.context("step 9")
}

struct Tour<'a> {
    stage: &'a Stage,
    screen: &'a Screen,
    pods: &'a Pods,
}

impl Tour<'_> {
    async fn ordered_creation(&self) -> Result<()> {
        self.step(
            1,
            "A set comes up in order",
            "The manifest is a StatefulSet's, field for field; a pod starts only when the one before it is ready.",
        );
        let applied = self.run(&["apply", "-f", MANIFEST]).await?;
        self.screen.output(&applied);
        self.pods
            .until("kubia-0 to kubia-2 are ready", |h| h.exactly_ready(&["kubia-0", "kubia-1", "kubia-2"]))
            .await?;
        let ordered = self.pods.history().in_order(&[
            ("kubia-0", State::Ready),
            ("kubia-1", State::Pending),
            ("kubia-1", State::Ready),
            ("kubia-2", State::Pending),
            ("kubia-2", State::Ready),
        ]);
        ensure!(ordered, "the pods did not come up one after the other");
        self.pods.done("three pods, one after the other");
        Ok(())
    }

    async fn claims(&self) -> Result<()> {
        self.step(2, "Each pod has a claim of its own", "The names are made as a StatefulSet makes them.");
        let names = ["data-kubia-0", "data-kubia-1", "data-kubia-2"];
        self.bound(&names).await?;
        let shown = self.run(&["get", "persistentvolumeclaims"]).await?;
        self.screen.output(&shown);
        self.pods.done("three claims, all bound");
        Ok(())
    }

    async fn deleted_pod(&self) -> Result<()> {
        self.step(3, "A deleted pod comes back", "Same name, same claim, same data; only the pod's UID is new.");
        let claims = self.claim_uids().await?;
        let before = self.pods.history().now().get("kubia-1").cloned().context("there is no kubia-1")?;
        self.run(&["delete", "pod", "kubia-1", "--wait=false"]).await?;
        self.pods
            .until("another kubia-1 is ready", |h| {
                h.now().get("kubia-1").is_some_and(|pod| pod.uid != before.uid && pod.state == State::Ready)
            })
            .await?;
        let after = self.pods.history().now().get("kubia-1").cloned().context("there is no kubia-1")?;
        ensure!(after.claims == before.claims, "it has the claims {:?} and had {:?}", after.claims, before.claims);
        ensure!(self.claim_uids().await? == claims, "a claim was made anew");
        self.pods.done("kubia-1 is back with its claim data-kubia-1");
        Ok(())
    }

    async fn scale_up(&self) -> Result<()> {
        self.step(4, "Scale up, 3 → 5", "kubectl scale and autoscalers work; kubia-3 comes first, then kubia-4.");
        self.run(&["scale", "ordinalset", "kubia", "--replicas=5"]).await?;
        let all = ["kubia-0", "kubia-1", "kubia-2", "kubia-3", "kubia-4"];
        self.pods.until("five pods are ready", |h| h.exactly_ready(&all)).await?;
        let ordered = self.pods.history().in_order(&[("kubia-3", State::Ready), ("kubia-4", State::Pending)]);
        ensure!(ordered, "kubia-4 did not wait for kubia-3");
        self.pods.done("two more pods, in order");
        Ok(())
    }

    async fn scale_down(&self) -> Result<()> {
        self.step(5, "Scale down, 5 → 2", "The highest ordinal goes first, each is gone before the next; claims stay.");
        let claims = self.claim_uids().await?;
        self.run(&["scale", "ordinalset", "kubia", "--replicas=2"]).await?;
        self.pods.until("kubia-0 and kubia-1 are left", |h| h.exactly_ready(&["kubia-0", "kubia-1"])).await?;
        let ordered = self.pods.history().in_order(&[
            ("kubia-4", State::Gone),
            ("kubia-3", State::Terminating),
            ("kubia-3", State::Gone),
            ("kubia-2", State::Terminating),
        ]);
        ensure!(ordered, "the pods did not go in reverse order");
        ensure!(self.claim_uids().await? == claims && claims.len() == 5, "the five claims did not stay");
        self.pods.done("three pods gone in reverse order, all five claims kept");
        Ok(())
    }

    async fn old_claim_again(&self) -> Result<()> {
        self.step(6, "Scale up again, 2 → 3", "kubia-2 finds the claim that it had, and the data on it.");
        let claims = self.claim_uids().await?;
        self.run(&["scale", "ordinalset", "kubia", "--replicas=3"]).await?;
        self.pods.until("three pods are ready", |h| h.exactly_ready(&["kubia-0", "kubia-1", "kubia-2"])).await?;
        ensure!(self.claim_uids().await? == claims, "a claim was made anew");
        self.pods.done("kubia-2 has its old claim data-kubia-2");
        Ok(())
    }

    async fn canary(&self) -> Result<()> {
        self.step(
            7,
            "A canary",
            "A new image, and a partition of 2: only kubia-2 gets it, the others are not touched.",
        );
        let before = self.uids();
        self.run(&["patch", "ordinalset", "kubia", "--type=json", "-p", CANARY]).await?;
        self.pods
            .until("kubia-2 is ready with the new image", |h| {
                h.exactly_ready(&["kubia-0", "kubia-1", "kubia-2"]) && h.now()["kubia-2"].image == NEW
            })
            .await?;
        self.status("one pod of three is updated", |status| status["updatedReplicas"] == 1).await?;
        let after = self.uids();
        ensure!(["kubia-0", "kubia-1"].iter().all(|pod| before.get(*pod) == after.get(*pod)), "others were touched");
        let shown = self.run(&["get", "pods", "-L", "controller-revision-hash"]).await?;
        self.screen.output(&shown);
        self.pods.done("one canary, two pods as they were");
        Ok(())
    }

    async fn roll_out(&self) -> Result<()> {
        self.step(8, "The roll-out is completed", "Without the partition the rest follows, the highest ordinal first.");
        self.run(&["patch", "ordinalset", "kubia", "--type=merge", "-p", ALL]).await?;
        self.all_have(NEW).await?;
        let (ordered, canary_stayed) = {
            let history = self.pods.history();
            let ordered = history.in_order(&[("kubia-1", State::Ready), ("kubia-0", State::Terminating)]);
            (ordered, history.times("kubia-2", State::Terminating) == 0)
        };
        ensure!(ordered, "kubia-0 did not wait for kubia-1");
        ensure!(canary_stayed, "the canary was replaced again");
        self.status("the update revision is the current one", complete).await?;
        self.pods.done("all three pods run the new image");
        Ok(())
    }

    async fn roll_back(&self) -> Result<()> {
        self.step(
            9,
            "A roll-back",
            "The manifest still has the old template: applying it again is the way back, to the very first revision.",
        );
        self.run(&["apply", "-f", MANIFEST]).await?;
        self.all_have(OLD).await?;
        let ordered = self.pods.history().in_order(&[
            ("kubia-2", State::Ready),
            ("kubia-1", State::Terminating),
            ("kubia-1", State::Ready),
            ("kubia-0", State::Terminating),
        ]);
        ensure!(ordered, "the pods were not replaced in reverse order");
        self.status("the update revision is the current one", complete).await?;
        let shown = self.run(&["get", "controllerrevisions"]).await?;
        self.screen.output(&shown);
        ensure!(shown.lines().count() == 3, "two templates should have made two revisions");
        self.pods.done("back to the old image, and no third revision");
        Ok(())
    }
}

/// What the steps are made of.
impl Tour<'_> {
    fn step(&self, number: usize, title: &str, notice: &str) {
        self.pods.begin();
        self.screen.step(number, STEPS, title, notice);
    }

    async fn run(&self, args: &[&str]) -> Result<String> {
        self.stage.run(self.screen, args).await
    }

    async fn all_have(&self, image: &str) -> Result<()> {
        self.pods
            .until(&format!("three pods are ready with {image}"), |h| {
                h.exactly_ready(&["kubia-0", "kubia-1", "kubia-2"]) && h.now().values().all(|pod| pod.image == image)
            })
            .await
    }

    async fn bound(&self, names: &[&str]) -> Result<()> {
        eventually(patience(self.stage.is_own()), "the claims are bound", async || {
            let shown = self.stage.look(&["get", "persistentvolumeclaims", "-o", "json"]).await?;
            let list: Value = serde_json::from_str(&shown)?;
            let items = list["items"].as_array().context("a list has items")?;
            let bound: Vec<&str> = items
                .iter()
                .filter(|claim| claim["status"]["phase"] == "Bound")
                .filter_map(|claim| claim["metadata"]["name"].as_str())
                .collect();
            Ok(Look::when(bound == names, || format!("{bound:?} are bound")))
        })
        .await
    }

    async fn status(&self, what: &str, is: impl Fn(&Value) -> bool) -> Result<()> {
        eventually(patience(self.stage.is_own()), what, async || {
            let shown = self.stage.look(&["get", "ordinalset", "kubia", "-o", "json"]).await?;
            let set: Value = serde_json::from_str(&shown)?;
            Ok(Look::when(is(&set["status"]), || format!("the status is {}", set["status"])))
        })
        .await
    }

    async fn claim_uids(&self) -> Result<Vec<String>> {
        let uids =
            self.stage.look(&["get", "persistentvolumeclaims", "-o", "jsonpath={.items[*].metadata.uid}"]).await?;
        Ok(uids.split_whitespace().map(str::to_owned).collect())
    }

    fn uids(&self) -> BTreeMap<String, String> {
        self.pods.history().now().iter().map(|(name, pod)| (name.clone(), pod.uid.clone())).collect()
    }
}

fn complete(status: &Value) -> bool {
    status["updatedReplicas"] == 3 && status["currentRevision"] == status["updateRevision"]
}
