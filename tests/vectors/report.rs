//! The comparison's result as a table.

use crate::{vector::Vector, verdict::Verdict};
use std::{collections::BTreeMap, fmt};

/// Tags by which the generator judges on its own that the product differs. They decide nothing here.
const JUDGED_TAGS: [&str; 3] = ["o-5", "o-11", "o-12"];

/// All that was compared.
#[derive(Default)]
pub struct Report {
    classes: BTreeMap<String, Class>,
    rules: BTreeMap<&'static str, usize>,
    /// Ids or places, with lines for a person.
    unexplained: Vec<(String, Vec<String>)>,
    unreadable: Vec<(String, String)>,
    tags: BTreeMap<&'static str, Tagged>,
}

#[derive(Default)]
struct Class {
    agree: usize,
    explained: usize,
    unexplained: usize,
}

/// How a tag and our own reasoning fit together.
#[derive(Default)]
struct Tagged {
    both: usize,
    tag_only: Vec<String>,
    reason_only: Vec<String>,
}

impl Report {
    pub fn add(&mut self, vector: &Vector, verdict: Verdict) {
        let class = self.classes.entry(vector.class.clone()).or_default();
        let rules = match verdict {
            Verdict::Agrees => {
                class.agree += 1;
                Vec::new()
            }
            Verdict::Explained(rules) => {
                class.explained += 1;
                rules.iter().for_each(|rule| *self.rules.entry(rule).or_default() += 1);
                rules
            }
            Verdict::Unexplained(lines) => {
                class.unexplained += 1;
                self.unexplained.push((vector.id.clone(), lines));
                return;
            }
        };
        for tag in JUDGED_TAGS {
            let tagged = vector.tags.iter().any(|t| t == tag);
            let reasoned = rules.iter().any(|rule| rule.to_lowercase().starts_with(&format!("{tag} ")));
            let entry = self.tags.entry(tag).or_default();
            match (tagged, reasoned) {
                (true, true) => entry.both += 1,
                (true, false) => entry.tag_only.push(vector.id.clone()),
                (false, true) => entry.reason_only.push(vector.id.clone()),
                (false, false) => {}
            }
        }
    }

    pub fn add_unreadable(&mut self, place: String, why: String) {
        self.unreadable.push((place, why));
    }

    pub fn is_good(&self) -> bool {
        self.unexplained.is_empty() && self.unreadable.is_empty() && !self.classes.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, lines) in &self.unexplained {
            writeln!(f, "{id}: - expected, + planned")?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        for (place, why) in &self.unreadable {
            writeln!(f, "{place} cannot be read: {why}")?;
        }
        writeln!(f, "{:<26} {:>6} {:>6} {:>9} {:>11}", "class", "all", "agree", "explained", "unexplained")?;
        let mut row = |name: &str, cells: [usize; 4]| {
            let [all, agree, explained, unexplained] = cells;
            writeln!(f, "{name:<26} {all:>6} {agree:>6} {explained:>9} {unexplained:>11}")
        };
        let mut sum = [0; 4];
        for (name, class) in &self.classes {
            let Class { agree, explained, unexplained } = *class;
            let cells = [agree + explained + unexplained, agree, explained, unexplained];
            sum.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += cell);
            row(name, cells)?;
        }
        row("all", sum)?;
        writeln!(f, "\nexplained by (several may hold of one):")?;
        self.rules.iter().try_for_each(|(rule, count)| writeln!(f, "{count:>6}  {rule}"))?;
        writeln!(f, "\ntags, as a cross-check: tagged and reasoned, tagged only, reasoned only")?;
        for (tag, Tagged { both, tag_only, reason_only }) in &self.tags {
            let some = |ids: &[String]| match ids {
                [] => "0".into(),
                ids => format!("{} ({} …)", ids.len(), ids[..ids.len().min(3)].join(" ")),
            };
            writeln!(f, "  {tag:<5} {both:>6}, {}, {}", some(tag_only), some(reason_only))?;
        }
        writeln!(f, "\n{} unreadable", self.unreadable.len())
    }
}
