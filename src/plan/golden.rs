//! Revisions of earlier versions, and of the built-in, kept as files: this version must find them equal (N-5).

use crate::{
    action::Plan,
    meaning::Meaning,
    name, plan, revision,
    snapshot::{Memory, Pod, Revision, Set, Snapshot},
};
use ordinal_api::lite;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

/// The set that the revisions are of.
const SET: &str = "web";

/// One file.
#[derive(Clone)]
struct Golden {
    file: String,
    /// As in the manifest.
    template: Value,
    /// As recorded, by us or by the built-in.
    data: String,
    hash: String,
    name: String,
}

impl Golden {
    fn recorded(&self) -> Value {
        serde_json::from_str(&self.data).expect("data is JSON")
    }

    /// A settled set of this template, with the stored revision, and three pods made from it.
    fn plan(&self) -> Plan {
        let set = serde_json::from_value(json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": SET, "uid": "set"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": self.template},
            "status": {"currentRevision": self.name, "updateRevision": self.name},
        }));
        let set = Set::new(set.expect("a set")).expect("it can be planned for");
        let mut stored = revision::desired(&set, &self.name, &self.hash, 1);
        stored["data"] = self.recorded();
        let stored: lite::Revision = serde_json::from_value(stored).expect("a revision");
        let pod = |ordinal: i32| {
            let name = name::pod(SET, ordinal);
            let labels = json!({
                "app": "web",
                "statefulset.kubernetes.io/pod-name": name,
                "controller-revision-hash": self.name,
            });
            let pod = json!({
                "metadata": {"name": name, "uid": name, "labels": labels, "ownerReferences": [set.controller_ref()]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            });
            Arc::new(Pod::from(serde_json::from_value::<lite::Pod>(pod).expect("a pod")))
        };
        plan(&Snapshot {
            native: Default::default(),
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            pods: (0..3).map(pod).collect(),
            claims: Vec::new(),
            revisions: vec![Arc::new(Revision::from(stored))],
            service: None,
            memory: Memory::default(),
            set: Arc::new(set),
        })
    }
}

static ALL: LazyLock<Vec<Golden>> = LazyLock::new(read_all);

/// All files; with `WRITE_GOLDEN` those are completed that hold no revision yet.
fn read_all() -> Vec<Golden> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let files = fs::read_dir(dir).expect("the folder of golden templates").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    assert!(files.len() >= 20, "golden templates are never removed: {files:?}");
    let read = |path: &PathBuf| {
        let file = path.display().to_string();
        let mut kept: Value = serde_json::from_str(&fs::read_to_string(path).expect(&file)).expect(&file);
        if std::env::var_os("WRITE_GOLDEN").is_some() && complete(&mut kept) {
            let text = serde_json::to_string_pretty(&kept).expect("JSON") + "\n";
            fs::write(path, text).expect(&file);
        }
        let text = |field: &str| match kept[field].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("{file} has no {field:?}: it is new, WRITE_GOLDEN=1 completes it"),
        };
        let (data, hash, name) = (text("data"), text("hash"), text("name"));
        Golden { template: kept["template"].clone(), data, hash, name, file }
    };
    files.iter().map(read).collect()
}

/// Writes a revision into a file that has none; true if it did. What is there stays as it is.
fn complete(kept: &mut Value) -> bool {
    if ["data", "hash", "name"].iter().any(|field| kept.get(field).is_some()) {
        return false;
    }
    let recorded = kept.get("recorded").unwrap_or(&kept["template"]);
    let data = revision::data(recorded);
    let hash = revision::hash(&data, 0);
    kept["data"] = revision::encode(&data).into();
    kept["name"] = name::revision(SET, &hash).into();
    kept["hash"] = hash.into();
    true
}

/// Those that we wrote ourselves: nothing else was recorded than the template as it is.
fn own() -> impl Iterator<Item = &'static Golden> {
    ALL.iter().filter(|golden| revision::restore(golden.recorded()).as_ref() == Some(&golden.template))
}

#[test]
fn n_5_a_golden_template_is_recorded_as_it_was() {
    let mut count = 0;
    for golden in own() {
        let data = revision::data(&golden.template);
        assert_eq!(revision::encode(&data), golden.data, "{}: other bytes", golden.file);
        let name = name::revision(SET, &revision::hash(&data, 0));
        assert_eq!(name, golden.name, "{}: another name", golden.file);
        count += 1;
    }
    assert!(count >= 12, "only {count} are ours");
}

#[test]
fn s_3_1_golden_data_is_written_again_byte_for_byte() {
    for golden in &*ALL {
        assert_eq!(revision::encode(&golden.recorded()), golden.data, "{}", golden.file);
        assert!(golden.data.starts_with(r#"{"spec":{"template":{"$patch":"replace","#), "{}", golden.file);
        assert!(!golden.data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{}", golden.file);
    }
}

// also: S-3.3
#[test]
fn s_3_4_golden_names_are_the_hash_of_their_data() {
    for golden in &*ALL {
        assert_eq!(revision::hash(&golden.recorded(), 0), golden.hash, "{}", golden.file);
        assert_eq!(golden.name, format!("{SET}-{}", golden.hash), "{}", golden.file);
    }
}

#[test]
fn o_13_a_golden_revision_means_what_its_template_means() {
    for golden in &*ALL {
        let recorded = revision::restore(golden.recorded()).expect("a template");
        assert_eq!(Meaning::of(&recorded), Meaning::of(&golden.template), "{}", golden.file);
    }
}

/// Else it would be no wonder that all are found equal.
#[test]
fn o_13_golden_templates_mean_different_things() {
    let own: Vec<_> = own().map(|golden| (Meaning::of(&golden.template), &golden.file)).collect();
    for (i, (meaning, file)) in own.iter().enumerate() {
        let same = own[..i].iter().find(|(other, _)| other == meaning);
        assert!(same.is_none(), "{file} means the same as {}", same.expect("found").1);
    }
}

// also: N-5, S-3.5, S-3.6
#[test]
fn s_12_12_a_golden_revision_is_used_and_no_pod_is_touched() {
    for golden in &*ALL {
        let plan = golden.plan();
        assert_eq!(plan.actions().count(), 0, "{}:\n{plan}", golden.file);
        assert_eq!(plan.templates.update.revision, golden.name, "{}", golden.file);
        assert_eq!((plan.status.updated_replicas, plan.status.current_replicas), (3, 3), "{}", golden.file);
    }
}

/// The test above could fail: another image is another revision.
#[test]
fn n_5_a_golden_revision_is_left_for_another_template() {
    for golden in &*ALL {
        let mut golden = golden.clone();
        golden.template["spec"]["containers"][0]["image"] = "something/else:2".into();
        let acts: Vec<_> = golden.plan().actions().map(ToString::to_string).collect();
        assert!(acts.iter().any(|act| act.starts_with("create revision")), "{}: {acts:?}", golden.file);
        assert!(acts.iter().any(|act| act.starts_with("delete pod web-2")), "{}: {acts:?}", golden.file);
    }
}

#[test]
fn n_5_what_is_golden_is_never_written_again() {
    let template = json!({"metadata": {}, "spec": {}});
    let mut new = json!({"template": template});
    assert!(complete(&mut new));
    let mut kept = new.clone();
    kept["hash"] = "of yesterday".into();
    let before = kept.clone();
    assert!(!complete(&mut kept) && kept == before);
}
