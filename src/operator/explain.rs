//! `ordinal explain`: a plan in words, made from what there is now.

use crate::{
    cache::{Cached, Writer},
    controller::Realm,
    kinds::Observed,
    outcome::describe,
};
use kube::{Api, Client, api::ListParams, runtime::watcher::Event};
use ordinal_plan::{adoption, explain::tell, native::StatefulSet, snapshot::Memory};

/// Reads what there is of a set, as the user who asks, and tells the plan for it. What the operator remembers of earlier passes,
/// pauses after failures above all, is not known here.
///
/// # Errors
/// What cannot be read.
pub async fn live(client: &Client, namespace: &str, name: &str) -> Result<String, String> {
    let sets: Api<Observed> = Api::namespaced(client.clone(), namespace);
    let observed = sets.get_opt(name).await.map_err(|e| describe(&e))?;
    let observed = observed.ok_or_else(|| format!("there is no OrdinalSet {namespace}/{name}"))?;
    let set = observed.set.map_err(|why| format!("OrdinalSet {namespace}/{name} is skipped: {why}"))?;
    let natives: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    // What counts is what the operator may see, and who asks may be somebody else.
    let may_see_natives =
        !adoption::is_disabled(&set.status) && natives.list(&ListParams::default().limit(1)).await.is_ok();
    let (realm, _) = Realm::new(Some(namespace.to_owned()), may_see_natives);
    let caches = &realm.caches;
    fill(client, namespace, Writer::new(caches.pods.clone())).await?;
    fill(client, namespace, Writer::new(caches.claims.clone())).await?;
    fill(client, namespace, Writer::new(caches.revisions.clone())).await?;
    fill(client, namespace, Writer::new(caches.services.clone())).await?;
    if may_see_natives {
        fill(client, namespace, Writer::new(caches.natives.clone())).await?;
    }
    Ok(tell(&caches.snapshot(&set, Memory::default())))
}

async fn fill<V: Cached>(client: &Client, namespace: &str, mut writer: Writer<V>) -> Result<(), String> {
    let api: Api<V::Wire> = Api::namespaced(client.clone(), namespace);
    let listed = api.list(&ListParams::default()).await.map_err(|e| describe(&e))?;
    writer.apply(Event::Init);
    for object in listed {
        writer.apply(Event::InitApply(object));
    }
    writer.apply(Event::InitDone);
    Ok(())
}
