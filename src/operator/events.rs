//! Events off the path of a pass: publishing is a request of its own, and one that is lost never changes what is done
//! (S-7.6). One of the files that write.
//!
//! Not kube's `Recorder`: that one takes two events for the same when only their notes differ, and then shows the first
//! note for ever, so that a quota's refusal would stand where a webhook's is meant.

use crate::gather::{Deed, Gather, Thing, ranges};
use k8s_openapi::{
    api::{
        core::v1::ObjectReference,
        events::v1::{Event, EventSeries},
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use ordinal_plan::snapshot::{SET_API_VERSION, SET_KIND};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};
use tracing::{debug, warn};

/// A slow start of 500 pods with a claim each, twice over; more at a time tells nobody more.
const QUEUE: usize = 2_000;

/// So many warnings of one set at once, and one more every ten seconds: a set that goes on about something must not drown
/// the others. The native 25 would hide pods of a set that a person still looks through.
const BURST: f64 = 100.0;
const REFILL: Duration = Duration::from_secs(10);

/// An event that comes again within this is counted up instead of written anew.
const SAME: Duration = Duration::from_secs(360);

/// So many events are remembered twice over, to be counted up should they come again.
const HALF: usize = 1_024;

/// The API server's limit for a note, in bytes.
const LONGEST_NOTE: usize = 1_024;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Event>,
    gather: Gather,
    /// One is being published.
    busy: bool,
    /// Nothing is kept back any more.
    closing: bool,
}

impl Events {
    /// Publishes in the background, one at a time and in order.
    pub fn spawn(client: Client, identity: &str) -> Self {
        let queue = Arc::new(Queue { state: Mutex::default(), bell: Notify::new() });
        let events = Self(queue.clone());
        let mut publisher =
            Publisher { client, identity: identity.to_owned(), known: Known::default(), sets: HashMap::new() };
        tokio::spawn(async move {
            // The server's words, of which there are as many as verbs and namespaces.
            let mut refused = BTreeSet::new();
            loop {
                let event = match queue.next() {
                    Next::Event(event) => *event,
                    Next::At(due) => {
                        let _ = timeout_at(due, queue.bell.notified()).await;
                        continue;
                    }
                    Next::Nothing => {
                        queue.bell.notified().await;
                        continue;
                    }
                };
                match timeout(Duration::from_secs(10), publisher.publish(event)).await {
                    Ok(Ok(())) => {}
                    // Whoever has no right to make events has it for none of them.
                    Ok(Err(kube::Error::Api(refusal))) if refusal.code == 403 => {
                        // Before this, it has the event's name.
                        let why = refusal.message.split_once(" is forbidden: ").map_or("", |(_, why)| why);
                        // Quotas, policies and namespaces that are on their way out speak otherwise.
                        if why.starts_with("User ") && refused.insert(why.to_owned()) {
                            warn!("no permission for events: {}", refusal.message);
                        }
                    }
                    Ok(Err(error)) => debug!(%error, "event not published"),
                    Err(_) => debug!("event not published in time"),
                }
            }
        });
        events
    }

    /// Something went well.
    pub fn normal(&self, set: &Subject, reason: &str, action: &str, target: Option<Target<'_>>, note: String) {
        self.push(event("Normal", set, reason, action, target, note));
    }

    /// Something went wrong.
    pub fn warning(&self, set: &Subject, reason: &str, action: &str, target: Option<Target<'_>>, note: String) {
        self.push(event("Warning", set, reason, action, target, note));
    }

    /// Something of which there may be many went well; `note` is for the case that it is told alone.
    pub fn done(&self, deed: &Deed, name: &str, amid: bool, note: impl FnOnce() -> String) {
        if self.0.lock().gather.add(deed, name, amid, Instant::now()) {
            self.push(done(deed, Some(name), note()));
        } else {
            // It may be due before what is waited for.
            self.0.bell.notify_one();
        }
    }

    /// Waits until all that was dropped here has been published, for a graceful end.
    pub async fn flush(&self) {
        self.0.lock().closing = true;
        self.0.bell.notify_one();
        while !self.0.lock().is_done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn push(&self, event: Event) {
        let mut state = self.0.lock();
        if state.waiting.len() < QUEUE {
            state.waiting.push_back(event);
        }
        drop(state);
        self.0.bell.notify_one();
    }
}

fn event(type_: &str, set: &Subject, reason: &str, action: &str, target: Option<Target<'_>>, note: String) -> Event {
    let about = ObjectReference {
        api_version: Some(SET_API_VERSION.into()),
        kind: Some(SET_KIND.into()),
        namespace: Some(set.namespace.clone()),
        name: Some(set.name.clone()),
        uid: Some(set.uid.clone()),
        ..ObjectReference::default()
    };
    let related = target.map(|target| ObjectReference {
        api_version: Some("v1".into()),
        kind: Some(target.kind.into()),
        namespace: Some(set.namespace.clone()),
        name: Some(target.name.into()),
        ..ObjectReference::default()
    });
    Event {
        type_: Some(type_.into()),
        reason: Some(reason.into()),
        action: Some(action.into()),
        note: Some(cut(note)),
        regarding: Some(about),
        related,
        event_time: Some(MicroTime(Timestamp::now())),
        ..Event::default()
    }
}

/// The event of a deed, done to one object or to several.
fn done(deed: &Deed, name: Option<&str>, note: String) -> Event {
    let kind = match deed.thing {
        Thing::Pod => "Pod",
        Thing::Claim => "PersistentVolumeClaim",
    };
    let target = name.map(|name| Target { kind, name });
    event("Normal", &deed.set, &format!("Successful{}", deed.verb), deed.verb, target, note)
}

/// The note for several, in the words of one.
fn together(deed: &Deed, names: &BTreeSet<String>) -> String {
    let (things, well) = match deed.thing {
        Thing::Pod => ("Pod", "successful"),
        Thing::Claim => ("Claim", "success"),
    };
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{} {things}{plural} {} in OrdinalSet {} {well}", deed.verb, ranges(names), deed.set.name)
}

/// Writes events, each new one once and a repeated one as a count.
struct Publisher {
    client: Client,
    identity: String,
    known: Known,
    sets: HashMap<String, Bucket>,
}

/// Events of late, in two halves: when the newer is full, the older is forgotten. So many sets may have much to tell.
#[derive(Default)]
struct Known {
    newer: HashMap<Same, Published>,
    older: HashMap<Same, Published>,
}

impl Known {
    /// The same event, if it was published not long ago.
    fn get(&mut self, same: &Same) -> Option<&mut Published> {
        if let Some(published) = self.older.remove(same) {
            self.put(same.clone(), published);
        }
        self.newer.get_mut(same).filter(|published| published.at.elapsed() < SAME)
    }

    fn put(&mut self, same: Same, published: Published) {
        if self.newer.len() >= HALF {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(same, published);
    }
}

/// What makes two events the same: type, reason, note, and the UID of the set.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Same(Option<String>, Option<String>, Option<String>, String);

struct Published {
    name: String,
    count: i32,
    at: Instant,
}

impl Publisher {
    async fn publish(&mut self, mut event: Event) -> kube::Result<()> {
        let about = event.regarding.clone().unwrap_or_default();
        let (namespace, uid) = (about.namespace.unwrap_or_default(), about.uid.unwrap_or_default());
        self.sets.retain(|_, bucket| !bucket.is_full());
        // Successes have a pace of their own.
        let may_drown = event.type_.as_deref() == Some("Warning");
        if may_drown && !self.sets.entry(uid.clone()).or_default().take() {
            return Ok(());
        }
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        let same = Same(event.type_.clone(), event.reason.clone(), event.note.clone(), uid);
        if let Some(published) = self.known.get(&same) {
            published.count = published.count.saturating_add(1);
            published.at = Instant::now();
            let last_observed_time = event.event_time.clone().unwrap_or(MicroTime(Timestamp::now()));
            let series = EventSeries { count: published.count, last_observed_time };
            let patch = Patch::Merge(json!({"series": series}));
            let patched = api.patch_metadata(&published.name, &PatchParams::default(), &patch).await;
            // Its time at the API server may be over before it is here.
            if !matches!(&patched, Err(kube::Error::Api(s)) if s.is_not_found()) {
                return patched.map(drop);
            }
        }
        let name = format!("{}.{:x}", about.name.unwrap_or_default(), Timestamp::now().as_nanosecond());
        event.metadata.name = Some(name.clone());
        event.metadata.namespace = Some(namespace);
        event.reporting_controller = Some("ordinalset-controller".into());
        event.reporting_instance = Some(self.identity.chars().take(128).collect());
        api.create(&PostParams::default(), &event).await?;
        self.known.put(same, Published { name, count: 1, at: Instant::now() });
        Ok(())
    }
}

/// How many events a set may still have.
struct Bucket {
    left: f64,
    at: Instant,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { left: BURST, at: Instant::now() }
    }
}

impl Bucket {
    fn fill(&self) -> f64 {
        (self.left + self.at.elapsed().as_secs_f64() / REFILL.as_secs_f64()).min(BURST)
    }

    fn is_full(&self) -> bool {
        self.fill() >= BURST
    }

    fn take(&mut self) -> bool {
        let left = self.fill();
        let taken = left >= 1.0;
        *self = Self { left: if taken { left - 1.0 } else { left }, at: Instant::now() };
        taken
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

/// What the publisher does next.
enum Next {
    Event(Box<Event>),
    /// It looks again then.
    At(Instant),
    Nothing,
}

impl Queue {
    /// The oldest event; from then on the publisher counts as busy until it asks again.
    fn next(&self) -> Next {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.waiting.is_empty() {
            let due = state.gather.due(Instant::now(), state.closing);
            state.waiting.extend(due.into_iter().map(|(deed, names)| {
                let only = names.first().filter(|_| names.len() == 1).map(String::as_str);
                done(&deed, only, together(&deed, &names))
            }));
        }
        let next = state.waiting.pop_front();
        state.busy = next.is_some();
        match (next, state.gather.next_due()) {
            (Some(event), _) => Next::Event(Box::new(event)),
            (None, Some(due)) => Next::At(due),
            (None, None) => Next::Nothing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_done(&self) -> bool {
        !self.busy && self.waiting.is_empty() && self.gather.is_told()
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
    use crate::rules::{Call, Server, status};

    /// Method and count of each call that published something.
    fn published(server: &Server) -> Vec<(String, Option<i64>)> {
        let method = |c: &Call| c.words.split(' ').next().unwrap_or_default().to_owned();
        server.events().iter().map(|c| (method(c), c.body["series"]["count"].as_i64())).collect()
    }

    fn about(uid: &str) -> Subject {
        Subject { namespace: "ns".into(), name: "web".into(), uid: uid.into() }
    }

    async fn tell(events: &Events, uid: &str, note: &str) {
        events.warning(&about(uid), "FailedCreate", "Create", None, note.into());
        events.flush().await;
    }

    #[tokio::test(start_paused = true)]
    async fn s_7_6_an_event_that_comes_again_is_counted_up_and_another_note_is_another_event() {
        let server = Server::new(|_| None, Duration::ZERO);
        let events = Events::spawn(server.client(), "me");
        for note in ["quota", "quota", "webhook", "quota"] {
            tell(&events, "u", note).await;
        }
        tell(&events, "a namesake", "quota").await;
        let made = |count: Option<i64>| (if count.is_some() { "PATCH" } else { "POST" }.to_owned(), count);
        assert_eq!(published(&server), [None, Some(2), None, Some(3), None].map(made));
        let names: Vec<_> = server.events().into_iter().map(|c| c.words).collect();
        assert_eq!(names[1].replace("PATCH", "POST"), names[0], "the one that was written is counted up");
        tokio::time::sleep(SAME + Duration::from_secs(1)).await;
        tell(&events, "u", "quota").await;
        assert_eq!(published(&server)[5..], [made(None)], "long ago is not again");
    }

    #[tokio::test(start_paused = true)]
    async fn s_7_6_an_event_that_the_server_has_dropped_is_written_anew() {
        let dropped = |call: &Call| call.words.starts_with("PATCH events/").then(|| status(404, "NotFound", "gone"));
        let server = Server::new(dropped, Duration::ZERO);
        let events = Events::spawn(server.client(), "me");
        tell(&events, "u", "quota").await;
        tell(&events, "u", "quota").await;
        let methods: Vec<_> = published(&server).into_iter().map(|(method, _)| method).collect();
        assert_eq!(methods, ["POST", "PATCH", "POST"]);
    }

    #[test]
    fn s_7_6_of_many_events_the_last_are_remembered() {
        let same = |n: usize| Same(None, None, Some(n.to_string()), "u".into());
        let published = || Published { name: "e".into(), count: 1, at: Instant::now() };
        let mut known = Known::default();
        for n in 0..10 * HALF {
            known.put(same(n), published());
            assert!(known.get(&same(0)).is_some(), "what comes again is not forgotten");
        }
        assert!(known.get(&same(9 * HALF + 1)).is_some() && known.get(&same(1)).is_none());
        assert!(known.newer.len() + known.older.len() <= 2 * HALF);
    }

    #[test]
    fn s_7_6_a_set_that_goes_on_is_cut_short() {
        let mut bucket = Bucket::default();
        let passed = (0..150).filter(|_| bucket.take()).count();
        assert_eq!(passed, 100);
    }

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
