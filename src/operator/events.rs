//! Events off the path of a pass: publishing is a request of its own, and one that is lost never changes what is done
//! (S-7.6). One of the files that write.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use ordinal_plan::snapshot::{SET_API_VERSION, SET_KIND};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tracing::debug;

/// A slow start of 500 pods with a claim each, twice over; more at a time tells nobody more.
const QUEUE: usize = 2_000;

/// The API server's limit for a note, in bytes.
const LONGEST_NOTE: usize = 1_024;

/// What an event is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// `metadata.namespace` of the set
    pub namespace: String,
    /// `metadata.name` of the set
    pub name: String,
    /// `metadata.uid` of the set
    pub uid: String,
}

/// Where events are dropped; cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Queue>);

struct Queue {
    waiting: Mutex<VecDeque<(ObjectReference, Event)>>,
    bell: Notify,
}

impl Events {
    /// Publishes in the background, one at a time and in order.
    pub fn spawn(client: Client, identity: &str) -> (Self, JoinHandle<()>) {
        let reporter = Reporter { controller: "ordinalset-controller".into(), instance: Some(identity.to_owned()) };
        let recorder = Recorder::new(client, reporter);
        let queue = Arc::new(Queue { waiting: Mutex::default(), bell: Notify::new() });
        let events = Self(queue.clone());
        let task = tokio::spawn(async move {
            loop {
                let next = queue.lock().pop_front();
                let Some((about, event)) = next else {
                    queue.bell.notified().await;
                    continue;
                };
                let published = timeout(std::time::Duration::from_secs(10), recorder.publish(&event, &about)).await;
                match published {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => debug!(%error, "event not published"),
                    Err(_) => debug!("event not published in time"),
                }
            }
        });
        (events, task)
    }

    /// Something went well. `pod` or claim: what it was done to.
    pub fn normal(&self, set: &Subject, reason: &str, action: &str, target: Option<Target<'_>>, note: String) {
        self.push(EventType::Normal, set, reason, action, target, note);
    }

    /// Something went wrong.
    pub fn warning(&self, set: &Subject, reason: &str, action: &str, target: Option<Target<'_>>, note: String) {
        self.push(EventType::Warning, set, reason, action, target, note);
    }

    /// Waits until all that was dropped here has been published, for a graceful end.
    pub async fn flush(&self) {
        while !self.0.lock().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn push(
        &self,
        type_: EventType,
        set: &Subject,
        reason: &str,
        action: &str,
        target: Option<Target<'_>>,
        note: String,
    ) {
        let about = ObjectReference {
            api_version: Some(SET_API_VERSION.into()),
            kind: Some(SET_KIND.into()),
            namespace: Some(set.namespace.clone()),
            name: Some(set.name.clone()),
            uid: Some(set.uid.clone()),
            ..ObjectReference::default()
        };
        // The recorder takes two events for the same when all but their notes are equal, so the target must be in them.
        let secondary = target.map(|target| ObjectReference {
            api_version: Some("v1".into()),
            kind: Some(target.kind.into()),
            namespace: Some(set.namespace.clone()),
            name: Some(target.name.into()),
            ..ObjectReference::default()
        });
        let event = Event { type_, reason: reason.into(), note: Some(cut(note)), action: action.into(), secondary };
        let mut waiting = self.0.lock();
        if waiting.len() < QUEUE {
            waiting.push_back((about, event));
        }
        drop(waiting);
        self.0.bell.notify_one();
    }
}

/// What something was done to.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// `Pod` or `PersistentVolumeClaim`
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(ObjectReference, Event)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts at the API server's limit, between two characters.
fn cut(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let mark = "…";
        let mut end = LONGEST_NOTE - mark.len();
        while !note.is_char_boundary(end) {
            end -= 1;
        }
        note.truncate(end);
        note.push_str(mark);
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_7_6_notes_are_cut_between_characters() {
        assert_eq!(cut("short".into()), "short");
        for pad in 0..4 {
            let long = cut("x".repeat(pad) + &"가".repeat(1000));
            assert!(long.len() <= LONGEST_NOTE && long.len() > LONGEST_NOTE - 8, "{}", long.len());
            assert!(long.ends_with('…'));
        }
    }
}
