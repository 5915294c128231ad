//! What a set may be changed to: like a user who knows what he does, who mistypes, or who tries all there is. Every choice
//! comes from the walk's dice and the manifest alone, so a seed replays a walk.

mod fine;
mod invalid;
mod start;
mod stuck;
mod typed;

use fastrand::Rng;
use ordinal_tests::edit::{self, ABSENT, put};
use serde_json::{Value, json};

pub use start::{NAME, start};
pub use stuck::change as stuck;

/// Where a change comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generator {
    /// What anybody does every day.
    Fine,
    /// What no set can get complete with.
    Stuck,
    /// What is wrong in itself.
    Invalid,
    /// Anything that a field's type suggests, or does not.
    Typed,
    /// The last good manifest.
    Back,
}

/// A changed manifest.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where it comes from.
    pub generator: Generator,
    /// What was done.
    pub title: String,
    /// What came of it.
    pub manifest: Value,
    /// The fields of `spec` that were touched, or `metadata`: what a refusal has to name.
    pub touched: Vec<String>,
    /// What it does to the pods, if it is accepted.
    pub effect: Effect,
}

/// What an accepted change does to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They come and go as they must, and are all well in the end.
    Fine,
    /// No pod is restarted.
    NoRestart,
    /// Some pod does not get ready.
    Stuck,
    /// The set does not get complete, and no pod of before is restarted.
    StuckWithoutRestart,
}

impl Effect {
    /// Whether the set cannot get complete.
    pub fn is_stuck(self) -> bool {
        matches!(self, Effect::Stuck | Effect::StuckWithoutRestart)
    }
}

impl Change {
    /// A value at a place; null takes the field away. None when the manifest has no such place.
    fn at(generator: Generator, manifest: &Value, path: &str, value: &Value) -> Option<Self> {
        let steps = edit::steps(path);
        let touched = if steps[0] == "spec" && steps.len() > 1 { &steps[1] } else { &steps[0] };
        Some(Self {
            generator,
            title: format!("{path}: {value}"),
            manifest: with(manifest, &[(path, value.clone())])?,
            touched: vec![touched.clone()],
            effect: Effect::Fine,
        })
    }

    /// Back to a manifest that was good.
    pub fn back_to(good: &Value) -> Self {
        let title = "back to the last good one".to_owned();
        Self { generator: Generator::Back, title, manifest: good.clone(), touched: Vec::new(), effect: Effect::Fine }
    }
}

/// A place, and what is put there; null takes the field away.
type Choice = (&'static str, fn(&mut Rng) -> Value);

/// The next change. Many of them are what anybody does every day, so that the others meet sets in many states.
pub fn next(dice: &mut Rng, manifest: &Value) -> Change {
    loop {
        let change = match dice.u8(..100) {
            0..36 => fine::change(dice, manifest),
            36..46 => stuck::change(dice, manifest),
            46..73 => invalid::change(dice, manifest),
            _ => typed::change(dice, manifest),
        };
        if let Some(change) = change {
            return change;
        }
    }
}

/// The manifest with values at places; null takes a field away. None when it has no such place.
fn with(manifest: &Value, values: &[(&str, Value)]) -> Option<Value> {
    let mut manifest = manifest.clone();
    for (path, value) in values {
        let value = if value.is_null() { &json!(ABSENT) } else { value };
        put(&mut manifest, path, value).ok()?;
    }
    Some(manifest)
}

/// One of several.
fn one<T: Clone>(dice: &mut Rng, of: &[T]) -> T {
    of[dice.usize(..of.len())].clone()
}

/// A list in the manifest, empty where there is none.
fn list(manifest: &Value, path: &str) -> Vec<Value> {
    edit::get(manifest, path).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn claim(name: &str, storage: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}},
    })
}

fn retention(dice: &mut Rng) -> Value {
    let whens = ["Retain", "Delete"];
    json!({"whenDeleted": one(dice, &whens), "whenScaled": one(dice, &whens)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_a_walk() {
        let walk = |seed| {
            let mut dice = Rng::with_seed(seed);
            let mut manifest = start(&mut dice);
            let mut titles = Vec::new();
            for _ in 0..200 {
                let change = next(&mut dice, &manifest);
                titles.push(change.title);
                if change.effect == Effect::Fine {
                    manifest = change.manifest;
                }
            }
            titles
        };
        assert_eq!(walk(7), walk(7));
        assert_ne!(walk(7), walk(8));
    }
}
