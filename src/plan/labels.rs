//! The labels of a pod, in little space: pods of one set and revision share all of theirs but two, and those two can be told
//! from the pod's name. A set of a thousand pods is decided about again and again, and what is shared is at hand.

use crate::{
    name::{self, Parsed},
    share::share,
};
use ordinal_api::{LABEL_POD_INDEX, LABEL_POD_NAME, LABEL_REVISION};
use std::{collections::BTreeMap, sync::Arc};

/// All labels of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    name: Own,
    index: Own,
    others: Arc<Others>,
}

/// Those that are not told from the name.
#[derive(Debug, PartialEq, Eq)]
struct Others {
    labels: BTreeMap<String, String>,
    /// One of them, that every plan looks at several times a pod; empty if it is absent.
    revision: String,
}

/// A label that only one pod of a set has.
#[derive(Clone, Debug, PartialEq)]
enum Own {
    Absent,
    /// As it must be for a pod of this name.
    Proper,
    Another(String),
}

impl Own {
    fn of(value: Option<String>, proper: impl FnOnce(&str) -> bool) -> Self {
        match value {
            None => Self::Absent,
            Some(value) if proper(&value) => Self::Proper,
            Some(value) => Self::Another(value),
        }
    }

    fn value(&self, proper: impl FnOnce() -> String) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Proper => Some(proper()),
            Self::Another(value) => Some(value.clone()),
        }
    }
}

fn index(parsed: Parsed) -> String {
    parsed.ordinal.map(|ordinal| ordinal.to_string()).unwrap_or_default()
}

impl Labels {
    /// Those of the pod of this name.
    pub fn new(mut all: BTreeMap<String, String>, name: &str, parsed: Parsed) -> Self {
        Self {
            name: Own::of(all.remove(LABEL_POD_NAME), |label| label == name),
            index: Own::of(all.remove(LABEL_POD_INDEX), |label| {
                name::decimal(label).is_some_and(|n| parsed.ordinal == Some(n))
            }),
            others: Arc::new(Others { revision: all.get(LABEL_REVISION).cloned().unwrap_or_default(), labels: all }),
        }
    }

    /// All of them, for the pod of this name.
    pub fn all(&self, name: &str, parsed: Parsed) -> BTreeMap<String, String> {
        let mut all = self.others.labels.clone();
        all.extend(self.name.value(|| name.to_owned()).map(|value| (LABEL_POD_NAME.to_owned(), value)));
        all.extend(self.index.value(|| index(parsed)).map(|value| (LABEL_POD_INDEX.to_owned(), value)));
        all
    }

    /// Whether the pod's name is also on its label (S-2.7).
    pub fn have_the_name(&self) -> bool {
        self.name == Own::Proper
    }

    /// Takes those of another pod in place of equal ones of its own.
    pub fn share(&mut self, with: &Self) {
        share(&mut self.others, &with.others);
    }

    /// Those that are not told from the name.
    pub fn others(&self) -> &BTreeMap<String, String> {
        &self.others.labels
    }

    /// The name of the revision; empty if its label is absent.
    pub fn revision(&self) -> &str {
        &self.others.revision
    }

    /// Whether those that are not told from the name are known to be the same, without a look at them.
    pub fn are_shared(&self, with: &Self) -> bool {
        Arc::ptr_eq(&self.others, &with.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::parse;

    fn map(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn s_2_3_labels_come_out_as_they_went_in() {
        let cases: [&[(&str, &str)]; 4] = [
            &[("app", "web"), (LABEL_POD_NAME, "web-1"), (LABEL_POD_INDEX, "1")],
            &[("app", "web"), (LABEL_POD_NAME, "web-2"), (LABEL_POD_INDEX, "01")],
            &[("app", "web"), (LABEL_POD_NAME, "")],
            &[],
        ];
        for labels in cases {
            let read = Labels::new(map(labels), "web-1", parse("web-1"));
            assert_eq!(read.all("web-1", parse("web-1")), map(labels));
            assert_eq!(read.have_the_name(), labels.contains(&(LABEL_POD_NAME, "web-1")));
        }
        let without_ordinal = map(&[(LABEL_POD_INDEX, ""), (LABEL_POD_NAME, "x")]);
        assert_eq!(Labels::new(without_ordinal.clone(), "x", parse("x")).all("x", parse("x")), without_ordinal);
    }

    #[test]
    fn equal_labels_of_two_pods_are_shared_and_others_are_not() {
        let one = Labels::new(map(&[("app", "web"), (LABEL_POD_NAME, "web-0")]), "web-0", parse("web-0"));
        let mut two = Labels::new(map(&[("app", "web"), (LABEL_POD_NAME, "web-1")]), "web-1", parse("web-1"));
        two.share(&one);
        assert!(one.are_shared(&two));
        let mut three = Labels::new(map(&[("app", "db")]), "web-2", parse("web-2"));
        three.share(&one);
        assert_eq!(three.others(), &map(&[("app", "db")]));
    }
}
