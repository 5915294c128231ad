//! What one pass came to, in the canonical form of the vectors' format.

use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// One API write.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    pub op: String,
    /// `A` … `D`, empty for revisions.
    pub phase: String,
    pub name: String,
    /// What else the format tells of such a write.
    pub detail: BTreeMap<&'static str, Value>,
}

impl Act {
    pub fn new(op: &str, phase: &str, name: &str) -> Self {
        Self { op: op.into(), phase: phase.into(), name: name.into(), detail: BTreeMap::new() }
    }

    pub fn with(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.detail.insert(field, value.into());
        self
    }

    pub fn is(&self, op: &str, phase: &str) -> bool {
        self.op == op && self.phase == phase
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:1} {} {}", self.phase, self.op, self.name)?;
        self.detail.iter().try_for_each(|(field, value)| write!(f, " {field}={value}"))
    }
}

/// The fields of a status that both kinds have.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    pub observed_generation: i64,
    pub replicas: i64,
    pub ready_replicas: i64,
    pub available_replicas: i64,
    pub current_replicas: i64,
    pub updated_replicas: i64,
    pub current_revision: String,
    pub update_revision: String,
    /// Absent when the vector does not tell it.
    pub collision_count: Option<i64>,
}

impl Status {
    /// S-6.5: whether the built-in writes this over what is stored.
    pub fn is_written_over(&self, stored: &Self) -> bool {
        let rest = |s: &Self| Self { observed_generation: 0, collision_count: None, ..s.clone() };
        self.observed_generation > stored.observed_generation || rest(self) != rest(stored)
    }

    fn fields(&self) -> [(&'static str, String); 9] {
        [
            ("observedGeneration", self.observed_generation.to_string()),
            ("replicas", self.replicas.to_string()),
            ("readyReplicas", self.ready_replicas.to_string()),
            ("availableReplicas", self.available_replicas.to_string()),
            ("currentReplicas", self.current_replicas.to_string()),
            ("updatedReplicas", self.updated_replicas.to_string()),
            ("currentRevision", self.current_revision.clone()),
            ("updateRevision", self.update_revision.clone()),
            ("collisionCount", self.collision_count.map_or("-".into(), |n| n.to_string())),
        ]
    }
}

/// All that is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub acts: Vec<Act>,
    pub status: Status,
    /// By S-6.5, from the fields that both kinds have.
    pub written: bool,
    pub errors: Vec<String>,
    /// Seconds.
    pub requeue: Option<f64>,
    /// Only some vectors have it.
    pub full: Option<Full>,
}

/// Whole objects and events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Full {
    pub pods: Vec<Value>,
    pub claims: Vec<Value>,
    pub revisions: Vec<Value>,
    pub events: Vec<String>,
}

impl Outcome {
    /// What differs, one line each: `-` is expected and not planned, `+` the other way.
    pub fn differences(&self, planned: &Self) -> Vec<String> {
        let mut lines = list("action", &self.acts, &planned.acts);
        for ((field, expected), (_, found)) in self.status.fields().into_iter().zip(planned.status.fields()) {
            lines.extend(one(&format!("status.{field}"), &expected, &found));
        }
        lines.extend(one("statusWritten", &self.written, &planned.written));
        lines.extend(list("error", &self.errors, &planned.errors));
        let seconds = |after: Option<f64>| after.map_or("never".into(), |s| format!("after {s} s"));
        lines.extend(one("requeue", &seconds(self.requeue), &seconds(planned.requeue)));
        if let (Some(expected), Some(found)) = (&self.full, &planned.full) {
            lines.extend(list("created pod", &expected.pods, &found.pods));
            lines.extend(list("created claim", &expected.claims, &found.claims));
            lines.extend(list("created revision", &expected.revisions, &found.revisions));
            lines.extend(list("event", &expected.events, &found.events));
        }
        lines
    }
}

fn one<T: PartialEq + fmt::Display>(what: &str, expected: &T, found: &T) -> Option<String> {
    (expected != found).then(|| format!("{what}: - {expected}  + {found}"))
}

/// Two lists without what they begin and end with in common.
fn list<T: PartialEq + fmt::Display>(what: &str, expected: &[T], found: &[T]) -> Vec<String> {
    let start = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let (expected, found) = (&expected[start..], &found[start..]);
    let end = expected.iter().rev().zip(found.iter().rev()).take_while(|(a, b)| a == b).count();
    let lines = |sign: char, items: &[T]| -> Vec<String> {
        items[..items.len() - end].iter().map(|item| format!("{what}: {sign} {item}")).collect()
    };
    [lines('-', expected), lines('+', found)].concat()
}
