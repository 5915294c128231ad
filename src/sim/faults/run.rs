//! One plan, carried out: what is next is up to nobody but the plan.

use super::portrait::Portrait;
use crate::{
    call::{Reason, Refusal},
    fault::{Fault, Plan},
    kubelet::{self, Dice},
    never,
    operator::Begun,
    store::Store,
    workload::Step,
    world::{Fate, World},
};
use k8s_openapi::jiff::SignedDuration;

/// Things that happen, after which a run that goes on is told to be endless.
const ENDLESS: usize = 20_000;

/// A plan on its way.
pub struct Run<'p> {
    plan: &'p Plan,
    world: World,
    dice: Dice,
    /// Calls that the operators have made.
    calls: usize,
    /// What the next calls hear, and how many.
    refusing: Option<(Refusal, u32)>,
    /// There is a reason to look at the set: a start, or a time that has come. News in the caches are another.
    woken: bool,
}

/// What an operator hears when a call is answered with this code.
pub fn refusal(code: u16) -> Refusal {
    let reason = match code {
        403 => Reason::Forbidden,
        409 => Reason::Conflict,
        422 => Reason::Invalid,
        _ => Reason::InternalError,
    };
    reason.because(format!("answered {code} by the fault plan"))
}

impl<'p> Run<'p> {
    /// A plan in a cluster with nothing in it.
    pub fn of(plan: &'p Plan) -> Self {
        Self { plan, world: World::new(Store::default()), dice: Dice::new(1), calls: 0, refusing: None, woken: true }
    }

    /// How it ends, and after how many calls.
    pub fn play(mut self) -> (Portrait, usize) {
        for step in self.plan.workload.steps() {
            self.step(&step);
        }
        self.rest();
        let calls = self.calls;
        self.stays_quiet();
        (Portrait::of(&self.world.store), calls)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Call(call) => _ = self.world.call(call).unwrap_or_else(|e| panic!("{call} was refused: {e}")),
            Step::Fails(pod) => kubelet::end(&mut self.world.store, pod, "Failed"),
            Step::Rest => self.rest(),
            Step::Until { pod, image } => self.until(|store| is_ready(store, pod, image)),
        }
    }

    fn rest(&mut self) {
        let mut left = ENDLESS;
        while self.happens() {
            left -= 1;
            assert!(left > 0, "it does not come to rest; last\n{}", self.last_changes());
        }
    }

    fn until(&mut self, there: impl Fn(&Store) -> bool) {
        for _ in 0..ENDLESS {
            if there(&self.world.store) {
                return;
            }
            assert!(self.happens(), "it came to rest before; last\n{}", self.last_changes());
        }
        panic!("it goes on without end; last\n{}", self.last_changes());
    }

    /// I0: nobody writes any more, a new operator neither, however much time passes.
    fn stays_quiet(&mut self) {
        let before = (self.world.store.history.len(), self.calls);
        for restarts in [false, true] {
            if restarts {
                self.restart();
            }
            self.wait(SignedDuration::from_secs(30));
            self.woken = true;
            self.rest();
        }
        let after = (self.world.store.history.len(), self.calls);
        assert_eq!(before, after, "changes and calls: it is over, and still\n{}", self.last_changes());
    }

    fn wait(&mut self, time: SignedDuration) {
        self.world.store.now = self.world.store.now.checked_add(time).expect("a time");
    }

    /// The next thing that happens by itself; false when nothing does any more.
    fn happens(&mut self) -> bool {
        let busy = self.world.operators[0].operator.is_busy();
        if busy && !self.dice.once_in(3) {
            self.call();
            return true;
        }
        if self.world.kubelet(&mut self.dice) || self.world.collect(&mut self.dice) {
            return true;
        }
        if busy {
            self.call();
            return true;
        }
        let World { store, operators, .. } = &mut self.world;
        let operator = &mut operators[0].operator;
        if !self.woken && !operator.is_behind(store) {
            let Some(at) = operator.look_again.take() else { return false };
            store.now = store.now.max(at);
        }
        operator.catch_up(store);
        self.woken = false;
        let begun = self.world.begin(0);
        assert_ne!(begun, Some(Begun::Stale), "its caches have all there is");
        true
    }

    fn restart(&mut self) {
        self.world.restart(0);
        self.woken = true;
    }

    /// The operator's next call, and what the plan has for it.
    fn call(&mut self) {
        let number = self.calls;
        self.calls += 1;
        if let Some((refusal, left)) = self.refusing.take() {
            self.refusing = (left > 1).then(|| (refusal.clone(), left - 1));
            self.send(&Fate::Refused(refusal));
            return;
        }
        match self.plan.faults.get(&number) {
            None => self.send(&Fate::Answered),
            Some(Fault::LostReply | Fault::HungReply) => self.send(&Fate::Unheard),
            Some(Fault::CrashAfter) => {
                self.send(&Fate::Unheard);
                self.restart();
            }
            Some(Fault::CrashBefore) => self.restart(),
            Some(Fault::Answer { code, times }) => {
                self.refusing = (*times > 1).then(|| (refusal(*code), times - 1));
                self.send(&Fate::Refused(refusal(*code)));
            }
            Some(Fault::Foreign(edit)) => {
                self.world.spoil(*edit);
                self.send(&Fate::Answered);
            }
        }
    }

    fn send(&mut self, fate: &Fate) {
        assert!(self.world.step_with(0, &mut self.dice, fate), "a busy operator makes a call");
    }

    fn last_changes(&self) -> String {
        let last: Vec<String> = self.world.store.history.iter().rev().take(12).map(never::told).collect();
        last.join("\n")
    }
}

fn is_ready(store: &Store, pod: &str, image: &str) -> bool {
    store.pods.get(pod).is_some_and(|pod| {
        pod["spec"]["containers"][0]["image"] == image && pod["status"]["conditions"][0]["status"] == "True"
    })
}
