//! A vector's input as the planner's.

use crate::{
    outcome::Status,
    vector::{Vector, array},
    words,
};
use anyhow::{Context, Result, ensure};
use kube::core::SelectorExt;
use ordinal_api::{LABEL_POD_INDEX, LABEL_POD_NAME, LABEL_REVISION, OrdinalSet, lite};
use ordinal_plan::{
    Snapshot,
    labels::Labels,
    native::Native,
    snapshot::{Claim, Memory, Pod, Revision, Service, Set},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// What a vector begins with.
pub struct Situation {
    pub snapshot: Snapshot,
    /// The pods of the snapshot as the vector has them, in its order.
    pub pods: Vec<Value>,
    pub revisions: Vec<Value>,
    pub stored: Status,
    /// Index of the pod in each slot (S-2.1).
    pub slots: BTreeMap<i32, usize>,
}

impl Situation {
    pub fn of(vector: &Vector) -> Result<Self> {
        let json = &vector.json;
        let mut stored: Value = json["set"].clone();
        stored["apiVersion"] = "apps.ordinal.dev/v1".into();
        stored["kind"] = "OrdinalSet".into();
        let set = Set::new(parse::<OrdinalSet>(stored).context("set")?)?;
        let pods: Vec<Value> = array(&json["pods"]).cloned().collect();
        let revisions: Vec<Value> = array(&json["revisions"]).cloned().collect();
        let snapshot = Snapshot {
            now: json["now"].as_str().context("now")?.parse().context("now")?,
            pods: pods.iter().map(|p| Ok(Arc::new(claimed(p, &set)?))).collect::<Result<_>>().context("pods")?,
            claims: all::<lite::Claim>(&json["claims"])
                .context("claims")?
                .into_iter()
                .map(|c| Arc::new(c.into()))
                .collect(),
            revisions: all::<lite::Revision>(&json["revisions"])
                .context("revisions")?
                .into_iter()
                .map(|r| Arc::new(Revision::from(r)))
                .collect(),
            service: Some(Arc::new(healthy_service(&set))),
            native: Native::Absent,
            memory: Memory::default(),
            set: Arc::new(set),
        };
        let stored = serde_json::from_value(json["set"]["status"].clone()).unwrap_or_default();
        let slots = slots(&snapshot);
        Ok(Self { pods, revisions, stored, slots, snapshot })
    }

    pub fn set(&self) -> &Set {
        &self.snapshot.set
    }

    /// The claimed pods that are slots or condemned.
    pub fn members(&self) -> impl Iterator<Item = &Pod> {
        let losers = |i: &usize, p: &Pod| match p.parsed.ordinal {
            Some(o) if self.is_in_range(o) => self.slots.get(&o) == Some(i),
            Some(_) => true,
            None => false,
        };
        self.snapshot.pods.iter().enumerate().filter(move |(i, p)| losers(i, p)).map(|(_, p)| &**p)
    }

    /// The pods that are counted (S-6.3).
    pub fn counted(&self) -> Vec<&Pod> {
        match self.set().deleting {
            true => self.snapshot.pods.iter().map(|p| &**p).collect(),
            false => self.members().collect(),
        }
    }

    fn is_in_range(&self, ordinal: i32) -> bool {
        is_in_range(self.set(), ordinal)
    }

    /// The revisions that the pass chooses from (S-3.6).
    pub fn listed(&self) -> impl Iterator<Item = &Arc<Revision>> {
        let set = self.set();
        let owned = move |r: &Revision| r.controller.as_ref().is_none_or(|c| c.uid == set.uid);
        self.snapshot.revisions.iter().filter(move |r| owned(r) && set.selector.matches(&r.labels))
    }
}

fn is_in_range(set: &Set, ordinal: i32) -> bool {
    (0..i64::from(set.replicas())).contains(&(i64::from(ordinal) - i64::from(set.start())))
}

fn slots(s: &Snapshot) -> BTreeMap<i32, usize> {
    let ordinals = s.pods.iter().enumerate().filter_map(|(i, p)| Some((p.parsed.ordinal?, i)));
    ordinals.filter(|(o, _)| is_in_range(&s.set, *o)).collect()
}

/// A pod of the vector, which begins after claiming (S-2.5): it is the set's, whatever became of its labels since. So it
/// gets those that the selector looks at; of ours, what it has.
fn claimed(json: &Value, set: &Set) -> Result<Pod> {
    let mut pod = Pod::from(parse::<lite::Pod>(json.clone())?);
    pod.controller = Some(set.controller_ref().into());
    let mut labels = pod.labels.all(&pod.name, pod.parsed);
    if !set.selector.matches(&labels) {
        let ours = [LABEL_POD_NAME, LABEL_POD_INDEX, LABEL_REVISION];
        let template = set.template["metadata"]["labels"].as_object().into_iter().flatten();
        let others = template.filter(|(key, _)| !ours.contains(&key.as_str()));
        labels.retain(|key, _| ours.contains(&key.as_str()));
        labels.extend(others.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))));
    }
    let name = &pod.name;
    pod.labels = Labels::new(labels, name, pod.parsed);
    ensure!(set.selects(&pod), "no set with this selector has claimed pod {name}");
    ensure!(pod.parsed.parent(name) == set.name, "no set of this name has claimed pod {name}");
    Ok(pod)
}

/// O-9 is not what the vectors are about.
fn healthy_service(set: &Set) -> Service {
    let spec = json!({"clusterIP": "None", "selector": set.template["metadata"]["labels"]});
    let spec = serde_json::from_value(spec).unwrap_or_default();
    Service { name: set.spec.service_name.clone(), uid: "service".into(), controller: None, spec }
}

fn parse<T: DeserializeOwned>(mut json: Value) -> Result<T> {
    words::to_ours(&mut json);
    Ok(serde_json::from_value(json)?)
}

fn all<T: DeserializeOwned>(list: &Value) -> Result<Vec<T>> {
    array(list).map(|object| parse(object.clone())).collect()
}

impl fmt::Display for Situation {
    /// One line for the set, and one for each object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, set) = (&self.snapshot, self.set());
        let spec = &set.spec;
        let policy = spec.persistent_volume_claim_retention_policy;
        writeln!(
            f,
            "set {}: {} pods from {}, {:?}, {:?}{}, minReady {}, history {}, claims {:?}/{:?}{}; {}; at {}",
            set.name,
            spec.replicas,
            set.start(),
            spec.pod_management_policy,
            spec.update_strategy.type_,
            spec.update_strategy.rolling_update.as_ref().map(|r| format!(" {}", json!(r))).unwrap_or_default(),
            spec.min_ready_seconds,
            spec.revision_history_limit,
            policy.when_deleted,
            policy.when_scaled,
            if set.deleting { ", being deleted" } else { "" },
            json!(set.status),
            s.now,
        )?;
        for pod in &s.pods {
            let mut facts = BTreeSet::new();
            facts.extend(pod.ready.then_some("ready"));
            facts.extend(pod.is_available(spec.min_ready_seconds, s.now).then_some("available"));
            facts.extend(pod.is_terminating().then_some("terminating"));
            writeln!(f, "pod {} at {:?}: {:?} {facts:?}", pod.name, pod.revision(), pod.phase)?;
        }
        for claim in &s.claims {
            let Claim { name, owners, deleting, .. } = &**claim;
            let owners: Vec<_> = owners.iter().map(|o| format!("{} {}({})", o.kind, o.name, o.uid)).collect();
            writeln!(f, "claim {name}{}: {owners:?}", if *deleting { ", terminating" } else { "" })?;
        }
        for revision in &s.revisions {
            let equal = revision.meaning.as_ref() == Some(&set.meaning);
            writeln!(f, "revision {} {}{}", revision.number, revision.name, if equal { ", equal" } else { "" })?;
        }
        Ok(())
    }
}
