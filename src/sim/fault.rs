//! The language of fault plans: what goes wrong, at which of the operator's calls. A plan is a line of text, so that a failure
//! can be replayed: `W3 7:crash-after 12:409x3`.

use crate::{
    call::{Call, Deletion, Part, Style},
    objects::Kind,
    workload::{SET, Workload},
};
use serde_json::json;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What happens to one of the operator's calls. Dry runs and live reads are calls too; lists and watches are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// F1: it is carried out, and the operator is killed before it hears of it.
    CrashAfter,
    /// F2: the operator is killed before it is carried out.
    CrashBefore,
    /// F3: it is carried out, and the answer is lost.
    LostReply,
    /// F3: it is carried out, and there is never an answer, nor an end of the connection.
    HungReply,
    /// F4 to F7, F21: it is not carried out, nor the next ones, so many in all; the operator hears this status code.
    Answer {
        /// The code.
        code: u16,
        /// How many calls.
        times: u32,
    },
    /// F20: somebody else does this before it is carried out.
    Foreign(Edit),
}

/// What somebody else does to what the operator has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Deletes the first pod.
    DeletePod,
    /// Deletes the first pod and its claim.
    DeletePodAndClaim,
    /// Gives the last pod the label of another name, and a label of their own.
    SpoilLabels,
    /// Deletes all revisions.
    DeleteRevisions,
    /// Writes nonsense into the status.
    SpoilStatus,
    /// Takes the last pod away from its owner.
    Orphan,
}

/// Work, and what goes wrong meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The work.
    pub workload: Workload,
    /// What goes wrong, by the number of the operator's call, from 0.
    pub faults: BTreeMap<usize, Fault>,
}

impl Plan {
    /// A plan without faults.
    pub fn calm(workload: Workload) -> Self {
        Self { workload, faults: BTreeMap::new() }
    }

    /// A plan with one fault.
    pub fn with(workload: Workload, call: usize, fault: Fault) -> Self {
        Self { workload, faults: BTreeMap::from([(call, fault)]) }
    }

    /// Whether somebody else spoils what the operator made, so that more pods may come and go than otherwise.
    pub fn is_disturbed(&self) -> bool {
        self.faults.values().any(|fault| matches!(fault, Fault::Foreign(_)))
    }
}

impl Edit {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DeletePod,
        Self::DeletePodAndClaim,
        Self::SpoilLabels,
        Self::DeleteRevisions,
        Self::SpoilStatus,
        Self::Orphan,
    ];

    /// The calls that it takes. `pods` and `revisions` are those that there are, by name.
    pub fn calls(self, pods: &[String], revisions: &[String]) -> Vec<Call> {
        let delete = |kind, name: String| Call::Delete { kind, name, how: Deletion::default() };
        let patch = |kind, name: &str, patch, part| {
            let (name, style) = (name.to_owned(), Style::Merge);
            Call::Patch { kind, name, patch, style, part }
        };
        let (first, last) = (pods.first(), pods.last());
        match self {
            Self::DeletePod => first.map(|pod| delete(Kind::Pod, pod.clone())).into_iter().collect(),
            Self::DeletePodAndClaim => first
                .into_iter()
                .flat_map(|pod| [delete(Kind::Claim, format!("data-{pod}")), delete(Kind::Pod, pod.clone())])
                .collect(),
            Self::SpoilLabels => {
                let labels = json!({"statefulset.kubernetes.io/pod-name": "web-77", "theirs": "kept"});
                last.map(|pod| patch(Kind::Pod, pod, json!({"metadata": {"labels": labels}}), Part::Main))
                    .into_iter()
                    .collect()
            }
            Self::DeleteRevisions => revisions.iter().map(|name| delete(Kind::Revision, name.clone())).collect(),
            Self::SpoilStatus => {
                let nonsense = json!({"replicas": 77, "observedGeneration": 999, "currentRevision": "web-nonsense"});
                vec![patch(Kind::Set, SET, json!({"status": nonsense}), Part::Status)]
            }
            Self::Orphan => last
                .map(|pod| patch(Kind::Pod, pod, json!({"metadata": {"ownerReferences": null}}), Part::Main))
                .into_iter()
                .collect(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::DeletePod => "delete-pod",
            Self::DeletePodAndClaim => "delete-pod-and-claim",
            Self::SpoilLabels => "spoil-labels",
            Self::DeleteRevisions => "delete-revisions",
            Self::SpoilStatus => "spoil-status",
            Self::Orphan => "orphan",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CrashAfter => f.write_str("crash-after"),
            Self::CrashBefore => f.write_str("crash-before"),
            Self::LostReply => f.write_str("lost-reply"),
            Self::HungReply => f.write_str("hung-reply"),
            Self::Answer { code, times } => write!(f, "{code}x{times}"),
            Self::Foreign(edit) => f.write_str(edit.word()),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((code, times)) = text.split_once('x')
            && let (Ok(code), Ok(times)) = (code.parse(), times.parse())
        {
            return Ok(Self::Answer { code, times });
        }
        let others = [Self::CrashAfter, Self::CrashBefore, Self::LostReply, Self::HungReply];
        let mut all = others.into_iter().chain(Edit::ALL.map(Self::Foreign));
        all.find(|fault| fault.to_string() == text).ok_or_else(|| format!("there is no fault {text:?}"))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.workload)?;
        self.faults.iter().try_for_each(|(call, fault)| write!(f, " {call}:{fault}"))
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let workload = words.next().ok_or("a plan begins with a workload, such as W3")?.parse()?;
        let fault = |word: &str| {
            let (call, fault) = word.split_once(':').ok_or_else(|| format!("{word:?} is not like 7:crash-after"))?;
            let call = call.parse().map_err(|_| format!("{call:?} is not the number of a call"))?;
            Ok((call, fault.parse()?))
        };
        Ok(Self { workload, faults: words.map(fault).collect::<Result<_, String>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_how_to_replay_it() {
        for text in ["W1", "W3 7:crash-after 12:409x3", "W13 0:lost-reply 1:spoil-status 4:crash-before 5:hung-reply"] {
            assert_eq!(text.parse::<Plan>().map(|plan| plan.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_plan_is_told() {
        for (text, told) in [
            ("", "begins with"),
            ("W99", "W99"),
            ("W1 7", "7:crash-after"),
            ("W1 x:500x1", "\"x\""),
            ("W1 1:fire", "fire"),
        ] {
            let error = text.parse::<Plan>().expect_err(text);
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
