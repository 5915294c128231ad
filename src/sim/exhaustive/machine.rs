//! What can happen in a state. Every step is made by the store, the planner and the pass themselves, on objects that are parsed
//! once; what a step makes of its object is remembered, since nothing else in the state can change it.

use super::state::{SLOTS, State};
use crate::{
    call::{Call, Deletion},
    cluster::judged_plan,
    kubelet,
    objects::{Kind, Object, Objects},
    operator::collect,
    pass::Pass,
    store::Store,
    stories::spec,
};
use ordinal_plan::{
    action::Template,
    pod, revision,
    snapshot::{Memory, Set, Trial, Verdict},
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

/// One kind of set.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// `spec.replicas`
    pub replicas: usize,
    /// `spec.podManagementPolicy`
    pub parallel: bool,
    /// `maxUnavailable`
    pub max_unavailable: usize,
    /// `partition`
    pub partition: usize,
}

/// A set's steps.
pub struct Machine {
    /// The set's kind.
    pub config: Config,
    /// By template and current revision.
    sets: [[Arc<Set>; 2]; 2],
    revisions: [Arc<Object>; 2],
    /// By slot; the first entry is nothing.
    pods: [Vec<Option<Arc<Object>>>; SLOTS],
    index: HashMap<(usize, String), u8>,
    /// What else than the operator can become of a pod, by slot and pod.
    moves: HashMap<(usize, u8), Vec<u8>>,
    /// The first entry is none.
    passes: Vec<Option<Pass>>,
    pass_index: HashMap<String, u32>,
    begun: HashMap<u64, u32>,
    /// What the call of a pass's lane is about.
    about: HashMap<(u32, usize), About>,
    /// What it makes of the pod, and of the pass.
    acted: HashMap<(u32, usize, u8, bool), Acted>,
    /// How often the planner was asked.
    pub plans: usize,
}

/// Something that happens to a pod.
type Change<'c> = Box<dyn Fn(&mut Store) + 'c>;

/// What a call is about.
#[derive(Clone, Copy)]
struct About {
    what: What,
    /// Whether the pass was planned for the second template.
    for_second: bool,
}

#[derive(Clone, Copy)]
enum What {
    Pod(usize),
    Revision,
    /// The status, and whether it names the second revision as the current one.
    Status {
        second: bool,
    },
}

/// What came of a call.
#[derive(Clone, Copy)]
struct Acted {
    pass: u32,
    pod: u8,
    tried: bool,
}

impl Machine {
    /// A machine for one kind of set.
    pub fn new(config: Config) -> Self {
        let images = ["a", "b"];
        let set = |template: usize, current: &str| {
            let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {
                "partition": config.partition, "maxUnavailable": config.max_unavailable,
            }});
            let policy = if config.parallel { "Parallel" } else { "OrderedReady" };
            let mut spec = spec(
                i32::try_from(config.replicas).expect("a few"),
                json!({"podManagementPolicy": policy, "updateStrategy": strategy}),
            );
            spec["template"]["spec"]["containers"][0]["image"] = images[template].into();
            let metadata = json!({"name": "web", "namespace": "ns", "uid": "set", "generation": template + 1});
            let set = json!({"metadata": metadata, "spec": spec, "status": {"currentRevision": current}});
            Object::new(Kind::Set, set).as_set().expect("a set")
        };
        let bare = [0, 1].map(|template| set(template, ""));
        let names = bare.each_ref().map(|s| format!("web-{}", revision::hash(&revision::data(&s.template), 0)));
        let revisions = [0, 1].map(|n| {
            let hash = names[n].trim_start_matches("web-");
            let mut object = revision::desired(&bare[n], &names[n], hash, i64::try_from(n).unwrap_or(0) + 1);
            object["metadata"]["uid"] = names[n].as_str().into();
            Arc::new(Object::new(Kind::Revision, object))
        });
        let sets = [0, 1].map(|template| names.each_ref().map(|current| set(template, current)));
        let mut machine = Self {
            config,
            sets,
            revisions,
            pods: [0; SLOTS].map(|_| vec![None]),
            index: HashMap::new(),
            moves: HashMap::new(),
            passes: vec![None],
            pass_index: HashMap::new(),
            begun: HashMap::new(),
            about: HashMap::new(),
            acted: HashMap::new(),
            plans: 0,
        };
        // Every pod that its node, or somebody who deletes it, can make of a new one.
        for slot in 0..SLOTS {
            for n in 0..2 {
                let template = Template { revision: names[n].clone(), value: bare[n].template.clone() };
                let ordinal = i32::try_from(slot).expect("a few");
                let mut store = Store::default();
                let object = pod::desired(&bare[n], ordinal, &template);
                let made = store.apply(&Call::Create { kind: Kind::Pod, object, dry_run: false }).expect("made");
                machine.intern(slot, Some(&made));
            }
            let mut next = 1;
            while next < machine.pods[slot].len() {
                machine.find_moves(slot, u8::try_from(next).expect("few"));
                next += 1;
            }
        }
        machine
    }

    /// All pods there can be in a slot, nothing included.
    pub fn conditions(&self, slot: usize) -> usize {
        self.pods[slot].len()
    }

    /// A pod of a slot.
    pub fn pod(&self, slot: usize, id: u8) -> Option<&Arc<Object>> {
        self.pods[slot][usize::from(id)].as_ref()
    }

    /// Whether a pod is at the second revision.
    pub fn is_second(&self, object: &Object) -> bool {
        object.value()["metadata"]["labels"]["controller-revision-hash"] == self.revisions[1].name()
    }

    /// All states that one step leads to.
    pub fn next(&mut self, s: State) -> Vec<State> {
        let mut all = Vec::with_capacity(16);
        if s.pass == 0 {
            all.push(self.begin(s));
        } else {
            let lanes = self.passes[s.pass as usize].as_ref().map(Pass::ready).unwrap_or_default();
            all.extend(lanes.into_iter().map(|lane| self.act(s, lane)));
        }
        if !s.crashed {
            all.push(State { pass: 0, seen: [true; SLOTS], tried: false, crashed: true, ..s });
        }
        if !s.changed {
            all.push(State { changed: true, tried: false, ..s });
        }
        for slot in 0..SLOTS {
            let moves = self.moves.get(&(slot, s.pods[slot])).cloned().unwrap_or_default();
            all.extend(moves.into_iter().map(|pod| with_pod(s, slot, pod)));
        }
        all
    }

    /// The one next step when nothing more goes wrong; the same state at rest. Nodes that are `stuck` stop and start pods, but
    /// make none ready.
    pub fn calm(&mut self, s: State, stuck: bool) -> State {
        if s.pass != 0 {
            let lane = self.passes[s.pass as usize].as_ref().and_then(|p| p.next_call().map(|(lane, _)| lane));
            return self.act(s, lane.unwrap_or(0));
        }
        for slot in 0..SLOTS {
            let Some(pod) = self.pod(slot, s.pods[slot]) else { continue };
            let starts = pod.is_deleting() || pod.value()["status"]["phase"] == "Pending";
            if kubelet::can_move(pod.value()) && (starts || !stuck) {
                // The node's own next step is the first of a pod's moves.
                return with_pod(s, slot, self.moves[&(slot, s.pods[slot])][0]);
            }
        }
        if s.changed { self.begin(s) } else { State { changed: true, tried: false, ..s } }
    }

    /// Whether the pass that has just begun writes nothing but a status that says nothing new.
    pub fn is_idle(&self, s: State) -> bool {
        let status = self.passes[s.pass as usize].as_ref().and_then(Pass::only_status);
        status.as_deref() == Some(self.revisions[usize::from(s.promoted)].name())
    }

    /// A state in words.
    pub fn told(&self, s: State) -> String {
        let pod = |slot: usize| match self.pod(slot, s.pods[slot]) {
            None => "nothing".to_owned(),
            Some(pod) => {
                let revision = if self.is_second(pod) { "second" } else { "first" };
                let deleting = if pod.is_deleting() { " terminating" } else { "" };
                format!("{revision} {}{deleting}", pod.value()["status"])
            }
        };
        let pods: Vec<String> = (0..SLOTS).map(pod).collect();
        let left = self.passes[s.pass as usize].as_ref().map(Pass::left);
        format!("{pods:#?} with {s:?}, and of the pass {left:?}")
    }

    /// A pass over what there is now.
    pub fn begin(&mut self, s: State) -> State {
        let key = State { crashed: false, pass: 0, seen: [true; SLOTS], ..s }.pack();
        if let Some(pass) = self.begun.get(&key) {
            return State { pass: *pass, ..s };
        }
        self.plans += 1;
        let set = self.sets[usize::from(s.changed)][usize::from(s.promoted)].clone();
        let [mut pods, claims, mut revisions, services] =
            [Kind::Pod, Kind::Claim, Kind::Revision, Kind::Service].map(Objects::new);
        for slot in 0..SLOTS {
            if let Some(pod) = self.pod(slot, s.pods[slot]) {
                pods.put(pod.name().to_owned(), pod.clone());
            }
        }
        for revision in &self.revisions[..=usize::from(s.recorded)] {
            revisions.put(revision.name().to_owned(), revision.clone());
        }
        let trial = s.tried.then(|| Trial {
            revision: self.revisions[usize::from(s.changed)].name().to_owned(),
            generation: set.generation,
            verdict: Verdict::Passed,
        });
        let memory = Memory { trial, ..Memory::default() };
        let now = Store::default().now;
        let plan = judged_plan(&collect(set.clone(), [&pods, &claims, &revisions, &services], now, memory));
        let pass = self.intern_pass(Pass::new(set, Arc::new(plan)));
        self.begun.insert(key, pass);
        State { pass, ..s }
    }

    /// One call of the pass under way.
    fn act(&mut self, s: State, lane: usize) -> State {
        let about = match self.about.get(&(s.pass, lane)) {
            Some(about) => *about,
            None => self.look_at(s.pass, lane),
        };
        let changed_since = about.for_second != s.changed;
        let (pod, same) = match about.what {
            What::Pod(slot) => (s.pods[slot], s.seen[slot]),
            What::Status { .. } => (0, !changed_since),
            What::Revision => (0, !s.recorded),
        };
        let acted = match self.acted.get(&(s.pass, lane, pod, same)) {
            Some(acted) => *acted,
            None => self.send(s.pass, lane, about.what, pod, same),
        };
        let mut after = match about.what {
            What::Pod(slot) => with_pod(s, slot, acted.pod),
            What::Status { second } if !changed_since => State { promoted: second, ..s },
            What::Status { .. } => s,
            What::Revision => State { recorded: true, ..s },
        };
        after.pass = acted.pass;
        if after.pass == 0 {
            after.seen = [true; SLOTS];
            // What passed for the first template says nothing of the second.
            after.tried = acted.tried && !changed_since;
        }
        after
    }

    /// What the next call of a lane is about.
    fn look_at(&mut self, pass: u32, lane: usize) -> About {
        let under_way = self.passes[pass as usize].as_ref().expect("a pass under way");
        let call = under_way.call(lane).expect("a call");
        let what = match &call {
            Call::Patch { kind: Kind::Set, patch, .. } => {
                What::Status { second: patch["status"]["currentRevision"] == self.revisions[1].name() }
            }
            call if call.kind() == Kind::Revision => What::Revision,
            call => What::Pod(call.name().trim_start_matches("web-").parse().expect("an ordinal")),
        };
        let about = About { what, for_second: under_way.set.generation == 2 };
        self.about.insert((pass, lane), about);
        about
    }

    /// Asks a store that holds what the call is about. `same`: it is what the pass has seen.
    fn send(&mut self, pass: u32, lane: usize, what: What, pod: u8, same: bool) -> Acted {
        let mut after = self.passes[pass as usize].clone().expect("a pass under way");
        let mut call = after.call(lane).expect("a call");
        let mut store = Store::default();
        match what {
            What::Pod(slot) => {
                if let Some(pod) = self.pod(slot, pod) {
                    let mut object = pod.value().clone();
                    if !same {
                        object["metadata"]["uid"] = "a successor".into();
                    }
                    store.plant(Kind::Pod, object);
                }
            }
            What::Revision if !same => drop(store.plant(Kind::Revision, self.revisions[1].value().clone())),
            What::Revision => {}
            What::Status { .. } => {
                let set = json!({"metadata": {"name": "web", "uid": "set"}});
                let version = store.plant(Kind::Set, set).version().to_string();
                // A set that was changed has another version than the pass knows.
                let known = if same { version } else { "0".into() };
                if let Call::Patch { patch, .. } = &mut call {
                    patch["metadata"]["resourceVersion"] = known.into();
                }
            }
        }
        let answer = store.apply(&call);
        after.answered(lane, &answer, store.now);
        let pod_after = match what {
            What::Pod(slot) => self.intern(slot, store.pods.object(call.name())),
            _ => 0,
        };
        let tried = after.memory(&Memory::default()).trial.is_some_and(|t| t.verdict == Verdict::Passed);
        let next = if after.is_over() { 0 } else { self.intern_pass(after) };
        let acted = Acted { pass: next, pod: pod_after, tried };
        self.acted.insert((pass, lane, pod, same), acted);
        acted
    }

    fn intern_pass(&mut self, pass: Pass) -> u32 {
        let left = pass.left();
        let next = u32::try_from(self.passes.len()).expect("fewer passes");
        let id = *self.pass_index.entry(left).or_insert(next);
        if id == next {
            self.passes.push(Some(pass));
        }
        id
    }

    /// A pod without what does not matter of it: versions, times of creation, UIDs.
    fn intern(&mut self, slot: usize, pod: Option<&Arc<Object>>) -> u8 {
        let Some(pod) = pod else { return 0 };
        let mut object = pod.value().clone();
        let name = pod.name().to_owned();
        let meta = &mut object["metadata"];
        meta["uid"] = name.into();
        meta["resourceVersion"] = Value::Null;
        // Long ago: nothing fails at once here (O-7).
        meta["creationTimestamp"] = "2025-12-31T00:00:00Z".into();
        let next = u8::try_from(self.pods[slot].len()).expect("few pods");
        let id = *self.index.entry((slot, object.to_string())).or_insert(next);
        if id == next {
            self.pods[slot].push(Some(Arc::new(Object::new(Kind::Pod, object))));
        }
        id
    }

    /// What can become of a pod without the operator: its node's next step first.
    fn find_moves(&mut self, slot: usize, id: u8) {
        let pod = self.pod(slot, id).cloned().expect("a pod");
        let name = pod.name().to_owned();
        let (kind, how) = (Kind::Pod, Deletion::default());
        let running = pod.value()["status"]["phase"] == "Running";
        let mut after = Vec::new();
        let mut steps: Vec<Change<'_>> = Vec::new();
        if kubelet::can_move(pod.value()) {
            steps.push(Box::new(|s| kubelet::advance(s, &name)));
        }
        let phase = |phase: &'static str| json!({"phase": phase, "conditions": null});
        if !pod.is_deleting() && kubelet_has(&pod) {
            steps.push(Box::new(|s| kubelet::report(s, &name, phase("Failed"))));
            steps.push(Box::new(|s| kubelet::report(s, &name, phase("Succeeded"))));
            steps.push(Box::new(|s| kubelet::report(s, &name, phase("Unknown"))));
        }
        if !pod.is_deleting() && running {
            steps.push(Box::new(|s| kubelet::report(s, &name, phase("Running"))));
        }
        steps.push(Box::new(|s| drop(s.apply(&Call::Bind { pod: name.clone(), node: "node".into() }))));
        steps.push(Box::new(|s| drop(s.apply(&Call::Delete { kind, name: name.clone(), how: how.clone() }))));
        for step in steps {
            let mut store = Store::default();
            store.plant(Kind::Pod, pod.value().clone());
            step(&mut store);
            let became = self.intern(slot, store.pods.object(&name));
            if became != id && !after.contains(&became) {
                after.push(became);
            }
        }
        self.moves.insert((slot, id), after);
    }
}

/// Whether a node can report anything of it that is new.
fn kubelet_has(pod: &Object) -> bool {
    let bound = pod.value()["spec"]["nodeName"].is_string();
    bound && !matches!(pod.value()["status"]["phase"].as_str(), Some("Failed" | "Succeeded"))
}

fn with_pod(s: State, slot: usize, pod: u8) -> State {
    let mut after = s;
    // A pod that is gone will not be the one that was seen, whatever comes in its place.
    if pod == 0 && s.pass != 0 {
        after.seen[slot] = false;
    }
    after.pods[slot] = pod;
    after
}
