//! Whether the kind as it is installed is the one that this operator was built for: its schema says whose it is. Read from what
//! every client may read, so that no right on CRDs is needed.

use crate::outcome::describe;
use kube::Client;
use ordinal_api::SCHEMA_OF;
use std::{cmp::Ordering, time::Duration};
use tracing::{debug, warn};

const OWN: &str = env!("CARGO_PKG_VERSION");

const SCHEMA: &str = "/openapi/v3/apis/apps.ordinal.dev/v1";

/// A new kind is served before its schema is published.
const PUBLISHED: Duration = Duration::from_secs(10);

/// Says so when it is another.
pub async fn check(client: Client) {
    tokio::time::sleep(PUBLISHED).await;
    let request = http::Request::get(SCHEMA).body(Vec::new());
    let Ok(request) = request else { return };
    match client.request_text(request).await {
        Ok(schema) => match judge(&schema) {
            Some(words) => warn!("{words}"),
            None => debug!("the installed kind is that of this operator"),
        },
        Err(error) => debug!("the installed kind's schema cannot be read: {}", describe(&error)),
    }
}

/// What is wrong with a kind of this schema.
fn judge(schema: &str) -> Option<String> {
    let found = schema.split_once(SCHEMA_OF).map(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '+')).next().unwrap_or_default()
    });
    let found = found.map(|version| version.trim_end_matches('.'));
    let (is, what) = match found.map(|found| numbers(found).cmp(&numbers(OWN))) {
        Some(Ordering::Equal) => return None,
        Some(Ordering::Greater) => ("newer", "what it adds is ignored: upgrade the operator"),
        Some(Ordering::Less) | None => (
            "older",
            "what it lacks is dropped, and what it should refuse is let in: apply crds/ of this version, or upgrade the release",
        ),
    };
    let found = found.map(|found| format!(" {found}")).unwrap_or_default();
    Some(format!("the installed kind OrdinalSet is {is}, of Ordinal{found}, than this operator, {OWN}: {what}"))
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kind_is_older_or_newer() {
        let schema = |version: &str| format!(r#"{{"description":"A set. {SCHEMA_OF}{version}.","type":"object"}}"#);
        assert_eq!(judge(&schema(OWN)), None);
        for (version, word) in [("0.0.9", "older"), ("9.0.0", "newer"), ("10.0.0-rc1", "newer")] {
            let words = judge(&schema(version)).unwrap_or_default();
            assert!(words.contains(word) && words.contains(version), "{words}");
        }
        assert!(judge(r#"{"description":"A set."}"#).is_some_and(|words| words.contains("older")));
    }
}
