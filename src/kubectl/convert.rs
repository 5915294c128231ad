//! `kubectl ordinal convert`: a manifest of one kind as one of the other, with everything that points to it.

use std::{io::Read, process::ExitCode};

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use ordinal_api::{MAX_NAME_LENGTH, OrdinalSet};
use serde_json::{Value, json};

use crate::{
    cli::{Convert, Kind, Output, Place},
    cluster::Cluster,
    output,
    target::{Native, Target},
};

pub const NATIVE: (&str, &str) = ("apps/v1", "StatefulSet");
pub const OURS: (&str, &str) = ("apps.ordinal.dev/v1", "OrdinalSet");

/// What an API server writes, and nobody sends.
const SERVERS: [&str; 6] = ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"];

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub async fn run(args: &Convert, place: &Place) -> Result<ExitCode> {
    let objects = match (&args.filename, &args.set) {
        (Some(file), _) => read(file)?,
        (None, Some(name)) => vec![live(name, args.to, place).await?],
        (None, None) => unreachable!("the flags ask for one of them"),
    };
    let converted = convert(objects, args.to);
    converted.notes.iter().for_each(|note| eprintln!("{note}"));
    ensure!(converted.sets > 0, "there is no {} among the objects: nothing was converted", from(args.to).1);
    match args.output {
        Output::Json if converted.objects.len() == 1 => {
            print!("{}", output::object(&converted.objects[0], Output::Json)?)
        }
        Output::Json => {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": converted.objects});
            print!("{}", output::object(&list, Output::Json)?);
        }
        _ => {
            let texts = converted.objects.iter().map(output::yaml).collect::<Result<Vec<_>>>()?;
            print!("{}", texts.join("---\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn from(to: Kind) -> (&'static str, &'static str) {
    if to == Kind::Ordinalset { NATIVE } else { OURS }
}

fn into(to: Kind) -> (&'static str, &'static str) {
    if to == Kind::Ordinalset { OURS } else { NATIVE }
}

/// The objects in a file, of lists too; - is standard input.
pub fn read(file: &str) -> Result<Vec<Value>> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    }
    let objects = parse(&text).map_err(|error| anyhow!("{file}: {error}"))?;
    let one_by_one = objects.into_iter().flat_map(|object| match object["items"].as_array() {
        Some(items) if object["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => items.clone(),
        _ => vec![object],
    });
    Ok(one_by_one.filter(|object| !object.is_null()).collect())
}

/// YAML as kubectl reads it: modes of files are octal.
fn parse(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    serde_saphyr::from_multiple_with_options(text, serde_saphyr::options! { legacy_octal_numbers: true })
}

/// An object in the cluster.
async fn live(name: &str, to: Kind, place: &Place) -> Result<Value> {
    let cluster = Cluster::connect(place).await?;
    if to == Kind::Statefulset {
        let target: Target = name.parse().map_err(|e: String| anyhow!(e))?;
        let found = cluster.stored::<OrdinalSet>(&target.0).await?;
        return found.ok_or_else(|| anyhow!("{target} not found in namespace {}", cluster.namespace));
    }
    let native: Native = name.parse().map_err(|e: String| anyhow!(e))?;
    let found = cluster.stored::<StatefulSet>(&native.0).await?;
    found.ok_or_else(|| anyhow!("{native} not found in namespace {}", cluster.namespace))
}

/// What came of it.
pub struct Converted {
    pub objects: Vec<Value>,
    /// How many of them are sets.
    pub sets: usize,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Converts the sets among some objects, and what points to them. Others stay as they are.
pub fn convert(mut objects: Vec<Value>, to: Kind) -> Converted {
    let (from, into) = (from(to), into(to));
    let is = |object: &Value| object["apiVersion"] == from.0 && object["kind"] == from.1;
    let place = |object: &Value| {
        (text(&object["metadata"]["namespace"]).to_owned(), text(&object["metadata"]["name"]).to_owned())
    };
    let sets: Vec<(String, String)> = objects.iter().filter(|object| is(object)).map(place).collect();
    let mut notes = Vec::new();
    for object in &mut objects {
        let what = format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["metadata"]["name"]));
        if is(object) {
            set(object, into, &what, &mut notes);
        } else if let Some((spec, field)) =
            target(object).filter(|(spec, field)| object[*spec][*field]["kind"] == from.1)
        {
            let (namespace, name) = (place(object).0, text(&object[spec][field]["name"]).to_owned());
            // Where one says no namespace, it is whatever the other's is.
            let same = |set: &&(String, String)| {
                set.1 == name && (set.0 == namespace || set.0.is_empty() || namespace.is_empty())
            };
            if sets.iter().any(|set| same(&set)) {
                let reference = &mut object[spec][field];
                (reference["apiVersion"], reference["kind"]) = (into.0.into(), into.1.into());
                notes.push(format!("{what}: {spec}.{field} points to the {} now", into.1));
            } else {
                notes.push(format!(
                    "{what}: {spec}.{field} points to a {} {name} that is not among these: left as it is",
                    from.1
                ));
            }
        }
    }
    Converted { objects, sets: sets.len(), notes }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Where an autoscaler says what it scales.
fn target(object: &Value) -> Option<(&'static str, &'static str)> {
    match text(&object["kind"]) {
        "HorizontalPodAutoscaler" | "ScaledObject" => Some(("spec", "scaleTargetRef")),
        "VerticalPodAutoscaler" => Some(("spec", "targetRef")),
        _ => None,
    }
}

fn set(object: &mut Value, into: (&str, &str), what: &str, notes: &mut Vec<String>) {
    (object["apiVersion"], object["kind"]) = (into.0.into(), into.1.into());
    notes.push(format!("{what}: apiVersion {}, kind {}", into.0, into.1));
    let mut dropped = Vec::new();
    let mut drop = |fields: Option<&mut Value>, name: &str, path: &str| {
        if fields.and_then(Value::as_object_mut).is_some_and(|fields| fields.remove(name).is_some()) {
            dropped.push(format!("{path}{name}"));
        }
    };
    drop(Some(object), "status", "");
    for field in SERVERS {
        drop(object.pointer_mut("/metadata"), field, "metadata.");
    }
    drop(object.pointer_mut("/metadata/annotations"), LAST_APPLIED, "annotation ");
    let templates = object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
    for template in templates.into_iter().flatten() {
        drop(Some(template), "status", "spec.volumeClaimTemplates[].");
        drop(template.pointer_mut("/metadata"), "creationTimestamp", "spec.volumeClaimTemplates[].metadata.");
    }
    drop(object.pointer_mut("/spec/template/metadata"), "creationTimestamp", "spec.template.metadata.");
    if !dropped.is_empty() {
        notes.push(format!("{what}: left out what an API server writes: {}", dropped.join(", ")));
    }
    let spec = object.pointer_mut("/spec").and_then(Value::as_object_mut);
    if into == NATIVE && spec.is_some_and(|spec| spec.remove("adoptFrom").is_some()) {
        notes.push(format!("{what}: left out spec.adoptFrom, which a StatefulSet does not have"));
    }
    let length = text(&object["metadata"]["name"]).len();
    if into == OURS && length > MAX_NAME_LENGTH {
        notes.push(format!("{what}: its name has {length} characters; a new OrdinalSet may have {MAX_NAME_LENGTH}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "web", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"}, "annotations": {LAST_APPLIED: "{}"}},
            "spec": {"replicas": 3, "template": {"metadata": {"creationTimestamp": null, "labels": {"a": "b"}}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "status": {"phase": "Pending"}}]},
            "status": {"replicas": 3},
        })
    }

    #[test]
    fn a_set_changes_its_kind_and_nothing_of_its_spec() {
        let converted = convert(vec![native()], Kind::Ordinalset);
        let set = &converted.objects[0];
        assert_eq!((&set["apiVersion"], &set["kind"]), (&json!("apps.ordinal.dev/v1"), &json!("OrdinalSet")));
        assert_eq!(set["spec"]["replicas"], 3);
        assert_eq!(set["spec"]["volumeClaimTemplates"], json!([{"metadata": {"name": "data"}}]));
        assert_eq!(set["metadata"], json!({"name": "web", "labels": {"a": "b"}, "annotations": {}}));
        assert!(set["status"].is_null() && converted.sets == 1);
    }

    #[test]
    fn there_and_back_is_the_same() {
        let there = convert(vec![native()], Kind::Ordinalset).objects;
        let back = convert(there.clone(), Kind::Statefulset).objects;
        assert_eq!(back[0]["kind"], "StatefulSet");
        assert_eq!(convert(back, Kind::Ordinalset).objects, there);
    }

    #[test]
    fn a_statefulset_has_nobody_to_adopt_from() {
        let mut set = convert(vec![native()], Kind::Ordinalset).objects.remove(0);
        set["spec"]["adoptFrom"] = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": "u"});
        let converted = convert(vec![set], Kind::Statefulset);
        assert_eq!(converted.objects[0]["spec"]["adoptFrom"], Value::Null);
        assert!(converted.notes.iter().any(|note| note.contains("spec.adoptFrom")), "{:?}", converted.notes);
    }

    #[test]
    fn an_autoscaler_follows_its_set_and_no_other() {
        let autoscaler = |name: &str| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
                "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name}}})
        };
        let converted = convert(vec![autoscaler("web"), native(), autoscaler("other")], Kind::Ordinalset);
        let kind = |n: usize| converted.objects[n]["spec"]["scaleTargetRef"]["kind"].clone();
        assert_eq!((kind(0), kind(2)), (json!("OrdinalSet"), json!("StatefulSet")));
    }

    #[test]
    fn modes_of_files_stay_what_they_are() {
        let volume = parse("defaultMode: 0400\n").expect("YAML");
        assert_eq!(volume, [json!({"defaultMode": 256})]);
    }

    #[test]
    fn nothing_is_written_that_was_not_there_and_odd_objects_are_borne() {
        let bare = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 3}});
        let converted = convert(vec![bare], Kind::Ordinalset).objects;
        let expected = json!({"apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "spec": {"replicas": 3}});
        assert_eq!(converted, [expected]);
        let odd = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": "web", "spec": "x"});
        assert_eq!(convert(vec![odd], Kind::Ordinalset).sets, 1);
    }

    #[test]
    fn an_autoscaler_without_a_namespace_follows_too_and_one_that_stays_behind_is_told() {
        let mut set = native();
        set["metadata"]["namespace"] = "prod".into();
        let autoscaler = |name: &str| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
                "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name}}})
        };
        let converted = convert(vec![set, autoscaler("web"), autoscaler("db")], Kind::Ordinalset);
        assert_eq!(converted.objects[1]["spec"]["scaleTargetRef"]["kind"], "OrdinalSet");
        assert!(
            converted.notes.iter().any(|note| note.contains("StatefulSet db that is not among these")),
            "{:?}",
            converted.notes
        );
    }

    #[test]
    fn other_objects_stay_as_they_are() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "uid": "u"}});
        let converted = convert(vec![service.clone()], Kind::Ordinalset);
        assert_eq!((converted.objects, converted.sets), (vec![service], 0));
    }
}
