//! A whole snapshot, an object a line: it is planned for, twice the same, and nothing that must never happen is in the plan.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ordinal_api::lite;
use ordinal_plan::{
    Snapshot, check,
    native::Native,
    plan,
    snapshot::{Claim, Memory, Pod, Revision, Service, Set},
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeSet, sync::Arc};

/// The objects of a kind, each with a name and a UID of its own, as an API server has them.
fn all<W: DeserializeOwned, T: From<W>>(
    lines: &[&[u8]],
    kind: u8,
    identity: impl Fn(&mut T) -> (&String, &mut String),
) -> Vec<Arc<T>> {
    let of_kind = lines.iter().filter_map(|line| line.strip_prefix(&[kind]));
    let mut all: Vec<T> = of_kind.filter_map(|text| serde_json::from_slice::<W>(text).ok()).map(T::from).collect();
    let mut names = BTreeSet::new();
    all.retain_mut(|object| {
        let (name, uid) = identity(object);
        *uid = format!("{}{name}", char::from(kind));
        names.insert(name.clone())
    });
    all.into_iter().map(Arc::new).collect()
}

/// A StatefulSet that may be in the way, or be what is to be taken over.
fn native(lines: &[&[u8]]) -> Native {
    let text = lines.iter().find_map(|line| line.strip_prefix(b"n"));
    match text.and_then(|text| serde_json::from_slice(text).ok()) {
        Some(native) => Native::There(Arc::new(native)),
        None if text.is_some() => Native::Absent,
        None => Native::Unwatched,
    }
}

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let Some(Ok(set)) = lines.first().and_then(|text| serde_json::from_slice(text).ok()).map(Set::read) else { return };
    let snapshot = Snapshot {
        now: "2026-01-01T00:00:00Z".parse().expect("a time"),
        set: Arc::new(set),
        pods: all::<lite::Pod, Pod>(&lines, b'p', |p| (&p.name, &mut p.uid)),
        claims: all::<lite::Claim, Claim>(&lines, b'c', |c| (&c.name, &mut c.uid)),
        revisions: all::<lite::Revision, Revision>(&lines, b'r', |r| (&r.name, &mut r.uid)),
        service: all::<lite::Service, Service>(&lines, b's', |s| (&s.name, &mut s.uid)).pop(),
        native: native(&lines),
        memory: Memory::default(),
    };
    let first = plan(&snapshot);
    assert_eq!(first, plan(&snapshot));
    assert_eq!(check::check(&snapshot, &first), []);
    for action in first.actions() {
        let _ = action.request(&snapshot.set, &first.templates);
    }
    let _ = first.to_string();
});
