//! Calls of the API server, and its answers, in a form that the store here and a real API server can both be asked in.

use crate::objects::Kind;
use serde_json::Value;
use std::{fmt, sync::Arc};

/// One request.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are what their names say; the variants tell the rest")]
pub enum Call {
    /// A live read.
    Get { kind: Kind, name: String },
    /// POST.
    Create { kind: Kind, object: Value, dry_run: bool },
    /// PUT.
    Replace { kind: Kind, name: String, object: Value, part: Part },
    /// PATCH.
    Patch { kind: Kind, name: String, patch: Value, style: Style, part: Part },
    /// DELETE.
    Delete { kind: Kind, name: String, how: Deletion },
    /// A pod gets its node.
    Bind { pod: String, node: String },
}

/// Which part of an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Main,
    /// The status alone.
    Status,
}

/// What the patch's body means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// RFC 7386.
    Merge,
    /// Lists merge by key; not for custom resources.
    Strategic,
}

/// Options of a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Only this object.
    pub uid: Option<String>,
    /// Only this version.
    pub version: Option<String>,
    /// Seconds, in place of the pod's own.
    pub grace: Option<i64>,
    /// What becomes of dependents; background if absent.
    pub propagation: Option<Propagation>,
}

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    Background,
    /// It goes after them.
    Foreground,
    /// They stay.
    Orphan,
}

impl Deletion {
    /// Exactly the object of this UID (O-5).
    pub fn of(uid: &str) -> Self {
        Self { uid: Some(uid.to_owned()), ..Self::default() }
    }
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

/// The reasons that there are, named as in the API's `Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are the API's own words")]
pub enum Reason {
    NotFound,
    AlreadyExists,
    Conflict,
    Invalid,
    Forbidden,
    UnsupportedMediaType,
    InternalError,
}

impl Reason {
    pub(crate) fn because(self, message: impl Into<String>) -> Refusal {
        Refusal { reason: self, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.reason, self.message)
    }
}

/// What comes back: the object as it is then, or as it last was.
pub type Answer = Result<Arc<crate::objects::Object>, Refusal>;

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (self.kind(), self.name());
        match self {
            Self::Get { .. } => write!(f, "GET {kind:?} {name}"),
            Self::Create { object, dry_run, .. } => {
                write!(f, "POST{} {kind:?} {name} {object}", if *dry_run { " (dry run)" } else { "" })
            }
            Self::Replace { object, part, .. } => write!(f, "PUT {part:?} {kind:?} {name} {object}"),
            Self::Patch { patch, style, part, .. } => write!(f, "PATCH {style:?} {part:?} {kind:?} {name} {patch}"),
            Self::Delete { how, .. } => write!(f, "DELETE {kind:?} {name} {how:?}"),
            Self::Bind { node, .. } => write!(f, "BIND {kind:?} {name} to {node}"),
        }
    }
}

impl Call {
    /// The kind that it is about.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Get { kind, .. }
            | Self::Create { kind, .. }
            | Self::Replace { kind, .. }
            | Self::Patch { kind, .. }
            | Self::Delete { kind, .. } => *kind,
            Self::Bind { .. } => Kind::Pod,
        }
    }

    /// The name of the object that it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Create { object, .. } => object["metadata"]["name"].as_str().unwrap_or_default(),
            Self::Get { name, .. }
            | Self::Replace { name, .. }
            | Self::Patch { name, .. }
            | Self::Delete { name, .. } => name,
            Self::Bind { pod, .. } => pod,
        }
    }

    /// Whether it can change anything.
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Get { .. } | Self::Create { dry_run: true, .. })
    }
}
