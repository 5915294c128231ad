//! One line of a file of vectors. Fields that are not known are passed over.

use crate::{
    outcome::{Act, Full, Outcome, Status},
    words,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A situation, and what the built-in made of it.
#[derive(Clone, Debug)]
pub struct Vector {
    pub id: String,
    pub class: String,
    /// Not used to judge, only to cross-check.
    pub tags: Vec<String>,
    /// The whole line; the input is taken from it.
    pub json: Value,
    pub expected: Outcome,
}

impl Vector {
    pub fn parse(line: &str) -> Result<Self> {
        Self::of(serde_json::from_str(line).context("not JSON")?)
    }

    pub fn of(json: Value) -> Result<Self> {
        let text = |field: &str| json[field].as_str().map(str::to_owned);
        if json["gates"]["MaxUnavailableStatefulSet"] == false {
            bail!("made with the gate MaxUnavailableStatefulSet off, which we have no counterpart of (O-8)");
        }
        let id = text("id").context("no id")?;
        let class = text("class").unwrap_or_else(|| id.rsplit_once('-').map_or(id.clone(), |(class, _)| class.into()));
        let tags = array(&json["tags"]).filter_map(Value::as_str).map(str::to_owned).collect();
        let expected = expected(&json).context("expect")?;
        Ok(Self { id, class, tags, expected, json })
    }
}

/// The elements of an array; none of anything else.
pub fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn expected(json: &Value) -> Result<Outcome> {
    let expect = json["expect"].as_object().context("missing")?;
    let get = |field: &str| expect.get(field).unwrap_or(&Value::Null);
    let stored: Status = serde_json::from_value(json["set"]["status"].clone()).unwrap_or_default();
    let status = match get("status") {
        // Upstream returned none. It would have equalled the stored one.
        Value::Null => Status {
            observed_generation: json["set"]["metadata"]["generation"].as_i64().unwrap_or_default(),
            collision_count: None,
            ..stored
        },
        status => serde_json::from_value(status.clone()).context("status")?,
    };
    let strings = |field: &str| array(get(field)).filter_map(Value::as_str).map(str::to_owned).collect();
    let objects = |field: &str| array(get(field)).cloned().map(words::without_what_is_empty).collect();
    let lists = ["createdPods", "createdClaims", "createdRevisions", "events"];
    Ok(Outcome {
        acts: array(get("actions")).map(act).collect::<Result<_>>()?,
        status,
        written: get("statusWritten").as_bool().context("statusWritten is missing")?,
        errors: strings("errors"),
        requeue: get("requeueAfterSeconds").as_f64(),
        full: lists.iter().any(|list| expect.contains_key(*list)).then(|| Full {
            pods: objects("createdPods"),
            claims: objects("createdClaims"),
            revisions: objects("createdRevisions"),
            events: strings("events"),
        }),
    })
}

fn act(json: &Value) -> Result<Act> {
    let text = |field: &str| json[field].as_str().unwrap_or_default();
    let mut act = Act::new(text("op"), text("phase"), text("name"));
    let fields: &[&'static str] = match act.op.as_str() {
        "createRevision" => &["revision", "hash", "dataSha256"],
        "updateRevision" | "createPod" => &["revision"],
        "updatePod" => &["labels", "ownerReferences", "volumes"],
        "updateClaim" => &["ownerReferences"],
        "deleteRevision" | "deletePod" | "createClaim" => &[],
        other => bail!("unknown action {other:?}"),
    };
    for field in fields {
        let value = json.get(*field).cloned().unwrap_or_default();
        act = act.with(field, if *field == "ownerReferences" { words::sorted(&value) } else { value });
    }
    Ok(act)
}
