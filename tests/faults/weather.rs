//! What goes wrong all through a plan, with lists and watches rather than with single calls.

use std::{fmt, str::FromStr, time::Duration};

use ordinal_sim::workload::Workload;

/// One sort of weather.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    /// Nothing goes wrong.
    #[default]
    Fair,
    /// F9, F11: events of one kind come this late; of all kinds where none is named.
    Late(Option<&'static str>, Duration),
    /// F12: every watch ends after so many events.
    Ends(usize),
    /// F8, F12: every watch loses all events after so many, and then ends with 410, time and again.
    Gone(usize),
    /// F13: there are no bookmarks.
    NoBookmarks,
    /// F14: every call takes so much longer.
    Slow(Duration),
    /// F10: an operator that starts is shown lists of a while ago, and what came after them comes late.
    Stale,
    /// F12: lists come in pages of one object, and the second page is too old.
    Pages,
    /// F16: a later list of this kind is empty, in good form, for a while.
    Empty(&'static str),
    /// F16: the same, and it ends after its first object.
    Cut(&'static str),
    /// F22: somebody gives every new pod a label and another image.
    Webhook,
}

impl Weather {
    /// How long the operator may not know of what has happened.
    pub fn hides_for(self) -> Duration {
        match self {
            Self::Fair | Self::NoBookmarks | Self::Webhook => Duration::ZERO,
            Self::Late(_, by) => by,
            Self::Slow(by) => by * 4,
            Self::Ends(_) | Self::Gone(_) | Self::Stale | Self::Pages | Self::Empty(_) | Self::Cut(_) => {
                Duration::from_secs(4)
            }
        }
    }

    /// The kind of which a list is not what there is, and how many objects it tells of.
    pub fn lies_about(self) -> Option<(&'static str, usize)> {
        match self {
            Self::Empty(kind) => Some((kind, 0)),
            Self::Cut(kind) => Some((kind, 1)),
            _ => None,
        }
    }

    /// Whether it makes the operator believe what is not so.
    pub fn deceives(self) -> bool {
        self == Self::Stale || self.lies_about().is_some()
    }

    /// Whether only an operator that starts amid the work feels it.
    pub fn is_felt_at_a_start(self) -> bool {
        matches!(self, Self::Stale | Self::Pages)
    }

    /// Whether a workload can feel it: not all have claims.
    pub fn is_felt(self, workload: Workload) -> bool {
        let of_claims = matches!(
            self,
            Self::Late(Some("persistentvolumeclaims"), _)
                | Self::Empty("persistentvolumeclaims")
                | Self::Cut("persistentvolumeclaims")
        );
        workload.has_claims() || !of_claims
    }
}

/// All that there is, and how it is called.
pub const ALL: [(&str, Weather); 19] = [
    ("late-pods", Weather::Late(Some("pods"), Duration::from_secs(2))),
    ("late-sets", Weather::Late(Some("ordinalsets"), Duration::from_secs(2))),
    ("late-claims", Weather::Late(Some("persistentvolumeclaims"), Duration::from_secs(2))),
    ("late-revisions", Weather::Late(Some("controllerrevisions"), Duration::from_secs(2))),
    ("very-late-pods", Weather::Late(Some("pods"), Duration::from_secs(5))),
    ("late", Weather::Late(None, Duration::from_secs(1))),
    ("ends", Weather::Ends(3)),
    ("gone", Weather::Gone(3)),
    ("no-bookmarks", Weather::NoBookmarks),
    ("slow", Weather::Slow(Duration::from_millis(300))),
    ("stale", Weather::Stale),
    ("pages", Weather::Pages),
    ("empty-pods", Weather::Empty("pods")),
    ("empty-claims", Weather::Empty("persistentvolumeclaims")),
    ("empty-revisions", Weather::Empty("controllerrevisions")),
    ("cut-pods", Weather::Cut("pods")),
    ("cut-claims", Weather::Cut("persistentvolumeclaims")),
    ("cut-revisions", Weather::Cut("controllerrevisions")),
    ("webhook", Weather::Webhook),
];

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALL.iter().find(|(_, weather)| weather == self).map_or("fair", |(name, _)| name))
    }
}

impl FromStr for Weather {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, weather)| *weather).ok_or_else(|| format!("there is no weather {text:?}"))
    }
}
