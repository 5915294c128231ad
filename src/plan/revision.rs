//! ControllerRevisions: what they record, how they are named, which ones are current and update, which are forgotten.

use crate::{
    action::{Action, Template, Templates},
    name,
    snapshot::{Revision, Set, Snapshot},
};
use kube::core::SelectorExt;
use ordinal_api::{LABEL_REVISION_HASH, OrdinalSetStatus};
use serde_json::{Map, Value, json};
use std::{cmp::Ordering, sync::Arc};

/// What a revision records: a strategic merge patch that replaces the whole template (S-3.1).
pub fn data(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(fields) = template.as_object_mut() {
        fields.insert("$patch".into(), "replace".into());
    }
    json!({"spec": {"template": template}})
}

/// The template that a revision's data records; `None` when it is not of our form (S-3.2).
pub fn restore(mut data: Value) -> Option<Value> {
    let mut template = data.pointer_mut("/spec/template")?.take();
    template.as_object_mut()?.remove("$patch");
    Some(template)
}

/// The hash in a revision's name: FNV-1 of the data and the collision count, in letters that spell nothing (S-3.4).
pub fn hash(data: &Value, collisions: i32) -> String {
    const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let text = encode(data) + &collisions.to_string();
    let fnv = text.bytes().fold(2_166_136_261_u32, |hash, byte| hash.wrapping_mul(16_777_619) ^ u32::from(byte));
    fnv.to_string().bytes().map(|digit| char::from(SAFE[usize::from(digit) % SAFE.len()])).collect()
}

/// JSON as the native controller hashes it: sorted keys, no white space, and HTML's own characters escaped. They occur
/// in strings only, so the text can be escaped as a whole.
pub fn encode(data: &Value) -> String {
    let mut text = data.to_string();
    for (raw, escaped) in
        [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")]
    {
        if text.contains(raw) {
            text = text.replace(raw, escaped);
        }
    }
    text
}

/// The object to be created for the set's template (S-3.3).
pub fn desired(set: &Set, name: &str, hash: &str, number: i64) -> Value {
    let mut labels = set.template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(LABEL_REVISION_HASH.into(), hash.into());
    let annotations: Map<String, Value> =
        set.annotations.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": set.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [set.controller_ref()],
        },
        "data": data(&set.template),
        "revision": number,
    })
}

/// The revisions of a pass (S-3.6, S-3.7).
pub(crate) struct Chosen<'a> {
    /// What must be written for them to exist.
    pub actions: Vec<Action>,
    /// Current and update.
    pub templates: Templates,
    /// For the status.
    pub collision_count: i32,
    /// The set's revisions, oldest first.
    listed: Vec<&'a Revision>,
}

/// Orphan revisions that match the selector, to be adopted (S-3.11). A set being deleted adopts nothing.
pub(crate) fn adoptions(s: &Snapshot) -> Vec<Action> {
    let orphans = s.revisions.iter().filter(|r| !s.set.deleting && r.controller.is_none() && matches(&s.set, r));
    orphans.map(|r| Action::AdoptRevision { name: r.name.clone(), uid: r.uid.clone() }).collect()
}

fn matches(set: &Set, revision: &Revision) -> bool {
    set.selector.matches(&revision.labels)
}

/// Finds or plans the update revision, and finds the current one. Equal means equal by meaning (O-13).
pub(crate) fn choose(s: &Snapshot) -> Chosen<'_> {
    let set = &*s.set;
    let owned = |r: &Revision| r.controller.as_ref().is_none_or(|c| c.uid == set.uid);
    let mut listed: Vec<&Revision> =
        s.revisions.iter().map(Arc::as_ref).filter(|r| owned(r) && matches(set, r)).collect();
    listed.sort_by(|a, b| age(a, b));
    let next = listed.last().map_or(1, |r| r.number.saturating_add(1));
    let equal = |r: &Revision| r.meaning.as_ref() == Some(&set.meaning);

    let mut actions = Vec::new();
    let mut collision_count = set.status.collision_count.unwrap_or(0);
    let update = match listed.iter().rev().find(|r| equal(r)).and_then(|r| Some((*r, Template::of(r)?))) {
        Some((found, template)) => {
            if Some(&found.name) != listed.last().map(|r| &r.name) {
                let (name, uid) = (found.name.clone(), found.uid.clone());
                actions.push(Action::RenumberRevision { name, uid, number: next });
            }
            template
        }
        None => {
            let data = data(&set.template);
            let first = hash(&data, collision_count);
            let mut name = name::revision(&set.name, &first);
            // Each name that is taken by something else costs one collision; one taken by an equal revision is used.
            let taken = |name: &str| s.revisions.iter().find(|r| r.name == name);
            let mut found = taken(&name);
            while let Some(other) = found.filter(|r| !equal(r)) {
                debug_assert_eq!(other.name, name);
                collision_count = collision_count.saturating_add(1);
                name = name::revision(&set.name, &hash(&data, collision_count));
                found = taken(&name);
                if collision_count == i32::MAX {
                    break;
                }
            }
            match found.and_then(|r| Template::of(r)) {
                Some(template) => template,
                None => {
                    // The label keeps the first hash, as natively.
                    actions.push(Action::CreateRevision { name: name.clone(), hash: first, number: next });
                    Template { revision: name, value: set.template.clone() }
                }
            }
        }
    };
    let current = listed
        .iter()
        .find(|r| r.name == set.status.current_revision)
        .and_then(|r| Template::of(r))
        .unwrap_or_else(|| update.clone());
    Chosen { actions, templates: Templates { current, update }, collision_count, listed }
}

/// Oldest first: by number, then by age, then by name.
fn age(a: &Revision, b: &Revision) -> Ordering {
    (a.number, a.created, &a.name).cmp(&(b.number, b.created, &b.name))
}

/// Revisions beyond the limit that neither a pod nor the set uses (S-3.10).
pub(crate) fn truncate<'p>(
    set: &Set,
    chosen: &Chosen<'_>,
    used: impl Fn(&str) -> bool + 'p,
    status: &OrdinalSetStatus,
) -> Vec<Action> {
    let Ok(limit) = usize::try_from(set.spec.revision_history_limit) else { return Vec::new() };
    if chosen.listed.len() <= limit {
        return Vec::new();
    }
    // The stored current revision is kept even if it could not be restored, and so was not chosen.
    let Templates { current, update } = &chosen.templates;
    let live = [&current.revision, &update.revision, &set.status.current_revision, &status.current_revision];
    let history: Vec<_> = chosen.listed.iter().filter(|r| !live.contains(&&r.name) && !used(&r.name)).collect();
    let surplus = history.len().saturating_sub(limit);
    history[..surplus].iter().map(|r| Action::DeleteRevision { name: r.name.clone(), uid: r.uid.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(image: &str) -> Value {
        data(&json!({
            "spec": {"containers": [{"name": "main", "image": image}]},
            "metadata": {"labels": {"app": "demo"}},
        }))
    }

    #[test]
    fn s_3_1_data_is_a_patch_with_sorted_keys() {
        let expected = r#"{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"demo"}},"spec":{"containers":[{"image":"demo:1","name":"main"}]}}}}"#;
        assert_eq!(encode(&demo("demo:1")), expected);
        assert_eq!(encode(&json!("a<b>&\u{2028}")), r#""a\u003cb\u003e\u0026\u2028""#);
    }

    #[test]
    fn s_3_4_hash_vectors() {
        assert_eq!(hash(&demo("demo:1"), 0), "66f588997d");
        assert_eq!(hash(&demo("demo:1"), 1), "66f588997f");
        assert_eq!(hash(&demo("demo:1"), 2), "66f588997b");
        assert_eq!(hash(&demo("demo:2"), 0), "6d7c6bcbc7");
    }

    #[test]
    fn s_3_2_restoring_gives_back_what_was_recorded() {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"unknown": [1, {"x": null}]}});
        assert_eq!(restore(data(&template)), Some(template));
        for garbage in [json!(null), json!({}), json!({"spec": {"template": 7}}), json!([1])] {
            assert_eq!(restore(garbage), None);
        }
    }
}
