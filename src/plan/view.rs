//! One view per pass (S-4.19): the snapshot, sorted into slots and condemned pods. All phases judge by it.

use crate::{
    name,
    ownership::Claimed,
    snapshot::{Claim, Pod, Set, Snapshot},
};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;

pub(crate) struct View<'a> {
    pub set: &'a Set,
    pub now: Timestamp,
    /// All claimed pods, those without a usable ordinal too.
    pub claimed: Vec<&'a Pod>,
    /// Claimed pods in range, ascending.
    pub slots: Vec<(i32, &'a Pod)>,
    /// Claimed pods out of range, descending.
    pub condemned: Vec<(i32, &'a Pod)>,
    /// Pods of others, by name.
    pub taken: BTreeMap<&'a str, &'a Pod>,
    /// Names of the claim templates.
    pub claim_templates: Vec<&'a str>,
    /// With ordinal and place of the template, in this order.
    claims: Vec<(i32, usize, &'a Claim)>,
}

impl<'a> View<'a> {
    pub fn new(s: &'a Snapshot, claimed: Claimed<'a>) -> Self {
        let set = &*s.set;
        let (mut slots, mut condemned) = (Vec::new(), Vec::new());
        for &pod in &claimed.pods {
            match pod.parsed.ordinal {
                Some(ordinal) if in_range(set, ordinal) => slots.push((ordinal, pod)),
                Some(ordinal) => condemned.push((ordinal, pod)),
                None => {}
            }
        }
        // Of two pods with one ordinal (web-1, web-01) the one seen last has the slot (S-2.1).
        slots.reverse();
        slots.sort_by_key(|(ordinal, _)| *ordinal);
        slots.dedup_by_key(|(ordinal, _)| *ordinal);
        condemned.sort_by_key(|(ordinal, _)| std::cmp::Reverse(*ordinal));
        let claim_templates: Vec<&str> = set.claim_templates().map(|(name, _)| name).collect();
        let place = |claim: &'a Claim| {
            let (template, ordinal) = name::parse_claim(&claim.name, &set.name)?;
            Some((ordinal, claim_templates.iter().position(|t| *t == template)?, claim))
        };
        let mut claims: Vec<_> = s.claims.iter().filter_map(|claim| place(claim)).collect();
        claims.sort_by_key(|(ordinal, template, _)| (*ordinal, *template));
        Self { set, now: s.now, claimed: claimed.pods, slots, condemned, taken: claimed.taken, claim_templates, claims }
    }

    /// Every ordinal that shall have a pod, ascending, with the pod that it has. Lazy: a set may ask for billions.
    pub fn ordinals(&self) -> impl Iterator<Item = (i32, Option<&'a Pod>)> {
        let mut pods = self.slots.iter().copied().peekable();
        range(self.set).map(move |ordinal| (ordinal, pods.next_if(|(o, _)| *o == ordinal).map(|(_, pod)| pod)))
    }

    /// The slots whose names pods of others have. Only pods that exist are looked at, however many slots there are.
    pub fn taken_slots(&self) -> impl Iterator<Item = (i32, &'a Pod)> {
        self.taken.iter().filter_map(|(name, pod)| {
            let ordinal = pod.parsed.ordinal.filter(|o| in_range(self.set, *o))?;
            let free = self.slots.binary_search_by_key(&ordinal, |(o, _)| *o).is_err();
            (free && name::is_pod(name, &self.set.name, ordinal)).then_some((ordinal, *pod))
        })
    }

    /// All pods with a usable ordinal.
    pub fn members(&self) -> impl Iterator<Item = (i32, &'a Pod)> {
        self.slots.iter().chain(&self.condemned).copied()
    }

    pub fn is_available(&self, pod: &Pod) -> bool {
        pod.is_available(self.set.spec.min_ready_seconds, self.now)
    }

    pub fn is_unavailable(&self, pod: &Pod) -> bool {
        pod.is_unavailable(self.set.spec.min_ready_seconds, self.now)
    }

    /// How many slots have no pod, or one that is unavailable.
    pub fn unavailable_slots(&self) -> i32 {
        let available = self.slots.iter().filter(|(_, pod)| !self.is_unavailable(pod)).count();
        self.set.replicas() - i32::try_from(available).unwrap_or(i32::MAX)
    }

    /// The lowest condemned pod that is unavailable. Natively an unavailable slot comes first (S-4.2), but OrderedReady, which
    /// alone asks, does not come to condemned pods while there is one (S-4.4).
    pub fn first_unavailable_condemned(&self) -> Option<i32> {
        self.condemned.iter().rev().find(|(_, pod)| self.is_unavailable(pod)).map(|(ordinal, _)| *ordinal)
    }

    /// The claim of a template and an ordinal, if it exists.
    pub fn claim(&self, template: &str, ordinal: i32) -> Option<&'a Claim> {
        self.claims_from(ordinal).find(|(_, t, _)| self.claim_templates[*t] == template).map(|(_, _, claim)| *claim)
    }

    /// The claims that exist of an ordinal, in the order of the templates.
    pub fn claims_of(&self, ordinal: i32) -> impl Iterator<Item = &'a Claim> {
        self.claims_from(ordinal).map(|(_, _, claim)| *claim)
    }

    fn claims_from(&self, ordinal: i32) -> impl Iterator<Item = &(i32, usize, &'a Claim)> {
        let first = self.claims.partition_point(|(o, _, _)| *o < ordinal);
        self.claims[first..].iter().take_while(move |(o, _, _)| *o == ordinal)
    }
}

/// The ordinals that shall have a pod; those beyond 32 bits cannot (S-1.4).
pub(crate) fn range(set: &Set) -> impl Iterator<Item = i32> + use<> {
    let start = i64::from(set.start());
    (start..start + i64::from(set.replicas())).map_while(|ordinal| i32::try_from(ordinal).ok())
}

pub(crate) fn in_range(set: &Set, ordinal: i32) -> bool {
    let index = i64::from(ordinal) - i64::from(set.start());
    (0..i64::from(set.replicas())).contains(&index)
}
