//! Why a difference between two pictures may be: the rules of ours.md, decided by how things stand.

use ordinal_api::LABEL_REVISION;
use ordinal_tests::picture;
use serde_json::{Value, json};

use super::script::{Change, Step};
use crate::report::Difference;

/// A pod makes itself felt in these.
const COUNTERS: [&str; 5] = ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"];

/// What a step was, and what came of it.
pub struct Situation<'a> {
    /// The manifest as it is by now.
    pub manifest: &'a Value,
    /// What was done.
    pub step: &'a Step,
    /// How often the template was written in another way, and meant the same (O-13).
    pub rewritten: i64,
    /// What came of it natively.
    pub native: &'a Value,
    /// And with us.
    pub ours: &'a Value,
}

/// The differences after a step, each with its rule if one allows it.
pub fn judge(s: &Situation<'_>) -> Vec<Difference> {
    let [mut native, mut ours] = [s.native.clone(), s.ours.clone()];
    if s.order_is_open() {
        sort(&mut native["pod events"]);
        sort(&mut ours["pod events"]);
    }
    let found = picture::differences(&native, &ours);
    let of_pods: Vec<_> = found.keys().filter_map(|place| s.pod_of(place)).collect();
    found
        .iter()
        .map(|(place, (native, ours))| {
            let why = s.why(place, native, ours, &of_pods).map(str::to_owned);
            Difference { what: format!("{place}: {} against {}", short(native), short(ours)), why }
        })
        .collect()
}

impl Situation<'_> {
    fn spec(&self, path: &str) -> &Value {
        self.manifest.pointer(&format!("/spec/{path}")).unwrap_or(&Value::Null)
    }

    /// Parallel starts and stops pods side by side, and so does the garbage collector.
    fn order_is_open(&self) -> bool {
        *self.spec("podManagementPolicy") == "Parallel"
            || self.step.changes.iter().any(|change| matches!(change, Change::DeleteSet(_)))
    }

    fn why(&self, place: &str, native: &Value, ours: &Value, of_pods: &[&str]) -> Option<&'static str> {
        match place.split_once('/').unwrap_or((place, "")) {
            ("pods", _) => self.pod_of(place).and_then(|pod| self.why_pod(pod)),
            ("claims", claim) => self.why_claim(claim, native, ours, of_pods),
            ("pod events", _) => self.why_events(native, ours, of_pods),
            ("status", "observedGeneration") => {
                let later = ours.as_i64().zip(native.as_i64()).map(|(ours, native)| ours - native);
                (self.rewritten > 0 && later == Some(self.rewritten)).then_some(
                    "O-2: what is stored is what was written, so writing out a default is a change of the set",
                )
            }
            ("status", field) => self.why_status(field, of_pods),
            _ => None,
        }
    }

    /// The pod that a place is about.
    fn pod_of<'p>(&self, place: &'p str) -> Option<&'p str> {
        place.strip_prefix("pods/")?.split('/').next()
    }

    /// Of another revision, or not there at all.
    fn why_pod(&self, pod: &str) -> Option<&'static str> {
        let [native, ours] = [self.native, self.ours].map(|picture| &picture["pods"][pod]);
        let revision = |pod: &Value| pod["labels"][LABEL_REVISION].clone();
        let status = |field: &str| self.native["status"][field].clone();
        let no_block = *self.spec("updateStrategy") == json!({"type": "RollingUpdate"});
        if no_block
            && revision(native) == status("currentRevision")
            && revision(ours) == status("updateRevision")
            && !revision(ours).is_null()
            && revision(ours) != revision(native)
        {
            return Some("O-12: without a rollingUpdate block a pod is made again at the update revision");
        }
        let claims = self.spec("volumeClaimTemplates").as_array().map_or(&[][..], Vec::as_slice);
        let collected = |claim: &Value| {
            let name = format!("{}-{pod}", claim["metadata"]["name"].as_str().unwrap_or_default());
            self.ours["claims"][name]["lives"].as_i64() > Some(1)
        };
        let when_scaled = self.spec("persistentVolumeClaimRetentionPolicy/whenScaled");
        if native.is_null() && *when_scaled == "Delete" && claims.iter().any(collected) {
            return Some(CLAIMS_WATCHED);
        }
        None
    }

    /// A claim of ours that has gone and come again, for a pod that is there, or that waits for this natively.
    fn why_claim(&self, claim: &str, native: &Value, ours: &Value, of_pods: &[&str]) -> Option<&'static str> {
        let again = native.is_null() && ours["lives"].as_i64() > Some(1);
        let of = |pod: &str| claim.ends_with(&format!("-{pod}"));
        let missing = of_pods.iter().any(|pod| of(pod) && self.why_pod(pod) == Some(CLAIMS_WATCHED));
        let pods = self.native["pods"].as_object().into_iter().flatten();
        let pending = pods.into_iter().any(|(pod, picture)| of(pod) && picture["phase"] == "Pending");
        (again && (missing || pending)).then_some(CLAIMS_WATCHED)
    }

    fn why_events(&self, native: &Value, ours: &Value, of_pods: &[&str]) -> Option<&'static str> {
        let max = self.spec("updateStrategy/rollingUpdate/maxUnavailable");
        if !max.is_null() && *max != 1 && sorted(native) == sorted(ours) {
            return Some("O-5: a pod whose deletion was not seen yet is not taken for one that stays");
        }
        // Events of pods that differ for a reason may differ for that one.
        let (pod, why) = of_pods.iter().find_map(|pod| Some((pod, self.why_pod(pod)?)))?;
        let others = |events: &Value| {
            let events = events.as_array().into_iter().flatten().filter_map(Value::as_str);
            events.filter(|event| !event.contains(&format!(" {pod}@"))).map(str::to_owned).collect::<Vec<_>>()
        };
        (others(native) == others(ours)).then_some(why)
    }

    fn why_status(&self, field: &str, of_pods: &[&str]) -> Option<&'static str> {
        let status = |field: &str| &self.native["status"][field];
        if field.starts_with("current")
            && status("readyReplicas") == self.spec("replicas")
            && status("availableReplicas") != status("readyReplicas")
        {
            return Some("O-11: a roll-out is complete when its pods are available");
        }
        // Each counts the pods that it has; that they have not the same has its own reason.
        let why = of_pods.iter().find_map(|pod| self.why_pod(pod))?;
        (COUNTERS.contains(&field) && counts(self.native) && counts(self.ours)).then_some(why)
    }
}

const CLAIMS_WATCHED: &str = "O-6: a claim that goes wakes its set";

/// Whether the counters are those of the pods in the picture. Availability is left to readiness: who asks has waited.
fn counts(picture: &Value) -> bool {
    let status = &picture["status"];
    let pods: Vec<&Value> = picture["pods"].as_object().into_iter().flatten().map(|(_, pod)| pod).collect();
    let count = |is: &dyn Fn(&Value) -> bool| json!(pods.iter().filter(|pod| is(pod)).count());
    let ready = count(&|pod| pod["phase"] == "Running" && pod["ready"] == "True");
    let at = |revision: &str| {
        count(&|pod| pod["being deleted"] == false && pod["labels"][LABEL_REVISION] == status[revision])
    };
    status["replicas"] == count(&|_| true)
        && status["readyReplicas"] == ready
        && status["availableReplicas"] == ready
        && status["currentReplicas"] == at("currentRevision")
        && status["updatedReplicas"] == at("updateRevision")
}

fn sort(list: &mut Value) {
    if let Some(items) = list.as_array_mut() {
        items.sort_by_key(Value::to_string);
    }
}

fn sorted(list: &Value) -> Value {
    let mut list = list.clone();
    sort(&mut list);
    list
}

fn short(value: &Value) -> String {
    if value.is_null() {
        return "(none)".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(revision: &str) -> Value {
        let labels = json!({LABEL_REVISION: revision});
        json!({"labels": labels, "phase": "Running", "ready": "True", "being deleted": false, "spec": {"image": revision}})
    }

    /// Two pods in the middle of a roll-out from A to B.
    fn picture() -> Value {
        json!({
            "pods": {"web-0": pod("A"), "web-1": pod("B")},
            "claims": {"data-web-0": {"phase": "Bound", "lives": 1}},
            "revisions": {"A": {"number": 1}, "B": {"number": 2}},
            "pod events": ["delete web-1@A", "create web-1@B"],
            "status": {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "currentReplicas": 1,
                "updatedReplicas": 1, "currentRevision": "A", "updateRevision": "B", "observedGeneration": 2},
        })
    }

    /// The rules (`None`: none) by which an ours that was tampered with differs.
    fn rules(spec: Value, native: &Value, tamper: impl Fn(&mut Value)) -> Vec<Option<String>> {
        let mut ours = picture();
        tamper(&mut ours);
        let (manifest, step) = (json!({"spec": spec}), Step { step: String::new(), changes: vec![] });
        let found = judge(&Situation { manifest: &manifest, step: &step, rewritten: 0, native, ours: &ours });
        let rule = |d: Difference| d.why.map(|why| why.split(':').next().unwrap_or_default().to_owned());
        let mut rules: Vec<_> = found.into_iter().map(rule).collect();
        rules.dedup();
        rules
    }

    #[test]
    fn what_is_tampered_with_is_found_and_not_explained() {
        let spec = json!({"replicas": 2});
        assert_eq!(rules(spec.clone(), &picture(), |_| {}), []);
        for place in [
            "/pods/web-0/spec/image",
            "/pods/web-0/labels/controller-revision-hash",
            "/pods/web-1/ready",
            "/pods/web-1",
            "/claims/data-web-0/phase",
            "/claims/data-web-0/lives",
            "/revisions/B/number",
            "/pod events/0",
            "/status/currentReplicas",
            "/status/currentRevision",
            "/status/observedGeneration",
        ] {
            let tampered = |ours: &mut Value| *ours.pointer_mut(place).expect(place) = json!("tampered");
            assert_eq!(rules(spec.clone(), &picture(), tampered), [None], "{place}");
        }
    }

    #[test]
    fn order_counts_unless_it_is_open() {
        let turned = |ours: &mut Value| ours["pod events"].as_array_mut().expect("a list").reverse();
        assert_eq!(rules(json!({}), &picture(), turned), [None]);
        assert_eq!(rules(json!({"podManagementPolicy": "Parallel"}), &picture(), turned), []);
        let several = json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}});
        assert_eq!(rules(several, &picture(), turned), [Some("O-5".to_owned())]);
    }

    #[test]
    fn o_12_explains_a_pod_of_the_update_revision_and_its_counters() {
        let updated = |ours: &mut Value| {
            ours["pods"]["web-0"] = pod("B");
            ours["status"]["currentReplicas"] = json!(0);
            ours["status"]["updatedReplicas"] = json!(2);
        };
        let bare = json!({"updateStrategy": {"type": "RollingUpdate"}});
        assert_eq!(rules(bare.clone(), &picture(), updated), [Some("O-12".to_owned())]);
        assert_eq!(rules(json!({}), &picture(), updated), [None]);
        let miscounted = |ours: &mut Value| {
            updated(ours);
            ours["status"]["updatedReplicas"] = json!(1);
        };
        assert!(rules(bare, &picture(), miscounted).contains(&None), "the counters must be those of the pods");
    }

    #[test]
    fn o_6_explains_a_pod_that_waits_for_ever_natively() {
        let mut native = picture();
        native["pods"].as_object_mut().expect("pods").remove("web-0");
        native["claims"] = json!({});
        native["status"]["replicas"] = json!(1);
        native["status"]["readyReplicas"] = json!(1);
        native["status"]["availableReplicas"] = json!(1);
        native["status"]["currentReplicas"] = json!(0);
        let again = |ours: &mut Value| ours["claims"]["data-web-0"]["lives"] = json!(2);
        let spec = |policy: &str| {
            json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": policy},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}]})
        };
        assert_eq!(rules(spec("Delete"), &native, again), [Some("O-6".to_owned())]);
        assert_eq!(rules(spec("Retain"), &native, again), [None]);
        assert!(rules(spec("Delete"), &native, |_| {}).contains(&None), "its claim has not gone");
    }

    #[test]
    fn o_11_explains_completion_and_nothing_else() {
        let mut native = picture();
        native["status"]["availableReplicas"] = json!(0);
        let tampered = |field: &'static str| {
            move |ours: &mut Value| {
                ours["status"]["availableReplicas"] = json!(0);
                ours["status"][field] = json!("C");
            }
        };
        let spec = json!({"replicas": 2});
        assert_eq!(rules(spec.clone(), &native, tampered("currentRevision")), [Some("O-11".to_owned())]);
        assert_eq!(rules(spec.clone(), &native, tampered("updateRevision")), [None]);
        assert_eq!(rules(spec, &picture(), |o| o["status"]["currentRevision"] = json!("C")), [None]);
    }
}
