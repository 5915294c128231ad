//! Which set is meant.

use std::{fmt, str::FromStr};

/// How kubectl calls the kind.
const KINDS: [&str; 5] =
    ["ordinalset", "ordinalsets", "ords", "ordinalset.apps.ordinal.dev", "ordinalsets.apps.ordinal.dev"];

/// A set, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(pub String);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &KINDS).map(Self)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ordinalset.apps.ordinal.dev/{}", self.0)
    }
}

/// A StatefulSet, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native(pub String);

impl FromStr for Native {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &["statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"]).map(Self)
    }
}

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statefulset.apps/{}", self.0)
    }
}

/// The name in NAME or KIND/NAME, where the kind is one of these.
fn parse(text: &str, kinds: &[&str; 5]) -> Result<String, String> {
    let usual = kinds[0];
    let (kind, name) = text.split_once('/').unwrap_or((usual, text));
    if !kinds.contains(&kind.to_lowercase().as_str()) {
        return Err(format!("{kind:?} is another kind: this is about {usual}/NAME"));
    }
    if name.is_empty() || name.contains('/') {
        return Err(format!("give a name, as NAME or {usual}/NAME"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statefulset_is_named_as_kubectl_names_it() {
        for text in ["web", "sts/web", "statefulset/web", "StatefulSets/web", "statefulsets.apps/web"] {
            assert_eq!(text.parse(), Ok(Native("web".into())), "{text}");
        }
        for text in ["", "sts/", "ords/web", "sts/a/b"] {
            assert!(text.parse::<Native>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_set_is_named_as_kubectl_names_it() {
        for text in ["web", "ords/web", "ordinalset/web", "OrdinalSets/web", "ordinalsets.apps.ordinal.dev/web"] {
            assert_eq!(text.parse(), Ok(Target("web".into())), "{text}");
        }
        for text in ["", "ords/", "sts/web", "ords/a/b"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
