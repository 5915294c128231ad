//! What the API server makes of a manifest, sent as either kind: accepted or refused alike, the same field named, the same
//! settings stored. Nothing but updates needs a set to be there; the rest is dry runs.

mod cases;
mod judge;
mod stored;

use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use ordinal_tests::{
    ControlPlane, Identity, Namespace,
    refusals::pod_of,
    twins::{Answer, Kind, Post},
};

use crate::report::{Line, Table};
use cases::Case;
use judge::judge;

/// Requests at a time: as many as keep the API server busy.
const AT_A_TIME: usize = 8;

/// Sends every manifest whose title has `only` in it.
pub async fn compare(control_plane: &ControlPlane, only: &str) -> Result<Table> {
    let ns: Namespace = control_plane.namespace("manifests").await?;
    let post = Post { client: control_plane.client(Identity::Tests).await?, namespace: ns.name().to_owned() };
    let cases = cases::all()?.into_iter().filter(|case| case.title.contains(only));
    let lines = stream::iter(cases).map(|case| line(post.clone(), case)).buffered(AT_A_TIME);
    Ok(Table { title: "manifests", lines: lines.try_collect().await? })
}

async fn line(post: Post, case: Case) -> Result<Line> {
    let [native, ours] = match &case.before {
        None => [send(&post, Kind::Native, &case).await?, send(&post, Kind::Ours, &case).await?],
        Some(before) => {
            match (post.create(Kind::Native, before, false).await?, post.create(Kind::Ours, before, false).await?) {
                (Answer::Accepted(_), Answer::Accepted(_)) => {
                    [send(&post, Kind::Native, &case).await?, send(&post, Kind::Ours, &case).await?]
                }
                // It cannot begin at all: then that is what is compared.
                (native, ours) => [native, ours],
            }
        }
    };
    let verdict = match (&native, &ours) {
        (Answer::Accepted(_), Answer::Accepted(_)) => "both accepted",
        (Answer::Refused(_), Answer::Refused(_)) => "both refused",
        _ => "not alike",
    };
    let pod_refused = match (&native, &ours) {
        (Answer::Refused(_), Answer::Accepted(_)) => match post.try_pod(&pod_of(&case.manifest)).await? {
            Answer::Refused(refusal) => Some(refusal),
            Answer::Accepted(_) => None,
        },
        _ => None,
    };
    let differences = judge(&case, &native, &ours, pod_refused.as_ref());
    Ok(Line { of: String::new(), title: case.title, verdict: verdict.to_owned(), differences })
}

async fn send(post: &Post, kind: Kind, case: &Case) -> Result<Answer> {
    match &case.before {
        None => post.create(kind, &case.manifest, true).await,
        Some(_) => {
            let Some(name) = case.manifest["metadata"]["name"].as_str() else { bail!("an update needs a name") };
            post.update(kind, name, &case.manifest, true).await
        }
    }
}
