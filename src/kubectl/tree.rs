//! `kubectl ordinal tree`: a set and all that hangs on it.

use std::process::ExitCode;

use anyhow::Result;
use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, Service},
    jiff::Timestamp,
};
use kube::ResourceExt;

use crate::{
    cli::One,
    cluster::Cluster,
    family::{Family, number, revision_of},
    status,
};

pub async fn run(args: &One, cluster: &Cluster) -> Result<ExitCode> {
    let family = Family::of(cluster, &args.set).await?;
    print!("{}", grow(&family, Timestamp::now()));
    Ok(ExitCode::SUCCESS)
}

/// A line and what hangs on it.
struct Node {
    text: String,
    children: Vec<Node>,
}

impl Node {
    fn leaf(text: String) -> Self {
        Self { text, children: Vec::new() }
    }

    fn draw(&self, indent: &str, out: &mut String) {
        for (number, child) in self.children.iter().enumerate() {
            let last = number + 1 == self.children.len();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            *out += &format!("{indent}{branch}{}\n", child.text);
            child.draw(&format!("{indent}{below}"), out);
        }
    }
}

/// The tree as text.
pub fn grow(family: &Family, now: Timestamp) -> String {
    let set = &family.set;
    let state = set.status.clone().unwrap_or_default();
    let mut children = Vec::new();
    match (&family.service, set.spec.service_name.as_str()) {
        (Some(service), _) => children.push(Node::leaf(format!("Service {}{}", service.name_any(), headless(service)))),
        (None, "") => {}
        (None, name) => children.push(Node::leaf(format!("Service {name}: missing"))),
    }
    for revision in &family.revisions {
        let name = revision.name_any();
        let mut roles = Vec::new();
        roles.extend((name == state.current_revision).then_some("current"));
        roles.extend((name == state.update_revision).then_some("update"));
        let roles = if roles.is_empty() { String::new() } else { format!(": {}", roles.join(", ")) };
        let number = number(revision);
        children.push(Node::leaf(format!("ControllerRevision {name} (number {number}){roles}")));
    }
    for (ordinal, pod) in &family.pods {
        let node =
            pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).map(|n| format!(" on {n}")).unwrap_or_default();
        let text =
            format!("Pod {}: {}{node}, revision {}", pod.name_any(), status::state(set, pod, now), revision_of(pod));
        children.push(Node { text, children: family.claims_of(*ordinal).map(claim).collect() });
    }
    let orphaned = family.claims.values().filter(|c| {
        let ordinal = ordinal_plan::name::parse_claim(&c.name_any(), &set.name_any()).map(|(_, ordinal)| ordinal);
        ordinal.is_some_and(|ordinal| !family.pods.contains_key(&ordinal))
    });
    children.extend(orphaned.map(|c| {
        let mut node = claim(c);
        node.text += ", of no pod";
        node
    }));
    let mut out = format!("OrdinalSet {}/{}\n", set.namespace().unwrap_or_default(), set.name_any());
    Node { text: String::new(), children }.draw("", &mut out);
    out
}

fn headless(service: &Service) -> &'static str {
    let ip = service.spec.as_ref().and_then(|s| s.cluster_ip.as_deref());
    if ip == Some("None") { "" } else { ": not headless" }
}

fn claim(claim: &PersistentVolumeClaim) -> Node {
    let phase = claim.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("unknown");
    let phase = if claim.metadata.deletion_timestamp.is_some() { "Terminating" } else { phase };
    let size = claim.status.as_ref().and_then(|s| Some(s.capacity.as_ref()?.get("storage")?.0.clone()));
    let size = size.map(|size| format!(", {size}")).unwrap_or_default();
    let volume = claim.spec.as_ref().and_then(|s| s.volume_name.clone()).filter(|name| !name.is_empty());
    let children = volume.map(|name| Node::leaf(format!("PersistentVolume {name}"))).into_iter().collect();
    Node { text: format!("PersistentVolumeClaim {}: {phase}{size}", claim.name_any()), children }
}
