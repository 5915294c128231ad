//! Whether a plan is what it must be.

use crate::{
    outcome::Outcome,
    planned,
    rules::{BY_MEANING, RULES},
    situation::Situation,
    vector::Vector,
};
use anyhow::Result;
use ordinal_plan::{
    action::Action,
    check,
    meaning::Meaning,
    revision::{data, encode},
    snapshot::Revision,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a comparison came to.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// The very same.
    Agrees,
    /// What these rules say.
    Explained(Vec<&'static str>),
    /// Lines for a person.
    Unexplained(Vec<String>),
}

/// Plans and compares.
///
/// # Errors
/// When the vector cannot be read as a situation.
pub fn judge(vector: &Vector) -> Result<Verdict> {
    let s = Situation::of(vector)?;
    let plan = ordinal_plan::plan(&s.snapshot);
    let broken: Vec<String> = check::check(&s.snapshot, &plan).iter().map(ToString::to_string).collect();
    let (rules, mut differences) = compare(&s, vector, planned::outcome(&s, &plan));
    if differences.is_empty() && broken.is_empty() {
        return Ok(if rules.is_empty() { Verdict::Agrees } else { Verdict::Explained(rules) });
    }
    if broken.is_empty()
        && let Some(mut rules) = by_meaning(vector)?
    {
        rules.push(BY_MEANING);
        return Ok(Verdict::Explained(rules));
    }
    differences.extend(broken);
    differences.extend(rules.iter().map(|rule| format!("expected after {rule}")));
    differences.extend(s.to_string().lines().map(|line| format!("  {line}")));
    Ok(Verdict::Unexplained(differences))
}

/// The rules that change what is expected, and what differs when they have.
fn compare(s: &Situation, vector: &Vector, mut planned: Outcome) -> (Vec<&'static str>, Vec<String>) {
    let mut expected = vector.expected.clone();
    let mut rules = Vec::new();
    for rule in RULES {
        let before = expected.clone();
        (rule.apply)(s, &mut expected);
        if expected != before {
            rules.push(rule.name);
        }
    }
    // What the vector does not tell is not compared.
    if expected.full.is_none() {
        planned.full = None;
    }
    if expected.status.collision_count.is_none() {
        planned.status.collision_count = None;
    }
    (rules, expected.differences(&planned))
}

/// O-13: whether the difference is that a revision which the built-in takes for another one means the same. It is, if
/// ours takes the newest revision of that meaning, and with revisions compared by their bytes does all that is expected.
fn by_meaning(vector: &Vector) -> Result<Option<Vec<&'static str>>> {
    let mut s = Situation::of(vector)?;
    let equal = |r: &&Arc<Revision>| r.meaning.as_ref() == Some(&s.set().meaning);
    let newest = s.listed().filter(equal).max_by_key(|r| (r.number, r.created, r.name.clone()));
    let Some(newest) = newest.map(|r| r.name.clone()) else { return Ok(None) };
    let plan = ordinal_plan::plan(&s.snapshot);
    let taken = plan.templates.update.revision == newest
        && !plan.actions().any(|action| matches!(action, Action::CreateRevision { .. }));
    if !taken {
        return Ok(None);
    }
    let bytes = |template: &Value| Meaning::of(&json!({"bytes": encode(&data(template))}));
    let mut set = (*s.snapshot.set).clone();
    set.meaning = bytes(&set.template);
    s.snapshot.set = Arc::new(set);
    for revision in &mut s.snapshot.revisions {
        let mut by_bytes = (**revision).clone();
        by_bytes.meaning = by_bytes.template.as_deref().map(bytes);
        *revision = Arc::new(by_bytes);
    }
    let plan = ordinal_plan::plan(&s.snapshot);
    let (rules, differences) = compare(&s, vector, planned::outcome(&s, &plan));
    Ok(differences.is_empty().then_some(rules))
}
