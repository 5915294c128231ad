//! A small API server for the objects of one set, and the passes over it.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::OwnerReference,
    jiff::{SignedDuration, Timestamp},
};
use ordinal_api::{OrdinalSet, lite};
use ordinal_plan::{
    Plan, Snapshot,
    action::{Action, ClaimOwners, StageKind},
    check, claim, plan, pod, revision,
    snapshot::{Claim, Memory, Pod, Revision, Set, Trial, Verdict},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Objects of one kind by name.
pub type Objects = BTreeMap<String, Value>;

/// One set, its pods, claims and revisions, and the time.
pub struct Cluster {
    /// The only clock.
    pub now: Timestamp,
    /// The set, as stored; absent once it is gone.
    pub set: Value,
    /// Pods as stored.
    pub pods: Objects,
    /// Claims as stored.
    pub claims: Objects,
    /// ControllerRevisions as stored.
    pub revisions: Objects,
    /// Pods whose creation is refused, with the server's words.
    pub refused: BTreeMap<String, String>,
    /// What the operator remembers; a crash empties it.
    pub memory: Memory,
    last: u64,
}

impl Cluster {
    /// A cluster with a set of this spec, named `web`, and nothing else.
    pub fn new(spec: Value) -> Self {
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let set = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet",
            "metadata": {"name": "web", "namespace": "ns", "uid": "set", "generation": 1, "resourceVersion": "1"},
            "spec": spec,
        });
        Self {
            now,
            set,
            pods: Objects::new(),
            claims: Objects::new(),
            revisions: Objects::new(),
            refused: BTreeMap::new(),
            memory: Memory::default(),
            last: 1,
        }
    }

    /// Changes the set as a user would; a changed spec is a new generation.
    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let before = self.set["spec"].clone();
        change(&mut self.set);
        if self.set["spec"] != before {
            let generation = self.set["metadata"]["generation"].as_i64().unwrap_or(0);
            self.set["metadata"]["generation"] = (generation + 1).into();
        }
        self.touch_set();
    }

    /// What the caches would show, all of them up to date.
    pub fn snapshot(&self) -> Snapshot {
        let set: OrdinalSet = parse(&self.set);
        let all = |objects: &Objects| objects.values().cloned().collect::<Vec<_>>();
        Snapshot {
            now: self.now,
            set: Arc::new(Set::new(set).expect("a set that can be planned for")),
            pods: all(&self.pods).iter().map(|p| Arc::new(Pod::from(&parse::<lite::Pod>(p)))).collect(),
            claims: all(&self.claims).iter().map(|c| Arc::new(Claim::from(&parse::<lite::Claim>(c)))).collect(),
            revisions: all(&self.revisions)
                .iter()
                .map(|r| Arc::new(Revision::from(parse::<lite::Revision>(r))))
                .collect(),
            service: None,
            memory: self.memory.clone(),
        }
    }

    /// One pass: plan, check, carry out, write the status.
    ///
    /// # Panics
    /// When the plan breaks an invariant, or is another one for the same snapshot.
    pub fn pass(&mut self) -> Plan {
        let snapshot = self.snapshot();
        let made = plan(&snapshot);
        assert_eq!(made, plan(&snapshot), "the same snapshot gave two plans");
        let violations = check::check(&snapshot, &made);
        assert!(violations.is_empty(), "{violations:#?}\nbroken by\n{made}\nfrom {snapshot:#?}");
        self.execute(&made);
        made
    }

    /// Carries a plan out as the executor does: up to the first failure, history and status in any case.
    pub fn execute(&mut self, plan: &Plan) {
        self.memory = plan.memory.clone();
        let mut stopped = false;
        for stage in &plan.stages {
            for action in stage.actions() {
                if !stopped || stage.kind == StageKind::History {
                    stopped |= !self.act(plan, action);
                }
            }
        }
        let status = serde_json::to_value(&plan.status).expect("a status");
        if self.set["status"] != status {
            self.set["status"] = status;
            self.touch_set();
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).expect("a time");
    }

    /// A user or the node deletes a pod: gracefully where it runs, at once where it does not (S-9.8).
    pub fn delete_pod(&mut self, name: &str) {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(name) else { return };
        let running = pod["status"]["phase"] == "Running";
        if running && pod["metadata"]["deletionTimestamp"].is_null() {
            pod["metadata"]["deletionTimestamp"] =
                json!(now.checked_add(SignedDuration::from_secs(30)).expect("a time"));
        } else if !running {
            self.pods.remove(name);
        }
    }

    /// What the garbage collector does: objects whose owners are all gone go. Claims in use stay (PVC protection).
    pub fn collect_garbage(&mut self) {
        let pods = &self.pods;
        let exists = |o: &OwnerReference| o.uid == "set" || pods.values().any(|p| p["metadata"]["uid"] == *o.uid);
        let in_use = |claim: &str| pods.values().any(|p| p.to_string().contains(&format!("\"claimName\":\"{claim}\"")));
        self.claims.retain(|name, claim| {
            let owners: Vec<OwnerReference> = parse(&claim["metadata"]["ownerReferences"]);
            owners.is_empty() || owners.iter().any(exists) || in_use(name)
        });
    }

    fn act(&mut self, plan: &Plan, action: &Action) -> bool {
        let snapshot_set = parse::<OrdinalSet>(&self.set);
        let set = Set::new(snapshot_set).expect("a set that can be planned for");
        match action {
            Action::CreatePod { name, ordinal, revision } => {
                if self.pods.contains_key(name) || self.refused.contains_key(name) {
                    return false;
                }
                let mut body = pod::desired(&set, *ordinal, plan.templates.get(*revision));
                body["status"] = json!({"phase": "Pending"});
                let body = self.store(body);
                self.pods.insert(name.clone(), body);
            }
            Action::DeletePod { name, uid, .. } => {
                if self.pods.get(name).is_some_and(|p| p["metadata"]["uid"] == *uid.as_str()) {
                    self.delete_pod(name);
                }
            }
            Action::UpdatePod { name, ordinal, labels, .. } => {
                let Some(pod) = self.pods.get_mut(name) else { return false };
                let repaired = if *labels { pod::identity_labels(name, *ordinal) } else { Map::new() };
                for (label, value) in repaired {
                    pod["metadata"]["labels"][label] = value;
                }
            }
            Action::AdoptPod { name, .. } => own(&mut self.pods, name, Some(&set.controller_ref())),
            Action::ReleasePod { name, .. } => own(&mut self.pods, name, None),
            Action::AdoptRevision { name, .. } => own(&mut self.revisions, name, Some(&set.controller_ref())),
            Action::CreateClaim { name, template, .. } => {
                let Some(mut body) = claim::desired(&set, template, name) else { return false };
                body["status"] = json!({"phase": "Bound"});
                let body = self.store(body);
                self.claims.insert(name.clone(), body);
            }
            Action::UpdateClaim(change) => self.change_owners(change),
            Action::CreateRevision { name, hash, number } => {
                let body = self.store(revision::desired(&set, name, hash, *number));
                self.revisions.insert(name.clone(), body);
            }
            Action::RenumberRevision { name, number, .. } => self.revisions.get_mut(name).into_iter().for_each(|r| {
                r["revision"] = (*number).into();
            }),
            Action::DeleteRevision { name, .. } => drop(self.revisions.remove(name)),
            Action::TryPod { name, .. } => {
                let revision = plan.templates.update.revision.clone();
                let verdict = match self.refused.get(name) {
                    None => Verdict::Passed,
                    Some(message) => {
                        let retry_at = self.now.checked_add(SignedDuration::from_secs(5)).expect("a time");
                        Verdict::Refused { message: message.clone(), count: 1, retry_at }
                    }
                };
                let passed = verdict == Verdict::Passed;
                self.memory.trial = Some(Trial { revision, generation: set.generation, verdict });
                return passed;
            }
            Action::CreateService { .. } | Action::UpdateService { .. } => {}
        }
        true
    }

    fn change_owners(&mut self, change: &ClaimOwners) {
        let Some(claim) = self.claims.get_mut(&change.name) else { return };
        let mut owners: Vec<OwnerReference> = parse(&claim["metadata"]["ownerReferences"]);
        owners.retain(|o| !change.remove.contains(&o.uid) && !change.add.iter().any(|a| a.uid == o.uid));
        owners.extend(change.add.clone());
        claim["metadata"]["ownerReferences"] = json!(owners);
    }

    /// What the server adds to an object that it stores.
    fn store(&mut self, mut object: Value) -> Value {
        self.last += 1;
        let meta = &mut object["metadata"];
        meta["uid"] = format!("u{}", self.last).into();
        meta["resourceVersion"] = self.last.to_string().into();
        meta["creationTimestamp"] = json!(self.now);
        if meta["ownerReferences"].is_null() {
            meta["ownerReferences"] = json!([]);
        }
        object
    }

    fn touch_set(&mut self) {
        self.last += 1;
        self.set["metadata"]["resourceVersion"] = self.last.to_string().into();
    }
}

fn own(objects: &mut Objects, name: &str, owner: Option<&OwnerReference>) {
    if let Some(object) = objects.get_mut(name) {
        object["metadata"]["ownerReferences"] = json!(owner.into_iter().collect::<Vec<_>>());
    }
}

fn parse<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("an object that the API server would store")
}
