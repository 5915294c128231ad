//! What a plan is made from, out of all that a namespace holds: for those who have lists. The operator has caches, which know
//! the same by their indices.

use crate::{
    Snapshot, name,
    native::{Native, StatefulSet},
    snapshot::{Claim, Memory, Pod, Revision, SET_KIND, Service, Set},
};
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;

/// Objects of one namespace, whoever they belong to.
#[derive(Clone, Debug, Default)]
pub struct Everything {
    /// Pods.
    pub pods: Vec<Arc<Pod>>,
    /// Claims.
    pub claims: Vec<Arc<Claim>>,
    /// ControllerRevisions.
    pub revisions: Vec<Arc<Revision>>,
    /// Services.
    pub services: Vec<Arc<Service>>,
    /// StatefulSets, where they may be seen.
    pub natives: Option<Vec<Arc<StatefulSet>>>,
}

/// What concerns a set, in the order of names.
pub fn snapshot(set: Arc<Set>, all: Everything, now: Timestamp, memory: Memory) -> Snapshot {
    let Everything { mut pods, mut claims, mut revisions, services, natives } = all;
    let in_family = |object: &str, parent: &str| name::parse(object).parent(object) == parent;
    let families: Vec<String> = set.claim_templates().map(|(t, _)| format!("{t}-{}", set.name)).collect();
    pods.retain(|p| {
        let owner = p.controller.as_ref();
        let kept = p.parsed.ordinal.is_some() || owner.is_some_and(|o| o.kind == SET_KIND);
        kept && (owner.is_some_and(|o| o.uid == set.uid) || in_family(&p.name, &set.name))
    });
    claims.retain(|c| name::parse(&c.name).ordinal.is_some() && families.iter().any(|f| in_family(&c.name, f)));
    revisions.retain(|r| {
        let owner = r.controller.as_ref();
        let family = r.name.rsplit_once('-').is_some_and(|(prefix, _)| prefix == set.name);
        owner.is_none_or(|o| o.uid == set.uid) || family
    });
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    claims.sort_by(|a, b| a.name.cmp(&b.name));
    revisions.sort_by(|a, b| a.name.cmp(&b.name));
    let service = services.into_iter().find(|s| s.name == set.spec.service_name);
    let native = natives.map_or(Native::Unwatched, |natives| {
        let namesake = natives.into_iter().find(|native| native.metadata.name.as_deref() == Some(&set.name));
        namesake.map_or(Native::Absent, Native::There)
    });
    Snapshot { now, pods, claims, revisions, service, native, set, memory }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordinal_api::lite;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    /// An object of this name, controlled by one of this kind and UID if they are given.
    fn object<W: DeserializeOwned, T: From<W>>(name: &str, owner: Option<(&str, &str)>) -> Arc<T> {
        let owners: Vec<_> = owner
            .into_iter()
            .map(|(kind, uid)| json!({"apiVersion": "v1", "kind": kind, "name": "x", "uid": uid, "controller": true}))
            .collect();
        let object = json!({"metadata": {"name": name, "ownerReferences": owners}, "revision": 1});
        Arc::new(serde_json::from_value::<W>(object).expect("an object").into())
    }

    /// What a set `web` of UID `u`, with a claim template `data`, gets of all this.
    fn of_web(all: Everything) -> Snapshot {
        let set = json!({
            "apiVersion": "apps.ordinal.dev/v1", "kind": "OrdinalSet", "metadata": {"name": "web", "uid": "u"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}}, "template": {}, "serviceName": "web",
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
            },
        });
        let set = Set::read(set).expect("a set");
        snapshot(Arc::new(set), all, Timestamp::UNIX_EPOCH, Memory::default())
    }

    #[test]
    fn s_2_5_pods_of_a_set_are_its_own_and_those_of_its_names() {
        let own = Some((SET_KIND, "u"));
        let pods = [
            ("web-1", own),
            ("web-0", None),
            ("web-2", Some(("ReplicaSet", "r"))),
            ("other-0", own),
            ("odd", own),
            ("other-1", None),
            ("odder", None),
            ("webb-0", Some((SET_KIND, "v"))),
        ];
        let pods = pods.map(|(name, owner)| object::<lite::Pod, _>(name, owner)).to_vec();
        let got = of_web(Everything { pods, ..Everything::default() });
        let names: Vec<_> = got.pods.iter().map(|pod| pod.name.as_str()).collect();
        assert_eq!(names, ["odd", "other-0", "web-0", "web-1", "web-2"]);
    }

    #[test]
    fn s_5_1_claims_of_a_set_are_those_of_its_templates() {
        let names = ["data-web-1", "data-web-0", "log-web-0", "data-webb-0", "data-web-x", "data-web"];
        let claims = names.map(|name| object::<lite::Claim, _>(name, None)).to_vec();
        let got = of_web(Everything { claims, ..Everything::default() });
        let names: Vec<_> = got.claims.iter().map(|claim| claim.name.as_str()).collect();
        assert_eq!(names, ["data-web-0", "data-web-1"]);
    }

    #[test]
    fn s_3_11_revisions_of_a_set_are_its_own_those_of_its_name_and_orphans() {
        let revisions = [
            ("web-a", Some((SET_KIND, "v"))),
            ("x-own", Some((SET_KIND, "u"))),
            ("x-orphan", None),
            ("x-other", Some((SET_KIND, "v"))),
        ];
        let revisions = revisions.map(|(name, owner)| object::<lite::Revision, _>(name, owner)).to_vec();
        let got = of_web(Everything { revisions, ..Everything::default() });
        let names: Vec<_> = got.revisions.iter().map(|revision| revision.name.as_str()).collect();
        assert_eq!(names, ["web-a", "x-orphan", "x-own"]);
    }

    #[test]
    fn o_9_the_service_of_a_set_is_the_one_that_it_names() {
        let services = ["other", "web"].map(|name| object::<lite::Service, _>(name, None)).to_vec();
        let got = of_web(Everything { services, ..Everything::default() });
        assert_eq!(got.service.map(|service| service.name.clone()).as_deref(), Some("web"));
    }
}
