//! The manifests: read from the data files beside this one.

use anyhow::{Context, Result};
use ordinal_tests::edit::{ABSENT, put, put_all};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One manifest for both kinds, and what it was before if it is an update.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about it.
    pub title: String,
    /// The set that it replaces.
    pub before: Option<Value>,
    /// What is sent.
    pub manifest: Value,
}

/// One entry of a data file: the keys are explained at its head.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    title: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    put: Map<String, Value>,
    repeat: Option<Repeat>,
    from: Option<Value>,
    #[serde(default)]
    to: Vec<Value>,
    #[serde(default)]
    back: bool,
    #[serde(default)]
    first: Map<String, Value>,
    #[serde(default)]
    then: Map<String, Value>,
    #[serde(default)]
    also: Map<String, Value>,
}

/// A list of many items; `#` in a string of the item is its number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    at: String,
    times: usize,
    item: Value,
}

/// All of them.
pub fn all() -> Result<Vec<Case>> {
    let base: Value = serde_saphyr::from_str(include_str!("base.yaml")).context("base.yaml")?;
    let creations: Vec<Entry> = serde_saphyr::from_str(include_str!("creations.yaml")).context("creations.yaml")?;
    let updates: Vec<Entry> = serde_saphyr::from_str(include_str!("updates.yaml")).context("updates.yaml")?;
    let mut cases = vec![Case { title: "the base".to_owned(), before: None, manifest: base.clone() }];
    for entry in creations {
        cases.extend(
            creations_of(&base, &entry).with_context(|| format!("creations.yaml, {}{}", entry.title, entry.at))?,
        );
    }
    for entry in updates {
        cases.extend(updates_of(&base, &entry).with_context(|| format!("updates.yaml, {}{}", entry.title, entry.at))?);
    }
    for (number, case) in cases.iter_mut().enumerate() {
        if case.before.is_some() {
            // Each has a set of its own, so that they can be tried side by side.
            let name = json!(format!("web-{number}"));
            case.manifest["metadata"]["name"] = name.clone();
            case.before.iter_mut().for_each(|before| before["metadata"]["name"] = name.clone());
        }
    }
    Ok(cases)
}

fn creations_of(base: &Value, entry: &Entry) -> Result<Vec<Case>> {
    let mut base = base.clone();
    put_all(&mut base, &entry.also)?;
    let mut cases = Vec::new();
    for value in &entry.values {
        let mut manifest = base.clone();
        put(&mut manifest, &entry.at, value)?;
        cases.push(Case { title: titled(&entry.at, value), before: None, manifest });
    }
    if entry.values.is_empty() {
        let mut manifest = base;
        put_all(&mut manifest, &entry.put)?;
        if let Some(Repeat { at, times, item }) = &entry.repeat {
            let items = (1..=*times).map(|n| serde_json::from_str(&item.to_string().replace('#', &n.to_string())));
            put(&mut manifest, at, &Value::Array(items.collect::<Result<_, _>>()?))?;
        }
        cases.push(Case { title: entry.title.clone(), before: None, manifest });
    }
    Ok(cases)
}

fn updates_of(base: &Value, entry: &Entry) -> Result<Vec<Case>> {
    let mut first = base.clone();
    put_all(&mut first, &entry.also)?;
    put_all(&mut first, &entry.first)?;
    let Some(from) = &entry.from else {
        let mut then = first.clone();
        put_all(&mut then, &entry.then)?;
        return Ok(vec![Case { title: entry.title.clone(), before: Some(first), manifest: then }]);
    };
    let mut cases = Vec::new();
    for to in &entry.to {
        for (old, new) in [(from, to), (to, from)].into_iter().take(if entry.back { 2 } else { 1 }) {
            let (mut before, mut after) = (first.clone(), first.clone());
            put(&mut before, &entry.at, old)?;
            put(&mut after, &entry.at, new)?;
            let title = format!("{} becomes {}", titled(&entry.at, old), short(new));
            cases.push(Case { title, before: Some(before), manifest: after });
        }
    }
    Ok(cases)
}

fn titled(at: &str, value: &Value) -> String {
    format!("{at}: {}", short(value))
}

fn short(value: &Value) -> String {
    if value == ABSENT {
        return "(absent)".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_enough() {
        let cases = all().expect("the data files are well-formed");
        let manifest = |case: &Case| format!("{:?} {}", case.before, case.manifest);
        let distinct: BTreeSet<String> = cases.iter().map(manifest).collect();
        assert!(distinct.len() >= 250, "{}", distinct.len());
    }
}
