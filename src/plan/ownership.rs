//! Which pods are the set's: keep, adopt, release (S-2.5). After this, owner UID and parsed ordinal decide; labels
//! decide nothing more (N-4).

use crate::{
    action::Action,
    labels::Labels,
    snapshot::{Pod, Set, Snapshot},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::{collections::BTreeMap, sync::Arc};

/// The pods of a snapshot, sorted by whose they are.
pub(crate) struct Claimed<'a> {
    /// The set's own, those about to be adopted included.
    pub pods: Vec<&'a Pod>,
    /// Adoptions and releases.
    pub actions: Vec<Action>,
    /// Pods of others, by name.
    pub taken: BTreeMap<&'a str, &'a Pod>,
}

pub(crate) fn claim(s: &Snapshot) -> Claimed<'_> {
    let mut claimed = Claimed { pods: Vec::new(), actions: Vec::new(), taken: BTreeMap::new() };
    let named = |pod: &Pod| (pod.name.clone(), pod.uid.clone());
    let mut judge = Judge { set: &s.set, owner: None, labels: None };
    for pod in &s.pods {
        match judge.of(pod) {
            Verdict::Keep => claimed.pods.push(pod),
            Verdict::Adopt => {
                let (name, uid) = named(pod);
                claimed.actions.push(Action::AdoptPod { name, uid });
                claimed.pods.push(pod);
            }
            Verdict::Release => {
                let (name, uid) = named(pod);
                claimed.actions.push(Action::ReleasePod { name, uid });
                claimed.taken.insert(&pod.name, pod);
            }
            Verdict::Ignore => {
                claimed.taken.insert(&pod.name, pod);
            }
        }
    }
    claimed
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Keep,
    Adopt,
    Release,
    Ignore,
}

/// Pods of a set share their owner and most labels: what was found out about those of one holds for the next.
struct Judge<'a> {
    set: &'a Set,
    /// The owner looked at last, and whether it is the set.
    owner: Option<(&'a Arc<OwnerReference>, bool)>,
    /// The labels looked at last, and whether the selector matches them.
    labels: Option<(&'a Labels, bool)>,
}

impl<'a> Judge<'a> {
    fn of(&mut self, pod: &'a Pod) -> Verdict {
        let set = self.set;
        match &pod.controller {
            Some(owner) if !self.is_the_set(owner) => Verdict::Ignore,
            Some(_) if self.matches(pod) => Verdict::Keep,
            Some(_) if set.deleting => Verdict::Ignore,
            Some(_) => Verdict::Release,
            None if set.deleting || pod.is_terminating() || !self.matches(pod) => Verdict::Ignore,
            None => Verdict::Adopt,
        }
    }

    fn is_the_set(&mut self, owner: &'a Arc<OwnerReference>) -> bool {
        match self.owner {
            Some((last, verdict)) if Arc::ptr_eq(last, owner) => verdict,
            _ => self.owner.insert((owner, owner.uid == self.set.uid)).1,
        }
    }

    fn matches(&mut self, pod: &'a Pod) -> bool {
        pod.parsed.parent(&pod.name) == self.set.name && self.selects(pod)
    }

    fn selects(&mut self, pod: &'a Pod) -> bool {
        match self.labels {
            Some((last, verdict)) if last.are_shared(&pod.labels) && !self.set.selects_by_name() => verdict,
            _ => self.labels.insert((&pod.labels, self.set.selects(pod))).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordinal_api::{LABEL_POD_INDEX, lite};
    use serde_json::json;

    fn pod(name: &str, app: &str, owner: &str) -> Pod {
        let index = name.rsplit('-').next();
        let owner = json!({"apiVersion": "x", "kind": "OrdinalSet", "name": "web", "uid": owner, "controller": true});
        let labels = json!({"app": app, LABEL_POD_INDEX: index});
        let object = json!({"metadata": {"name": name, "labels": labels, "ownerReferences": [owner]}});
        serde_json::from_value::<lite::Pod>(object).expect("a pod").into()
    }

    /// What becomes of them, by a set of UID `a` with this selector, if they share all that they can share.
    fn verdicts(selector: serde_json::Value, mut pods: Vec<Pod>) -> Vec<Verdict> {
        let object = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": "web", "uid": "a"},
            "spec": {"selector": {"matchLabels": selector}, "template": {}},
        });
        let set = Set::read(object).expect("a set");
        let before = pods.clone();
        pods.iter_mut().for_each(|pod| before.iter().for_each(|other| pod.share(other)));
        let mut judge = Judge { set: &set, owner: None, labels: None };
        pods.iter().map(|pod| judge.of(pod)).collect()
    }

    #[test]
    fn s_2_5_what_is_found_out_about_labels_holds_for_those_alone() {
        let pods = [("web-0", "web"), ("web-1", "web"), ("web-2", "db"), ("web-3", "web"), ("web-4", "db")];
        let pods = pods.map(|(name, app)| pod(name, app, "a")).to_vec();
        let want = [Verdict::Keep, Verdict::Keep, Verdict::Release, Verdict::Keep, Verdict::Release];
        assert_eq!(verdicts(json!({"app": "web"}), pods), want);
    }

    #[test]
    fn s_2_5_a_selector_by_ordinal_tells_pods_with_shared_labels_apart() {
        let pods = ["web-0", "web-1"].map(|name| pod(name, "web", "a")).to_vec();
        let want = [Verdict::Keep, Verdict::Release];
        assert_eq!(verdicts(json!({"app": "web", LABEL_POD_INDEX: "0"}), pods), want);
    }

    #[test]
    fn n_4_what_is_found_out_about_an_owner_holds_for_it_alone() {
        let pods = [("web-0", "a"), ("web-1", "b"), ("web-2", "a"), ("web-3", "b")];
        let pods = pods.map(|(name, owner)| pod(name, "web", owner)).to_vec();
        let want = [Verdict::Keep, Verdict::Ignore, Verdict::Keep, Verdict::Ignore];
        assert_eq!(verdicts(json!({"app": "web"}), pods), want);
    }
}
