//! Work for an operator, as fault plans set it (W1 …): what people and nodes do to the set `web`. The simulation and a real
//! cluster can both be asked to do it.

use crate::{
    call::{Call, Deletion, Part, Propagation, Style},
    objects::Kind,
    patch,
};
use serde_json::{Value, json};
use std::{fmt, str::FromStr};

/// The set that it is about.
pub const SET: &str = "web";

/// What is to be done. Claims that grow (W12) are no feature yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// Three pods are made.
    W1,
    /// Three become five, then two.
    W2,
    /// A new image.
    W3,
    /// A new image, and back amid the roll-out.
    W4,
    /// A new image for a part, then for all.
    W5,
    /// A new image for a Parallel set, two at a time.
    W6,
    /// Claims go with their pods, and come again.
    W7,
    /// The set is deleted, and made again at once.
    W8,
    /// The set is deleted without its pods, and made again.
    W9,
    /// A pod fails amid a roll-out.
    W10,
    /// The ordinals begin elsewhere.
    W11,
    /// A claim is deleted under a pod that is pending.
    W13,
}

/// What somebody does, one after the other.
#[derive(Clone, Debug)]
pub enum Step {
    /// Somebody who is no operator calls.
    Call(Call),
    /// A node says that a pod has failed.
    Fails(&'static str),
    /// Nobody does anything until there is nothing left to do.
    Rest,
    /// Nobody does anything until a pod is ready with this image.
    Until {
        /// The pod.
        pod: &'static str,
        /// Its image.
        image: &'static str,
    },
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::W1,
        Self::W2,
        Self::W3,
        Self::W4,
        Self::W5,
        Self::W6,
        Self::W7,
        Self::W8,
        Self::W9,
        Self::W10,
        Self::W11,
        Self::W13,
    ];

    /// Whether a step follows another that may not have come to its end: how often pods live is chance then.
    pub fn is_a_race(self) -> bool {
        matches!(self, Self::W4 | Self::W8 | Self::W10)
    }

    /// Whether its pods have claims.
    pub fn has_claims(self) -> bool {
        let has = |step: &Step| match step {
            Step::Call(Call::Create { object, .. }) => object["spec"]["volumeClaimTemplates"].is_array(),
            _ => false,
        };
        self.steps().iter().any(has)
    }

    /// What is done. It begins with nothing, and a rest follows it.
    pub fn steps(self) -> Vec<Step> {
        use Step::Rest;
        let claims = || with(json!({}), claim_templates());
        match self {
            Self::W1 => vec![create(3, claims())],
            Self::W2 => {
                vec![create(3, claims()), Rest, edit(json!({"replicas": 5})), Rest, edit(json!({"replicas": 2}))]
            }
            Self::W3 => vec![create(3, claims()), Rest, image("b")],
            Self::W4 => {
                vec![create(3, json!({})), Rest, image("b"), Step::Until { pod: "web-2", image: "b" }, image("a")]
            }
            Self::W5 => vec![
                create(3, json!({})),
                Rest,
                edit(rolling(json!({"partition": 2}))),
                image("b"),
                Rest,
                edit(rolling(json!({"partition": 0}))),
            ],
            Self::W6 => {
                let more = with(rolling(json!({"maxUnavailable": 2})), json!({"podManagementPolicy": "Parallel"}));
                vec![create(4, more), Rest, image("b")]
            }
            Self::W7 => {
                let policy = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
                let more = with(claims(), json!({"persistentVolumeClaimRetentionPolicy": policy}));
                let [down, up] = [1, 3].map(|replicas| edit(json!({"replicas": replicas})));
                vec![create(3, more), Rest, down, Rest, up]
            }
            Self::W8 => vec![create(2, claims()), Rest, delete(None), create(2, claims())],
            Self::W9 => {
                vec![create(2, claims()), Rest, delete(Some(Propagation::Orphan)), Rest, create(2, claims())]
            }
            Self::W10 => vec![
                create(3, json!({})),
                Rest,
                image("b"),
                Step::Until { pod: "web-2", image: "b" },
                Step::Fails("web-0"),
            ],
            Self::W11 => vec![create(3, json!({})), Rest, edit(json!({"ordinals": {"start": 2}}))],
            Self::W13 => {
                // No node has such a label. An ordered set repairs no pod before it runs (S-4.4).
                let nowhere = json!({
                    "podManagementPolicy": "Parallel",
                    "template": {"spec": {"nodeSelector": {"test.ordinal.dev/nowhere": ""}}},
                });
                let claim = Call::Delete { kind: Kind::Claim, name: "data-web-0".into(), how: Deletion::default() };
                vec![create(1, with(claims(), nowhere)), Rest, Step::Call(claim)]
            }
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|w| w.to_string() == text).ok_or_else(|| format!("there is no workload {text:?}"))
    }
}

fn with(mut spec: Value, more: Value) -> Value {
    patch::apply(&mut spec, &more, Style::Merge);
    spec
}

fn claim_templates() -> Value {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}});
    json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": spec}]})
}

fn rolling(block: Value) -> Value {
    json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": block}})
}

fn create(replicas: u32, more: Value) -> Step {
    let spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": {"app": SET}},
        "template": {
            "metadata": {"labels": {"app": SET}},
            "spec": {"containers": [{"name": "c", "image": "a"}]},
        },
    });
    let object = json!({
        "apiVersion": "apps.ordinal.dev/v1",
        "kind": "OrdinalSet",
        "metadata": {"name": SET},
        "spec": with(spec, more),
    });
    Step::Call(Call::Create { kind: Kind::Set, object, dry_run: false })
}

fn edit(spec: Value) -> Step {
    let (patch, style, part) = (json!({"spec": spec}), Style::Merge, Part::Main);
    Step::Call(Call::Patch { kind: Kind::Set, name: SET.into(), patch, style, part })
}

fn image(image: &str) -> Step {
    edit(json!({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}))
}

fn delete(propagation: Option<Propagation>) -> Step {
    let how = Deletion { propagation, ..Deletion::default() };
    Step::Call(Call::Delete { kind: Kind::Set, name: SET.into(), how })
}
