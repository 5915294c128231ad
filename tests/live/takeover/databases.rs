//! Ten databases' StatefulSets, as the usual charts shape them, are taken over with no pod restarted.

use std::path::PathBuf;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::ResourceExt;
use ordinal_tests::{Outcome, binaries::repository};
use serde_json::{Value, json};

use super::{Natives, place};

/// How many at a time.
const TOGETHER: usize = 3;

#[tokio::test]
async fn n_5_ten_databases_are_taken_over_with_no_pod_restarted() -> Outcome {
    let folder = repository().join("tests/databases");
    let files = std::fs::read_dir(&folder)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    assert_eq!(files.len(), 10, "{files:?}");
    let taken =
        stream::iter(files).map(|file| async move { take(&file).await.with_context(|| file.display().to_string()) });
    let taken: Vec<String> = taken.buffer_unordered(TOGETHER).try_collect().await?;
    println!("{}", taken.join("\n"));
    Ok(())
}

/// A line for the table.
async fn take(file: &PathBuf) -> Result<String> {
    let (ns, _operator) = place("database").await?;
    let manifest: Value = serde_saphyr::from_str(&std::fs::read_to_string(file)?)?;
    let native = ns.native(manifest).await?;
    let name = native.name_any();
    let before = ns.photo().await?;
    ns.adopt(&native, json!({})).await?;
    ns.adopted(&name).await?;
    assert_eq!(ns.photo().await?, before, "{name}");
    let (pods, claims) = (before.pods.len(), before.claims.len());
    Ok(format!("{name}: {pods} pods, {claims} claims, {} revisions: the same", before.revisions.len()))
}
