//! What several objects have in common is kept once.

/// Takes the other's value in place of one's own that is equal. For values that are cheap to clone, as those behind an `Arc`.
pub(crate) fn share<T: PartialEq + Clone>(own: &mut T, other: &T) {
    if own == other {
        own.clone_from(other);
    }
}
