//! A state of the whole: 64 bits, so that millions of them fit. UIDs and times are not in it: what matters of a UID is whether
//! a pod is still the one that the pass under way has seen.

/// The largest number of ordinals.
pub const SLOTS: usize = 3;

/// One state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// What is in each slot: an index of the machine's pods, 0 for nothing.
    pub pods: [u8; SLOTS],
    /// Whether each is the one that the pass under way has seen; all true without a pass.
    pub seen: [bool; SLOTS],
    /// Whether the set's template is the second one.
    pub changed: bool,
    /// Whether the second revision exists.
    pub recorded: bool,
    /// Whether `status.currentRevision` is the second one.
    pub promoted: bool,
    /// Whether the operator remembers that the update revision passed its dry run.
    pub tried: bool,
    /// Whether the operator's one crash is behind it.
    pub crashed: bool,
    /// What is left of the pass under way: an index of the machine's passes, 0 for none.
    pub pass: u32,
}

impl State {
    /// Into 64 bits.
    pub fn pack(self) -> u64 {
        let flags = [self.changed, self.recorded, self.promoted, self.tried, self.crashed];
        let bits = self.seen.into_iter().chain(flags).fold(0, |bits, bit| bits << 1 | u64::from(bit));
        let pods = self.pods.iter().fold(0, |all, pod| all << 8 | u64::from(*pod));
        u64::from(self.pass) << 32 | pods << 8 | bits
    }

    /// Back.
    pub fn unpack(packed: u64) -> Self {
        let bit = |n: u32| packed >> n & 1 == 1;
        let byte = |n: u32| u8::try_from(packed >> n & 0xff).unwrap_or(0);
        Self {
            pods: [byte(24), byte(16), byte(8)],
            seen: [bit(7), bit(6), bit(5)],
            changed: bit(4),
            recorded: bit(3),
            promoted: bit(2),
            tried: bit(1),
            crashed: bit(0),
            pass: u32::try_from(packed >> 32).unwrap_or(0),
        }
    }
}
