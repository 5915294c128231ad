//! What must be true of a set whenever nothing moves.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use ordinal_api::LABEL_REVISION;
use ordinal_tests::record::{Room, Watched};
use serde_json::Value;

use crate::{declared, input::NAME};

/// A set and its pods at one moment.
pub struct Sight<'a> {
    /// The set.
    pub set: &'a Value,
    /// The pods that it controls.
    pub pods: BTreeMap<&'a str, &'a Value>,
    room: &'a Room,
}

impl<'a> Sight<'a> {
    /// What a namespace shows of its set; none while the set is not there.
    pub fn of(room: &'a Room) -> Option<Self> {
        let set = room.get(Watched::Set, NAME)?;
        let uid = &set["metadata"]["uid"];
        let owned = |pod: &Value| {
            let owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
            owners.into_iter().any(|owner| owner["controller"] == true && owner["uid"] == *uid)
        };
        Some(Self { set, pods: room.all(Watched::Pod).filter(|(_, pod)| owned(pod)).collect(), room })
    }

    /// A condition of the set.
    pub fn condition(&self, type_: &str) -> Option<&'a Value> {
        self.set["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == type_)
    }

    /// Whether the set calls itself complete.
    pub fn says_complete(&self) -> bool {
        self.condition("Progressing").is_some_and(|c| c["reason"] == "Complete")
    }

    /// The UIDs of its pods by name.
    pub fn uids(&self) -> BTreeMap<String, String> {
        let uid = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        self.pods.iter().map(|(name, pod)| ((*name).to_owned(), uid(pod))).collect()
    }

    /// Pods that are neither ready nor at the update revision: a person deletes these of an OrderedReady set (S-4.13).
    pub fn stranded(&self) -> Vec<&'a str> {
        let update = self.set["status"]["updateRevision"].as_str().unwrap_or_default();
        let stranded = |pod: &Value| revision(pod) != update && !is_ready(pod);
        self.pods.iter().filter(|(_, pod)| stranded(pod)).map(|(name, _)| *name).collect()
    }

    /// Everything that is not as it has to be.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.counters();
        wrong.extend(self.conditions());
        wrong.extend(self.templates());
        wrong
    }

    fn number(&self, pointer: &str, absent: i64) -> i64 {
        self.set.pointer(pointer).and_then(Value::as_i64).unwrap_or(absent)
    }

    fn counters(&self) -> Vec<String> {
        let status = &self.set["status"];
        let count = |is: &dyn Fn(&Value) -> bool| self.pods.values().filter(|pod| is(pod)).count() as i64;
        let at = |pod: &Value, field: &str| {
            !is_terminating(pod) && status[field].as_str().is_some_and(|name| revision(pod) == name)
        };
        let running = |pod: &Value| pod["status"]["phase"] == "Running" && is_ready(pod);
        let expected = [
            ("replicas", count(&|_| true)),
            ("readyReplicas", count(&running)),
            ("availableReplicas", count(&|pod| running(pod) && self.is_available(pod))),
            ("updatedReplicas", count(&|pod| at(pod, "updateRevision"))),
            ("currentReplicas", count(&|pod| at(pod, "currentRevision"))),
            ("observedGeneration", self.number("/metadata/generation", 0)),
        ];
        let wrong = expected.into_iter().filter(|(field, expected)| status[*field] != *expected);
        wrong
            .map(|(field, expected)| format!("status.{field} is {}, and is {expected} in truth", status[field]))
            .collect()
    }

    fn conditions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let generation = self.number("/metadata/generation", 0);
        for type_ in ["Available", "Progressing", "Stalled", "Reconciling"] {
            match self.condition(type_) {
                None => wrong.push(format!("there is no condition {type_}")),
                Some(c) if c["observedGeneration"] != generation => {
                    wrong.push(format!("condition {type_} is of old: {c}"))
                }
                Some(_) => {}
            }
        }
        let is = |type_: &str| self.condition(type_).is_some_and(|c| c["status"] == "True");
        let reason = self.condition("Progressing").map(|c| c["reason"].to_string()).unwrap_or_default();
        match (self.says_complete(), self.incomplete()) {
            (true, Some(why)) => wrong.push(format!("the set calls itself complete, but {why}")),
            (false, None) => wrong.push(format!("the set is complete, and calls itself {reason}")),
            _ => {}
        }
        if is("Progressing") && (self.says_complete() || is("Stalled")) {
            wrong.push(format!("Progressing is True with reason {reason} and Stalled {}", is("Stalled")));
        }
        if is("Stalled") && self.says_complete() {
            wrong.push("a complete set is Stalled".to_owned());
        }
        wrong
    }

    /// Why the set is not what its spec says.
    fn incomplete(&self) -> Option<String> {
        let (start, replicas) = (self.number("/spec/ordinals/start", 0), self.number("/spec/replicas", 1));
        if self.pods.len() as i64 != replicas {
            return Some(format!("it has {} pods, not {replicas}", self.pods.len()));
        }
        let strategy = &self.set["spec"]["updateStrategy"];
        let partition = match strategy["type"].as_str() {
            Some("OnDelete") => i64::MAX,
            _ => strategy["rollingUpdate"]["partition"].as_i64().unwrap_or(0),
        };
        let update = self.set["status"]["updateRevision"].as_str().unwrap_or_default();
        (start..start + replicas).find_map(|ordinal| {
            let name = format!("{NAME}-{ordinal}");
            match self.pods.get(name.as_str()) {
                None => Some(format!("there is no {name}")),
                Some(pod) if is_terminating(pod) => Some(format!("{name} is being deleted")),
                Some(pod) if !self.is_available(pod) => Some(format!("{name} is not available")),
                Some(pod) if revision(pod) != update && ordinal - start >= partition => {
                    Some(format!("{name} is outdated"))
                }
                Some(pod) => self.without_claim(pod).map(|claim| format!("{name} has no claim {claim}")),
            }
        })
    }

    /// A claim that a pod names and that is not there.
    fn without_claim(&self, pod: &Value) -> Option<String> {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        let mut names = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
        names.find(|name| self.room.get(Watched::Claim, name).is_none()).map(str::to_owned)
    }

    fn is_available(&self, pod: &Value) -> bool {
        let after = self.number("/spec/minReadySeconds", 0);
        let Some(ready) = ready(pod).filter(|c| c["status"] == "True") else { return false };
        let since = ready["lastTransitionTime"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        after == 0 || since.is_some_and(|at| Timestamp::now().duration_since(at) >= SignedDuration::from_secs(after))
    }

    /// What the template declares is in the pods that were made from it.
    fn templates(&self) -> Vec<String> {
        let template = &self.set["spec"]["template"];
        let update = self.set["status"]["updateRevision"].as_str().unwrap_or_default();
        let claims: BTreeSet<&str> = self.set["spec"]["volumeClaimTemplates"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|claim| claim["metadata"]["name"].as_str())
            .collect();
        let mut wrong = Vec::new();
        for (name, pod) in self.pods.iter().filter(|(_, pod)| revision(pod) == update) {
            let missing = declared::missing(template, pod, &claims);
            wrong.extend(
                missing.into_iter().map(|path| format!("{name} does not have what the template says at {path}")),
            );
        }
        wrong
    }
}

fn revision(pod: &Value) -> &str {
    pod["metadata"]["labels"][LABEL_REVISION].as_str().unwrap_or_default()
}

fn is_terminating(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

fn ready(pod: &Value) -> Option<&Value> {
    pod["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == "Ready")
}

fn is_ready(pod: &Value) -> bool {
    ready(pod).is_some_and(|c| c["status"] == "True")
}

#[cfg(test)]
mod tests {
    use ordinal_tests::record::Room;
    use serde_json::json;

    use super::*;

    /// Two pods of one revision, one claim, all well.
    fn room() -> Room {
        let mut room = Room::default();
        let conditions = [
            ("Available", "True", "EnoughReplicas"),
            ("Progressing", "False", "Complete"),
            ("Stalled", "False", "NotStalled"),
            ("Reconciling", "False", "Complete"),
        ];
        let conditions: Vec<_> = conditions
            .map(|(type_, status, reason)| {
                json!({"type": type_, "status": status, "reason": reason, "observedGeneration": 1})
            })
            .into();
        let containers = json!([{"name": "main", "image": "nginx:1"}]);
        let set = json!({
            "metadata": {"name": NAME, "uid": "set", "generation": 1},
            "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
            "status": {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "currentReplicas": 2,
                "updatedReplicas": 2, "currentRevision": "a", "updateRevision": "a", "observedGeneration": 1,
                "conditions": conditions},
        });
        room.objects.insert((Watched::Set, NAME.to_owned()), set);
        for name in ["web-0", "web-1"] {
            let pod = json!({
                "metadata": {"name": name, "uid": name, "labels": {LABEL_REVISION: "a"},
                    "ownerReferences": [{"controller": true, "uid": "set"}]},
                "spec": {"containers": containers,
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            });
            room.objects.insert((Watched::Pod, name.to_owned()), pod);
        }
        room.objects.insert((Watched::Claim, "data".to_owned()), json!({}));
        room
    }

    fn wrong(change: impl Fn(&mut Room)) -> Vec<String> {
        let mut room = room();
        change(&mut room);
        Sight::of(&room).expect("there is a set").wrong()
    }

    #[test]
    fn whatever_is_not_as_declared_or_not_as_told_is_found() {
        assert_eq!(wrong(|_| {}), Vec::<String>::new());
        let tampered = [
            (Watched::Set, NAME, "/status/replicas", json!(3)),
            (Watched::Set, NAME, "/status/readyReplicas", json!(1)),
            (Watched::Set, NAME, "/status/currentReplicas", json!(0)),
            (Watched::Set, NAME, "/status/observedGeneration", json!(0)),
            (Watched::Set, NAME, "/status/conditions/0/observedGeneration", json!(0)),
            (Watched::Set, NAME, "/status/conditions/1/reason", json!("RollingOut")),
            (Watched::Set, NAME, "/status/conditions/2/status", json!("True")),
            (Watched::Set, NAME, "/status/conditions/3/type", json!("Other")),
            (Watched::Set, NAME, "/spec/replicas", json!(1)),
            (Watched::Set, NAME, "/spec/template/spec/containers/0/image", json!("nginx:2")),
            (Watched::Pod, "web-0", "/status/conditions/0/status", json!("False")),
            (Watched::Pod, "web-0", "/status/phase", json!("Failed")),
            (Watched::Pod, "web-0", "/metadata/labels/controller-revision-hash", json!("b")),
            (Watched::Pod, "web-1", "/metadata/ownerReferences/0/uid", json!("other")),
            (Watched::Pod, "web-1", "/spec/volumes/0/persistentVolumeClaim/claimName", json!("gone")),
        ];
        for (kind, name, place, value) in tampered {
            let found = wrong(|room| {
                let object = room.objects.get_mut(&(kind, name.to_owned())).expect(name);
                *object.pointer_mut(place).expect(place) = value.clone();
            });
            assert!(!found.is_empty(), "{name}{place}: {value} is not found");
        }
    }
}
