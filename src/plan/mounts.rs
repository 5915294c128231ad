//! The claims that a pod mounts, in little space: pods of one set share them, for what differs can be told from the pod's name.

use crate::name;
use std::sync::Arc;

/// The volumes of a pod that are claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts(Arc<[Mount]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    volume: String,
    /// Absent when it is `<volume>-<pod>`, as for a pod that has its name from its set (S-2.6).
    claim: Option<String>,
}

impl Mounts {
    /// Those of the pod of this name: names of volumes and of their claims.
    pub fn new(volumes: impl Iterator<Item = (String, String)>, pod: &str) -> Self {
        let mount = |(volume, claim): (String, String)| {
            let claim = Some(claim).filter(|claim| name::pod_of_claim(claim, &volume) != Some(pod));
            Mount { volume, claim }
        };
        Self(volumes.map(mount).collect())
    }

    /// Names of volumes and of their claims, for the pod of this name.
    pub fn all(&self, pod: &str) -> Vec<(String, String)> {
        let claim = |mount: &Mount| mount.claim.clone().unwrap_or_else(|| format!("{}-{pod}", mount.volume));
        self.0.iter().map(|mount| (mount.volume.clone(), claim(mount))).collect()
    }

    /// Whether the volume of a claim template is there, with the claim that the pod of an ordinal must have (S-2.8). `pod` is the
    /// name that these are the mounts of.
    pub fn have(&self, template: &str, (set, ordinal): (&str, i32), pod: &str) -> bool {
        let mount = self.0.iter().find(|mount| mount.volume == template);
        mount.is_some_and(|mount| match &mount.claim {
            None => name::is_pod(pod, set, ordinal),
            Some(claim) => name::is_claim(claim, template, set, ordinal),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::share;

    fn mounts(pod: &str, volumes: &[(&str, &str)]) -> Mounts {
        Mounts::new(volumes.iter().map(|(volume, claim)| ((*volume).to_owned(), (*claim).to_owned())), pod)
    }

    #[test]
    fn s_2_8_a_volume_is_as_it_must_be_by_its_name_and_its_claims() {
        let right = |pod: &str, volumes: &[(&str, &str)]| {
            let mounts = mounts(pod, volumes);
            let all = mounts.all(pod);
            assert!(all.iter().map(|(volume, claim)| (volume.as_str(), claim.as_str())).eq(volumes.iter().copied()));
            mounts.have("data", ("web", 1), pod)
        };
        assert!(right("web-1", &[("log", "log-web-1"), ("data", "data-web-1")]));
        assert!(!right("web-1", &[("data", "data-web-2")]));
        assert!(!right("web-1", &[("data", "log-web-1")]));
        assert!(!right("web-1", &[("log", "data-web-1")]));
        assert!(!right("web-1", &[]));
        // A pod that is not named for its ordinal itself.
        assert!(right("web-01", &[("data", "data-web-1")]));
        assert!(!right("web-01", &[("data", "data-web-01")]));
    }

    #[test]
    fn o_14_pods_of_a_set_share_their_mounts_and_others_do_not() {
        let one = mounts("web-0", &[("data", "data-web-0")]);
        let mut two = mounts("web-1", &[("data", "data-web-1")]);
        share(&mut two, &one);
        assert!(Arc::ptr_eq(&one.0, &two.0));
        let mut three = mounts("web-2", &[("data", "data-web-1")]);
        share(&mut three, &one);
        assert!(!three.have("data", ("web", 2), "web-2"));
    }
}
