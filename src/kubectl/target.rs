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
        let (kind, name) = text.split_once('/').unwrap_or((KINDS[0], text));
        if !KINDS.contains(&kind.to_lowercase().as_str()) {
            return Err(format!("{kind:?} is another kind: this is about ordinalset/NAME"));
        }
        if name.is_empty() || name.contains('/') {
            return Err("give a name, as NAME or ordinalset/NAME".into());
        }
        Ok(Self(name.to_owned()))
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
        const KINDS: [&str; 5] = ["statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"];
        let (kind, name) = text.split_once('/').unwrap_or((KINDS[0], text));
        if !KINDS.contains(&kind.to_lowercase().as_str()) {
            return Err(format!("{kind:?} is another kind: this is about statefulset/NAME"));
        }
        if name.is_empty() || name.contains('/') {
            return Err("give a name, as NAME or statefulset/NAME".into());
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statefulset.apps/{}", self.0)
    }
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
