//! The OrdinalSet that is to take over: made from the StatefulSet as it runs, or read from a file.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    cli::Kind,
    cluster::Cluster,
    convert::{NATIVE, OURS, convert, read},
    finding::Finding,
    markers,
};

/// The manifest, and what is to be said of it.
pub fn make(file: Option<&str>, native: &Value, cluster: &Cluster) -> Result<(Value, Vec<Finding>)> {
    let name = native["metadata"]["name"].as_str().unwrap_or_default();
    let (mut manifest, notes) = match file {
        Some(file) => (pick(read(file)?, name, &cluster.namespace, file)?, Vec::new()),
        None => {
            let mut copy = native.clone();
            let notes = markers::strip(&mut copy);
            (converted(copy), notes)
        }
    };
    // Both are another's by now: whoever wrote them meant the StatefulSet.
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        metadata.remove("finalizers");
        metadata.remove("ownerReferences");
        metadata.insert("namespace".into(), cluster.namespace.clone().into());
    }
    Ok((manifest, notes))
}

fn converted(native: Value) -> Value {
    convert(vec![native], Kind::Ordinalset).objects.remove(0)
}

/// The OrdinalSet of this name among a file's objects, or the StatefulSet's conversion.
fn pick(objects: Vec<Value>, name: &str, namespace: &str, file: &str) -> Result<Value> {
    let is = |object: &Value, kind: (&str, &str)| {
        object["apiVersion"] == kind.0 && object["kind"] == kind.1 && object["metadata"]["name"] == name
    };
    let find = |kind| objects.iter().find(|object| is(object, kind)).cloned();
    let Some(found) = find(OURS).or_else(|| find(NATIVE).map(converted)) else {
        bail!("{file}: there is no OrdinalSet or StatefulSet {name} in it");
    };
    match found["metadata"]["namespace"].as_str() {
        Some(other) if other != namespace => {
            bail!("{file}: {name} is of namespace {other} there, not of {namespace}: give --namespace={other}")
        }
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(api: &str, kind: &str, name: &str) -> Value {
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": {"replicas": 1}})
    }

    #[test]
    fn a_file_may_hold_either_kind_and_others() {
        let native = object("apps/v1", "StatefulSet", "web");
        let picked = pick(vec![object("v1", "Service", "web"), native.clone()], "web", "ns", "f").expect("it is there");
        assert_eq!(picked["kind"], "OrdinalSet");
        let mut ours = object("apps.ordinal.dev/v1", "OrdinalSet", "web");
        ours["spec"]["replicas"] = 2.into();
        let picked = pick(vec![native, ours], "web", "ns", "f").expect("it is there");
        assert_eq!(picked["spec"]["replicas"], 2, "what is written as an OrdinalSet comes first");
    }

    #[test]
    fn a_file_without_the_set_or_with_that_of_another_namespace_is_refused() {
        let error = pick(vec![object("apps/v1", "StatefulSet", "db")], "web", "ns", "f").expect_err("there is none");
        assert!(error.to_string().contains("no OrdinalSet or StatefulSet web"), "{error}");
        let mut other = object("apps/v1", "StatefulSet", "web");
        other["metadata"]["namespace"] = "prod".into();
        let error = pick(vec![other], "web", "ns", "f").expect_err("another namespace");
        assert!(error.to_string().contains("--namespace=prod"), "{error}");
    }
}
