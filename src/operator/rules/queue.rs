//! The whole controller, queue and watches, against a server made of answers, in virtual time.

use super::{Call, Server, set, status};
use crate::{
    controller::{self, Parts, Realm},
    events::Events,
    metrics::Metrics,
};
use serde_json::{Value, json};
use std::{num::NonZeroU16, time::Duration};
use tokio::sync::watch;

/// A controller that leads. Its time is the test's: a minute costs nothing.
struct Running {
    server: Server,
    _leading: watch::Sender<bool>,
}

impl Running {
    fn start(server: Server, workers: u16) -> Self {
        let (leading, is_leading) = watch::channel(true);
        let (realm, writer) = Realm::new(None, false);
        let client = server.client();
        let events = Events::spawn(client.clone(), "queue");
        let workers = NonZeroU16::new(workers).expect("workers");
        let parts = Parts { client, events, metrics: Metrics::new(true), workers, leading: is_leading };
        tokio::spawn(controller::run(parts, realm, writer, std::future::pending()));
        Self { server, _leading: leading }
    }

    async fn after(&self, time: Duration) -> Vec<String> {
        tokio::time::sleep(time).await;
        self.server.words()
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A set of this name with one pod to be made.
fn named(name: &str) -> Value {
    let mut set = set(1, json!({}));
    set["metadata"]["name"] = name.into();
    set["metadata"]["uid"] = format!("{name}-uid").into();
    set
}

fn well() -> Server {
    Server::new(|_| None, Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn s_8_1_no_pass_before_every_cache_is_filled() {
    for kind in ["ordinalsets", "pods", "persistentvolumeclaims", "controllerrevisions", "services"] {
        let (open, may) = watch::channel(false);
        let closed = format!("LIST {kind}/");
        let holds = move |call: &Call| {
            (call.words == closed && !*may.borrow()).then(|| status(500, "InternalError", "not yet"))
        };
        let server = Server::new(holds, Duration::ZERO);
        server.holds("ordinalsets", named("web"));
        let running = Running::start(server, 5);
        assert_eq!(running.after(10 * SECOND).await, [""; 0], "without {kind}");
        open.send_replace(true);
        let words = running.after(60 * SECOND).await;
        assert!(words.contains(&"POST pods/web-0".to_owned()), "with {kind}: {words:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn n_13_after_an_outage_all_watches_are_back_within_seconds_of_each_other() {
    let (away, is_away) = watch::channel(false);
    let answers = move |call: &Call| {
        let read = call.words.starts_with("WATCH") || call.words.starts_with("LIST");
        (read && *is_away.borrow()).then(|| status(503, "ServiceUnavailable", "away"))
    };
    let running = Running::start(Server::new(answers, Duration::ZERO), 5);
    running.after(60 * SECOND).await;
    assert_eq!(running.server.watched(), 5);
    away.send_replace(true);
    running.server.breaks();
    running.after(600 * SECOND).await;
    assert_eq!(running.server.watched(), 0);
    away.send_replace(false);
    running.after(6 * SECOND).await;
    assert_eq!(running.server.watched(), 5, "of five kinds");
}

#[tokio::test(start_paused = true)]
async fn s_8_9_as_many_sets_at_a_time_as_there_are_workers() {
    for workers in [1, 5] {
        let server = Server::new(|_| None, Duration::from_millis(100));
        for n in 0..12 {
            server.holds("ordinalsets", named(&format!("web{n}")));
        }
        // One write at a time per set: a revision, a pod, a status.
        let running = Running::start(server, workers);
        let words = running.after(20 * SECOND).await;
        assert_eq!(words.iter().filter(|w| w.starts_with("POST pods/")).count(), 12, "{words:#?}");
        assert_eq!(running.server.most_at_once(), usize::from(workers));
    }
}

#[tokio::test(start_paused = true)]
async fn s_8_10_time_alone_brings_no_call() {
    let server = well();
    server.holds("ordinalsets", set(0, json!({})));
    let running = Running::start(server, 5);
    let first = running.after(60 * SECOND).await;
    assert!(first.contains(&"PATCH ordinalsets/web/status".to_owned()), "{first:#?}");
    running.server.forget();
    assert_eq!(running.after(48 * 3600 * SECOND).await, [""; 0], "in two days");
}

// also: S-6.5
#[tokio::test(start_paused = true)]
async fn s_8_2_each_event_of_a_set_wakes_it_and_its_end_ends_it() {
    let server = well();
    server.holds("ordinalsets", set(0, json!({})));
    let running = Running::start(server, 5);
    running.after(60 * SECOND).await;
    let changed = async |change: &dyn Fn(&mut Value)| {
        running.server.forget();
        running.server.change("ordinalsets", "web", change);
        running.after(5 * SECOND).await
    };
    assert_eq!(changed(&|s| s["metadata"]["annotations"] = json!({"a": "b"})).await, [""; 0], "nothing to do");
    // The status alone: somebody wrote nonsense.
    assert_eq!(changed(&|s| s["status"]["replicas"] = 7.into()).await, ["PATCH ordinalsets/web/status"]);
    let scaled = changed(&|s| {
        s["metadata"]["generation"] = 2.into();
        s["spec"]["replicas"] = 1.into();
    });
    assert_eq!(scaled.await[0], "POST pods/web-0");

    running.server.remove("ordinalsets", "web");
    running.after(5 * SECOND).await;
    running.server.forget();
    running.server.remove("pods", "web-0");
    assert_eq!(running.after(3600 * SECOND).await, [""; 0], "a set that is gone has no pod made");
}

/// What else becomes of it, and of others: tests/live/server/legacy.rs.
#[tokio::test(start_paused = true)]
async fn o_15_a_set_that_cannot_be_read_is_told_again_before_the_event_expires() {
    let server = well();
    let mut bad = named("bad");
    bad["spec"]["selector"] = json!({});
    server.holds("ordinalsets", bad);
    let running = Running::start(server, 5);
    let told = || running.server.notes().iter().filter(|n| n.starts_with("This OrdinalSet is skipped: ")).count();
    running.after(2400 * SECOND).await;
    assert_eq!(told(), 1, "{:#?}", running.server.notes());
    let words = running.after(1200 * SECOND).await;
    assert_eq!(told(), 2, "within the hour that an event is kept: {:#?}", running.server.notes());
    assert_eq!(words, [""; 0], "nothing is written of it");
    running.server.change("ordinalsets", "bad", |set| set["spec"] = named("bad")["spec"].clone());
    assert!(running.after(SECOND).await.contains(&"POST pods/bad-0".to_owned()), "it is mended");
    running.after(7200 * SECOND).await;
    assert_eq!(told(), 2, "and no more told of");
}

/// One set fails for ever. It is tried ever less often; the other never notices.
// also: N-14
#[tokio::test(start_paused = true)]
async fn s_8_8_a_failing_set_backs_off_alone() {
    let fails = |call: &Call| (call.words == "POST pods/bad-0").then(|| status(500, "InternalError", "no"));
    let server = Server::new(fails, Duration::ZERO);
    server.holds("ordinalsets", named("bad"));
    server.holds("ordinalsets", named("web"));
    let running = Running::start(server, 5);
    let tries = |words: &[String]| words.iter().filter(|w| *w == "POST pods/bad-0").count();
    let words = running.after(SECOND).await;
    let early = tries(&words);
    assert!((3..=10).contains(&early), "{early} tries in the first second");
    assert_eq!(words.iter().filter(|w| *w == "POST pods/web-0").count(), 1, "{words:#?}");
    running.after(120 * SECOND).await;
    running.server.forget();
    let late = tries(&running.after(3600 * SECOND).await);
    assert!((100..=125).contains(&late), "{late} tries in an hour: one in 30 s is the rule");
}
