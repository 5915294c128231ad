//! Everything at once: a store, one or two operators, collectors, nodes, people, and a record of who wrote what. Each write of
//! an operator is judged when it happens (`never`).

use crate::{
    call::{Answer, Call, Reason, Refusal},
    collector,
    fault::Edit,
    kubelet::{self, Dice},
    never::{self, Ledger, Write},
    objects::{Kind, Objects},
    operator::{Begun, Operator},
    promises,
    store::Store,
    workload::SET,
};
use k8s_openapi::jiff::SignedDuration;

/// Passes that even a roll-out of all pods, one by one, does not need.
const LONG: usize = 300;

/// How a call of an operator fares on its way.
#[derive(Clone, Debug, Default)]
pub enum Fate {
    /// It is answered.
    #[default]
    Answered,
    /// It is carried out, and the answer is lost.
    Unheard,
    /// It does not get there, and the operator hears this.
    Refused(Refusal),
}

/// A cluster with operators.
pub struct World {
    /// What is stored.
    pub store: Store,
    /// Those who believe that they lead.
    pub operators: Vec<Working>,
    /// A list was not what there was: who believes it cannot know what is unavailable (N-7).
    lied_to: bool,
    ledger: Ledger,
}

/// An operator, and what is known of it to judge its writes by.
pub struct Working {
    /// Itself.
    pub operator: Operator,
    /// Its caches when its pass began.
    view: [Objects; 5],
    /// Whether the pass has read the set live, and found the one that it was planned for, not being deleted.
    confirmed: bool,
    /// What it wrote since it started: for which set, kind and version.
    written: Vec<(String, Kind, u64)>,
    /// The pods that it deleted since it started: for which set, and their UIDs.
    deleted: Vec<(String, String)>,
}

impl World {
    /// A cluster with these objects, and one operator that has just started.
    pub fn new(store: Store) -> Self {
        let mut world = Self { store, operators: Vec::new(), lied_to: false, ledger: Ledger::default() };
        world.start_operator();
        world
    }

    /// One more operator.
    pub fn start_operator(&mut self) {
        self.start_operator_as_of(self.store.history.len());
    }

    fn start_operator_as_of(&mut self, changes: usize) {
        let operator = Operator::start_as_of(&self.store, SET, changes);
        let view = operator.caches();
        self.operators.push(Working { operator, view, confirmed: false, written: Vec::new(), deleted: Vec::new() });
    }

    /// An operator crashes, amid a pass or not, and starts again with nothing in mind.
    pub fn restart(&mut self, which: usize) {
        self.restart_as_of(which, self.store.history.len());
    }

    /// The same, and what it lists is what there was after so many changes.
    pub fn restart_as_of(&mut self, which: usize, changes: usize) {
        if which < self.operators.len() {
            self.operators.remove(which);
            self.lied_to |= changes < self.store.history.len();
            self.start_operator_as_of(changes);
        }
    }

    /// An operator lists all of a kind again.
    pub fn relist(&mut self, which: usize, kind: Kind) {
        self.operators[which].operator.relist(&self.store, kind);
    }

    /// The same, and the answer is well-formed, empty and wrong.
    pub fn relist_in_vain(&mut self, which: usize, kind: Kind) {
        self.lied_to = true;
        self.operators[which].operator.relist_in_vain(&self.store, kind);
    }

    /// A call of somebody who is no operator of ours.
    pub fn call(&mut self, call: &Call) -> Answer {
        let answer = self.store.apply(call);
        self.ledger.follow(&self.store);
        answer
    }

    /// Somebody spoils what the operators have made.
    pub fn spoil(&mut self, edit: Edit) {
        let names = |kind| self.store.of(kind).keys().cloned().collect::<Vec<_>>();
        for call in edit.calls(&names(Kind::Pod), &names(Kind::Revision)) {
            // What is to be spoilt may not be there.
            let _ = self.call(&call);
        }
    }

    /// Begins a pass, if none is under way.
    ///
    /// # Panics
    /// When it acts on a view that lacks its own writes (N-3).
    pub fn begin(&mut self, which: usize) -> Option<Begun> {
        let working = self.operators.get_mut(which).filter(|w| !w.operator.is_busy())?;
        let begun = working.operator.begin(self.store.now);
        if begun == Begun::Yes {
            working.view = working.operator.caches();
            working.confirmed = false;
            // A namesake starts afresh: what was written for its predecessor is not its own.
            let set = working.operator.planned_for();
            working.written.retain(|(uid, ..)| Some(uid) == set.as_ref());
            let unseen = working.written.iter().find(|(_, kind, version)| !working.operator.has_seen(*kind, *version));
            assert_eq!(unseen, None, "N-3: a pass began before its operator's own write was in its cache");
            working.deleted.retain(|(uid, _)| Some(uid) == set.as_ref());
            let alive =
                |uid: &str| working.view[Kind::Pod as usize].objects().any(|o| o.uid() == uid && !o.is_deleting());
            let unseen = working.deleted.iter().find(|(_, pod)| alive(pod));
            assert_eq!(unseen, None, "N-3: a pass began before its operator's own deletion was in its cache");
        }
        Some(begun)
    }

    /// Makes one call of a pass under way; false when there is none.
    ///
    /// # Panics
    /// When the call breaks an invariant.
    pub fn step(&mut self, which: usize, dice: &mut Dice) -> bool {
        self.step_with(which, dice, &Fate::Answered)
    }

    /// As [`World::step`], and the call fares like this.
    ///
    /// # Panics
    /// When the call breaks an invariant.
    pub fn step_with(&mut self, which: usize, dice: &mut Dice, fate: &Fate) -> bool {
        let Some(working) = self.operators.get_mut(which) else { return false };
        let Some(pass) = working.operator.pass() else { return false };
        let Some(lane) = dice.pick(&pass.ready()).copied() else { return false };
        let (Some(call), set) = (pass.call(lane), pass.set.clone()) else { return false };
        let before = self.store.of(call.kind()).object(call.name()).cloned();
        let answer = match fate {
            Fate::Refused(refusal) => Err(refusal.clone()),
            Fate::Answered | Fate::Unheard => self.store.apply(&call),
        };
        let heard = match fate {
            Fate::Unheard => Err(Reason::InternalError.because("no answer")),
            Fate::Answered | Fate::Refused(_) => answer.clone(),
        };
        let same = heard.as_ref().is_ok_and(|live| live.uid() == set.uid && !live.is_deleting());
        working.confirmed |= matches!(call, Call::Get { kind: Kind::Set, .. }) && same;
        let write = Write { call: &call, before: before.as_deref(), answer: &answer, confirmed: working.confirmed };
        let mut violations = never::judge(&write, &set, &working.view);
        violations.extend(promises::judge(&write, &set, &working.view, &self.store));
        assert!(violations.is_empty(), "{violations:#?}\nby {call}\nanswered {answer:?}");
        // What it did not hear of it cannot wait for.
        if let Ok(object) = &heard {
            match &call {
                Call::Delete { kind: Kind::Pod, .. } => {
                    working.deleted.push((set.uid.clone(), object.uid().to_owned()))
                }
                Call::Delete { .. } => {}
                call if call.writes() => working.written.push((set.uid.clone(), object.kind(), object.version())),
                _ => {}
            }
        }
        working.operator.answered(lane, &heard, self.store.now);
        self.ledger.wrote(&write, &set, &working.view, self.store.now);
        self.ledger.follow(&self.store);
        if self.operators.len() == 1 && !self.lied_to {
            assert_eq!(self.ledger.overdrawn(), None);
        }
        true
    }

    /// One step of a collector; false when there is nothing to collect.
    pub fn collect(&mut self, dice: &mut Dice) -> bool {
        let calls = collector::calls(&self.store);
        let Some(call) = dice.pick(&calls) else { return false };
        let _ = self.call(call);
        true
    }

    /// One step of a node; false when no pod has anywhere to go.
    pub fn kubelet(&mut self, dice: &mut Dice) -> bool {
        let moved = kubelet::step(&mut self.store, dice);
        self.ledger.follow(&self.store);
        moved
    }

    /// No more disturbance: one operator, collectors and nodes do what is to be done, until nobody does anything; tells what
    /// they did last when that takes too long.
    ///
    /// # Errors
    /// The last changes.
    pub fn calm_down(&mut self, dice: &mut Dice) -> Result<(), String> {
        if self.operators.len() > 1 || self.lied_to {
            self.operators.truncate(1);
            self.lied_to = false;
            // Two that knew nothing of each other may have taken a pod each.
            self.ledger = Ledger::default();
        }
        for _ in 0..LONG {
            let written = self.store.history.len();
            while self.step(0, dice) {}
            while self.kubelet(dice) || self.collect(dice) {}
            self.operators[0].operator.catch_up(&self.store);
            let begun = self.begin(0);
            while self.step(0, dice) {}
            let quiet = self.store.history.len() == written && begun != Some(Begun::Stale);
            match self.operators[0].operator.look_again.take() {
                // Only time is waited for.
                Some(at) if quiet => self.store.now = self.store.now.max(at),
                None if quiet => return Ok(()),
                _ => {}
            }
            self.store.now = self.store.now.checked_add(SignedDuration::from_millis(100)).expect("a time");
        }
        let last: Vec<String> = self.store.history.iter().rev().take(12).map(never::told).collect();
        Err(last.join("\n"))
    }
}
