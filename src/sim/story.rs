//! Roll-outs and scalings as texts that a person can read: one line per pass, what is there, what is done and why, what is
//! waited for. Compared with the files in `golden/` (how to read them: `golden/README.md`); `UPDATE_GOLDEN=1` writes them
//! anew. Each story is also lived through in many seeded orders, and has to end in the same way.

use crate::{
    cluster::Cluster,
    kubelet::{self, Dice},
    orders::wander,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::SignedDuration};
use ordinal_api::lite;
use ordinal_plan::{
    Plan,
    action::{Action, WaitFor},
    snapshot::{Phase, Pod, Snapshot, Verdict},
};
use serde_json::Value;
use std::fmt::Write;

/// Passes after which a chapter that goes on is told to be endless.
const ENDLESS: usize = 500;

/// In how many orders each story is lived through, besides the one that is told.
const ORDERS: u64 = 60;

type Happening = Box<dyn Fn(&mut Cluster)>;
type Moment = Box<dyn Fn(&Cluster) -> bool>;

/// A set, and what happens to it, chapter by chapter.
pub struct Story {
    name: &'static str,
    title: &'static str,
    spec: Value,
    chapters: Vec<Chapter>,
}

struct Chapter {
    heading: &'static str,
    happens: Happening,
    /// When the chapter ends although things still move.
    until: Option<Moment>,
}

impl Story {
    /// The story `golden/<name>.txt` of a set that is made with this spec; its first chapter goes until all is there.
    pub fn of(name: &'static str, title: &'static str, spec: Value) -> Self {
        Self { name, title, spec, chapters: Vec::new() }.then("the set is made", |_| {})
    }

    /// A chapter that begins with something somebody does, and goes on until nothing moves.
    pub fn then(mut self, heading: &'static str, happens: impl Fn(&mut Cluster) + 'static) -> Self {
        self.chapters.push(Chapter { heading, happens: Box::new(happens), until: None });
        self
    }

    /// Lets the last chapter end amid things, as soon as this is so.
    pub fn until(mut self, moment: impl Fn(&Cluster) -> bool + 'static) -> Self {
        if let Some(last) = self.chapters.last_mut() {
            last.until = Some(Box::new(moment));
        }
        self
    }

    /// Compares with the golden text; then lives through it in seeded orders.
    ///
    /// # Panics
    /// When the text is another one, an invariant breaks, or an order ends otherwise than the one that is told.
    pub fn tell(self) {
        let mut text = Text::default();
        let mut cluster = Cluster::new(self.spec.clone());
        let mut ends = Vec::new();
        for chapter in &self.chapters {
            text.chapter(chapter.heading);
            (chapter.happens)(&mut cluster);
            text.passes(&mut cluster, chapter.until.as_deref());
            ends.push(state(&cluster));
        }
        compare(self.name, &format!("{}\n{}", self.title, text.rendered()));
        for seed in 0..ORDERS {
            let mut dice = Dice::new(seed);
            let mut cluster = Cluster::new(self.spec.clone());
            for (chapter, end) in self.chapters.iter().zip(&ends) {
                (chapter.happens)(&mut cluster);
                let at = format!("{}, seed {seed}, chapter {:?}", self.name, chapter.heading);
                let over = |cluster: &Cluster| chapter.until.as_ref().is_some_and(|moment| moment(cluster));
                let came = wander(&mut cluster, &mut dice, &at, over);
                assert_eq!(came, chapter.until.is_some(), "{at}: the moment for the next chapter does not come");
                if chapter.until.is_none() {
                    assert_eq!(state(&cluster), *end, "{at} ends otherwise (right: as it is told)");
                }
            }
        }
    }
}

/// A story as it is told: what is there, and what comes of it; or a line for itself.
#[derive(Default)]
struct Text(Vec<(Option<String>, String)>);

impl Text {
    fn chapter(&mut self, heading: &str) {
        self.0.push((None, format!("\n# {heading}")));
    }

    /// Passes, with one pod moving a step after each, in fixed order; where none can, time does.
    fn passes(&mut self, cluster: &mut Cluster, until: Option<&dyn Fn(&Cluster) -> bool>) {
        for _ in 0..ENDLESS {
            if until.is_some_and(|moment| moment(cluster)) {
                return;
            }
            let (before, status) = (shown(cluster), cluster.set["status"].clone());
            let plan = cluster.pass();
            let acted = plan.actions().next().is_some();
            self.pass(before, told(cluster, &plan));
            if until.is_some_and(|moment| moment(cluster)) {
                return;
            }
            let moved = kubelet::step(cluster, &mut Dice::new(0));
            cluster.collect_garbage();
            if acted || moved || cluster.set["status"] != status {
                continue;
            }
            let Some(after) = plan.requeue_after else {
                assert!(until.is_none(), "the moment for the next chapter does not come:\n{}", self.rendered());
                self.0.push((None, format!("= {}", summed_up(cluster))));
                return;
            };
            let after = after.max(SignedDuration::from_secs(1));
            cluster.wait(after);
            self.0.push((None, format!("  {} s later", after.as_secs())));
        }
        panic!("endless:\n{}", self.rendered());
    }

    /// A pass that finds and does the same as the one before is not told again.
    fn pass(&mut self, before: String, done: String) {
        let line = (Some(before), done);
        if self.0.last() != Some(&line) {
            self.0.push(line);
        }
    }

    fn rendered(&self) -> String {
        let width =
            self.0.iter().filter_map(|(before, _)| before.as_ref()).map(|b| b.chars().count()).max().unwrap_or(0);
        self.0.iter().fold(String::new(), |mut text, (before, line)| {
            let _ = match before {
                Some(before) => writeln!(text, "{before:<width$} | {line}"),
                None => writeln!(text, "{line}"),
            };
            text
        })
    }
}

fn compare(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{} tells another story; UPDATE_GOLDEN=1 accepts the new one:\n{text}", path.display());
}

/// Pods, and the claims with their owners: `0:a+ 1:b-; claims 0=set 1=web-1`.
fn shown(cluster: &Cluster) -> String {
    let snapshot = cluster.snapshot();
    // Those too that are none of the set's business.
    let read = |pod: &Value| Pod::from(serde_json::from_value::<lite::Pod>(pod.clone()).expect("a pod"));
    let mut pods: Vec<Pod> = cluster.pods.values().map(read).collect();
    pods.sort_by_key(|p| (p.parsed.ordinal.is_none(), p.parsed.ordinal));
    let pods: Vec<String> = pods.iter().map(|pod| sign(cluster, &snapshot, pod)).collect();
    let pods = if pods.is_empty() { "no pods".to_owned() } else { pods.join(" ") };
    let claims = claims(cluster);
    if claims.is_empty() { pods } else { format!("{pods}; claims {claims}") }
}

fn sign(cluster: &Cluster, snapshot: &Snapshot, pod: &Pod) -> String {
    let image = cluster.pods[&pod.name]["spec"]["containers"][0]["image"].as_str().unwrap_or("?");
    let available = pod.is_available(snapshot.set.spec.min_ready_seconds, snapshot.now);
    let sign = match pod.phase {
        _ if pod.is_terminating() => '~',
        Phase::Pending => '.',
        Phase::Running if available => '+',
        Phase::Running if pod.ready => 'o',
        Phase::Running => '-',
        _ => '!',
    };
    let owned = pod.controller.as_ref().is_some_and(|o| o.uid == snapshot.set.uid);
    let foreign = if owned { "" } else { "?" };
    match pod.name.strip_prefix("web-") {
        Some(ordinal) => format!("{ordinal}:{image}{sign}{foreign}"),
        None => format!("{}:{sign}{foreign}", pod.name),
    }
}

fn claims(cluster: &Cluster) -> String {
    let one = |(name, claim): (&String, &Value)| {
        let owners: Vec<OwnerReference> =
            serde_json::from_value(claim["metadata"]["ownerReferences"].clone()).unwrap_or_default();
        let owner = |o: &OwnerReference| if o.kind == "Pod" { o.name.clone() } else { "set".to_owned() };
        let owners: Vec<String> = owners.iter().map(owner).collect();
        let ordinal = name.strip_prefix("data-web-").unwrap_or(name);
        let going = if claim["metadata"]["deletionTimestamp"].is_null() { "" } else { "~" };
        format!("{ordinal}={}{going}", if owners.is_empty() { "-".to_owned() } else { owners.join("+") })
    };
    cluster.claims.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What a pass does, in its own words; UIDs and hashes are left out.
fn told(cluster: &Cluster, plan: &Plan) -> String {
    let mut parts = Vec::new();
    for action in plan.actions() {
        parts.push(deed(cluster, action));
        if let (Action::TryPod { .. }, Some(Verdict::Refused { message, .. })) = (action, verdict(cluster)) {
            parts.push(format!("refused: {message}; so no pod goes"));
            break;
        }
    }
    parts.extend(plan.failures.iter().map(|f| format!("fails: {}", f.message)));
    // That a pod is waited for which this pass makes goes without saying.
    parts.extend(plan.wait.iter().filter(|w| w.why != WaitFor::Creation).map(ToString::to_string));
    parts.extend(plan.status.blocked_pods.iter().map(|b| format!("blocked: {} {}", b.name, b.reason)));
    let stalled = plan.status.conditions.iter().filter(|c| c.type_ == "Stalled" && c.status == "True");
    if parts.is_empty() {
        parts.extend(stalled.map(|c| format!("stalled: {}", c.message.as_deref().unwrap_or_default())));
    }
    if parts.is_empty() { "-".to_owned() } else { readable(cluster, parts.join("; ")) }
}

/// What the last dry run brought.
fn verdict(cluster: &Cluster) -> Option<&Verdict> {
    cluster.memory.trial.as_ref().map(|t| &t.verdict)
}

fn deed(cluster: &Cluster, action: &Action) -> String {
    let template = |name: &str| cluster.revisions.get(name).map_or("?", image_of).to_owned();
    match action {
        Action::CreateRevision { name, number, .. } => format!("record revision {number}, image {}", template(name)),
        Action::RenumberRevision { name, number, .. } => {
            format!("the revision with image {} is number {number} now", template(name))
        }
        Action::DeleteRevision { .. } => "forget a revision".to_owned(),
        Action::AdoptRevision { .. } => "adopt a revision".to_owned(),
        Action::UpdateClaim(change) => {
            let to: Vec<&str> =
                change.add.iter().map(|o| if o.kind == "Pod" { o.name.as_str() } else { "the set" }).collect();
            format!("hand claim {} to {}", change.name, if to.is_empty() { "nobody".to_owned() } else { to.join(", ") })
        }
        other => other.to_string(),
    }
}

/// With the image in place of a revision's name.
fn readable(cluster: &Cluster, text: String) -> String {
    cluster.revisions.iter().fold(text, |text, (name, revision)| text.replace(name, image_of(revision)))
}

fn image_of(revision: &Value) -> &str {
    revision["data"]["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or("?")
}

fn summed_up(cluster: &Cluster) -> String {
    let status = &cluster.set["status"];
    let counters = [
        ("replicas", ""),
        ("readyReplicas", " ready"),
        ("availableReplicas", " available"),
        ("currentReplicas", " current"),
        ("updatedReplicas", " updated"),
    ];
    let numbers: Vec<String> = counters.map(|(field, word)| format!("{}{word}", status[field])).into();
    let condition = |type_: &str| {
        let all = status["conditions"].as_array().into_iter().flatten();
        all.clone().find(|c| c["type"] == type_).cloned().unwrap_or_default()
    };
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let progress = condition("Progressing");
    let stalled = if condition("Stalled")["status"] == "True" { "stalled, " } else { "" };
    let available = if condition("Available")["status"] == "True" { "" } else { "not Available, " };
    let revisions = match (word(&status["currentRevision"]), word(&status["updateRevision"])) {
        (current, update) if current == update => format!("revision {current}"),
        (current, update) => format!("revisions {current} to {update}"),
    };
    let why = format!("{} ({})", word(&progress["reason"]), word(&progress["message"]));
    readable(cluster, format!("pods {}; {revisions}; {available}{stalled}{why}", numbers.join(", ")))
}

/// How things are, with UIDs, versions and times aside.
fn state(cluster: &Cluster) -> String {
    let mut status = cluster.set["status"].clone();
    for (list, time) in [("conditions", "lastTransitionTime"), ("blockedPods", "since")] {
        for item in status[list].as_array_mut().into_iter().flatten() {
            item.as_object_mut().map(|fields| fields.remove(time));
        }
    }
    format!("{}\n{status:#}", shown(cluster))
}
