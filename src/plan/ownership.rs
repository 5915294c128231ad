//! Which pods are the set's: keep, adopt, release (S-2.5). After this, owner UID and parsed ordinal decide; labels
//! decide nothing more (N-4).

use crate::{
    action::Action,
    snapshot::{Pod, Set, Snapshot},
};
use std::collections::BTreeMap;

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
    for pod in &s.pods {
        match judge(&s.set, pod) {
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

fn judge(set: &Set, pod: &Pod) -> Verdict {
    let matches = || pod.parsed.parent(&pod.name) == set.name && set.selects(pod);
    match &pod.controller {
        Some(owner) if owner.uid != set.uid => Verdict::Ignore,
        Some(_) if matches() => Verdict::Keep,
        Some(_) if set.deleting => Verdict::Ignore,
        Some(_) => Verdict::Release,
        None if set.deleting || pod.is_terminating() || !matches() => Verdict::Ignore,
        None => Verdict::Adopt,
    }
}
