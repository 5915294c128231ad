//! Which successes are told one by one, and which together: a person reads one event per pod where pods come and go one
//! at a time, and one event per burst where they come by the hundred (S-7.2, S-7.6).

use crate::events::Subject;
use ordinal_plan::name;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::Instant;

/// So many in a row are told one by one.
const ALONE: u32 = 3;
/// After these, all that is done within this is told together.
const TOGETHER: Duration = Duration::from_secs(5);

/// What was done, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deed {
    /// The set that it was done for.
    pub set: Subject,
    /// `Create`, `Update` or `Delete`
    pub verb: &'static str,
    /// To what.
    pub thing: Thing,
}

/// What deeds are done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    /// `Pod`
    Pod,
    /// `PersistentVolumeClaim`
    Claim,
}

/// Deeds of late.
#[derive(Default)]
pub struct Gather(HashMap<Deed, Heap>);

struct Heap {
    /// Told one by one since it was quiet.
    alone: u32,
    /// Not told yet.
    names: BTreeSet<String>,
    /// When the rest is told, and it counts as quiet if there is none.
    due: Instant,
}

impl Gather {
    /// A deed was done to the object of this name, `amid` many of its kind or not; true when it is to be told now.
    pub fn add(&mut self, deed: &Deed, name: &str, amid: bool, now: Instant) -> bool {
        let heap = self.0.entry(deed.clone()).or_insert_with(|| Heap {
            alone: 0,
            names: BTreeSet::new(),
            due: now + TOGETHER,
        });
        if !amid && heap.names.is_empty() && heap.alone < ALONE {
            heap.alone += 1;
            heap.due = now + TOGETHER;
            return true;
        }
        heap.names.insert(name.to_owned());
        false
    }

    /// What is to be told now: all of it when it is the `last` chance.
    pub fn due(&mut self, now: Instant, last: bool) -> Vec<(Deed, BTreeSet<String>)> {
        let mut told = Vec::new();
        self.0.retain(|deed, heap| {
            if !last && heap.due > now {
                return true;
            }
            if heap.names.is_empty() {
                return false;
            }
            told.push((deed.clone(), std::mem::take(&mut heap.names)));
            heap.due = now + TOGETHER;
            true
        });
        told
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Instant> {
        self.0.values().map(|heap| heap.due).min()
    }

    /// Whether all was told.
    pub fn is_told(&self) -> bool {
        self.0.values().all(|heap| heap.names.is_empty())
    }
}

/// Names with neighbouring ordinals as ranges: `web-1 to web-9, web-12`.
pub fn ranges(names: &BTreeSet<String>) -> String {
    let mut families: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for name in names {
        let parsed = name::parse(name);
        if let Some(ordinal) = parsed.ordinal {
            families.entry(parsed.parent(name)).or_default().insert(ordinal);
        }
    }
    let mut told = Vec::new();
    for (family, ordinals) in families {
        let mut runs: Vec<(i32, i32)> = Vec::new();
        for ordinal in ordinals {
            match runs.last_mut() {
                Some((_, end)) if i64::from(*end) + 1 == i64::from(ordinal) => *end = ordinal,
                _ => runs.push((ordinal, ordinal)),
            }
        }
        told.extend(runs.into_iter().map(|(first, last)| match first == last {
            true => name::pod(family, first),
            false => format!("{} to {}", name::pod(family, first), name::pod(family, last)),
        }));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(verb: &'static str) -> Deed {
        let set = Subject { namespace: "ns".into(), name: "web".into(), uid: "u".into() };
        Deed { set, verb, thing: Thing::Pod }
    }

    fn told(gather: &mut Gather, now: Instant) -> Vec<String> {
        gather.due(now, false).iter().map(|(deed, names)| format!("{} {}", deed.verb, ranges(names))).collect()
    }

    // also: S-7.6
    #[test]
    fn s_7_2_three_in_a_row_are_told_one_by_one_and_the_rest_together() {
        let (mut gather, now) = (Gather::default(), Instant::now());
        let alone = (0..10).filter(|n| gather.add(&deed("Create"), &format!("web-{n}"), false, now)).count();
        assert_eq!(alone, 3);
        assert!(gather.add(&deed("Delete"), "web-9", false, now), "another verb is another matter");
        assert_eq!(told(&mut gather, now), Vec::<String>::new(), "not yet");
        let due = gather.next_due().expect("something is kept back");
        assert_eq!(told(&mut gather, due), ["Create web-3 to web-9"]);
        assert!(gather.is_told());
    }

    #[test]
    fn s_7_6_many_at_once_are_told_together_from_the_first_on() {
        let (mut gather, now) = (Gather::default(), Instant::now());
        let alone = (0..100).filter(|n| gather.add(&deed("Create"), &format!("web-{n}"), true, now)).count();
        assert_eq!(alone, 0);
        let told: Vec<_> = gather.due(now, true).iter().map(|(_, names)| ranges(names)).collect();
        assert_eq!(told, ["web-0 to web-99"], "at the end nothing is kept back");
    }

    #[test]
    fn s_7_2_after_a_quiet_while_they_are_told_one_by_one_again() {
        let (mut gather, mut now) = (Gather::default(), Instant::now());
        for n in 0..20 {
            assert!(gather.add(&deed("Create"), &format!("web-{n}"), false, now), "{n}");
            now += TOGETHER;
            assert!(told(&mut gather, now).is_empty());
        }
        assert_eq!(gather.next_due(), None, "and nothing is remembered");
    }

    #[test]
    fn s_7_2_neighbours_are_told_as_ranges() {
        let names = ["web-0", "web-2", "web-3", "web-10", "web-9", "data-web-1"].map(str::to_owned);
        assert_eq!(ranges(&names.into()), "data-web-1, web-0, web-2 to web-3, web-9 to web-10");
    }
}
