//! Deliberate defects of the operator. Each is a change of one place in the source; the suite must catch every one.

/// Who has to catch it. The whole suite would; this is the part that is run for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judge {
    /// Tests of the planner and the simulation.
    Simulated,
    /// The operator's own unit tests.
    Operator,
    /// A fault plan on a real API server.
    Plan(&'static str),
    /// Live tests with this in their names.
    Live(&'static str),
}

/// A defect.
pub struct Mutant {
    /// What is wrong then.
    pub what: &'static str,
    /// Where.
    pub file: &'static str,
    /// What stands there, once.
    pub from: &'static str,
    /// What stands there then.
    pub to: &'static str,
    /// Who has to catch it.
    pub judge: Judge,
}

const fn simulated(what: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { what, file, from, to, judge: Judge::Simulated }
}

const fn judged(judge: Judge, what: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { what, file, from, to, judge }
}

/// All of them.
pub const ALL: &[Mutant] = &[
    simulated(
        "no freshness gate",
        "src/plan/freshness.rs",
        "unseen.map(|(kind, _)| *kind).or_else(deleted)",
        "unseen.map(|(kind, _)| *kind).or_else(deleted).filter(|_| false)",
    ),
    simulated(
        "the freshness gate forgets deletions",
        "src/plan/freshness.rs",
        "unseen.map(|(kind, _)| *kind).or_else(deleted)",
        "unseen.map(|(kind, _)| *kind).or_else(|| deleted().filter(|_| false))",
    ),
    simulated(
        "a status of any version is overwritten",
        "src/plan/carry.rs",
        r#"json!({"metadata": {"uid": set.uid, "resourceVersion": set.resource_version}, "status": status})"#,
        r#"json!({"metadata": {"uid": set.uid}, "status": status})"#,
    ),
    simulated(
        "orphans are adopted without a live read of the set",
        "src/plan/carry.rs",
        "matches!(self, Self::AdoptPod { .. } | Self::AdoptRevision { .. })",
        "false",
    ),
    simulated(
        "an orphan is adopted whatever its UID",
        "src/plan/carry.rs",
        r#"Ask::Strategic(json!({"metadata": {"uid": uid, "ownerReferences": [owner]}}))"#,
        r#"Ask::Strategic(json!({"metadata": {"ownerReferences": [owner], "x": uid}}))"#,
    ),
    simulated(
        "a pod is repaired whatever its UID",
        "src/plan/carry.rs",
        r#"let mut change = json!({"metadata": {"uid": uid}});"#,
        r#"let mut change = json!({"metadata": {"x": uid}});"#,
    ),
    judged(
        Judge::Operator,
        "a conflict counts as success",
        "src/plan/carry.rs",
        "Self::AdoptPod { .. } | Self::AdoptRevision { .. } | Self::UpdateClaim(_) => answer == Answer::Gone,",
        "Self::AdoptPod { .. } | Self::AdoptRevision { .. } | Self::UpdateClaim(_) => true,",
    ),
    judged(
        Judge::Operator,
        "the status of a pass that saw nothing is written",
        "src/plan/carry.rs",
        "if undetermined { OrdinalSetStatus",
        "if undetermined && false { OrdinalSetStatus",
    ),
    simulated(
        "partition off by one",
        "src/plan/snapshot.rs",
        "i64::from(ordinal) >= i64::from(self.start()) + i64::from(self.partition().max(0))",
        "i64::from(ordinal) > i64::from(self.start()) + i64::from(self.partition().max(0))",
    ),
    simulated(
        "one slot too many",
        "src/plan/view.rs",
        "(start..start + i64::from(set.replicas())).map_while",
        "(start..=start + i64::from(set.replicas())).map_while",
    ),
    simulated(
        "the first slot counts as condemned",
        "src/plan/view.rs",
        "(0..i64::from(set.replicas())).contains(&index)",
        "(1..i64::from(set.replicas())).contains(&index)",
    ),
    simulated(
        "the start of the ordinals is ignored",
        "src/plan/view.rs",
        "let index = i64::from(ordinal) - i64::from(set.start());",
        "let index = i64::from(ordinal);",
    ),
    simulated(
        "pods of others are adopted",
        "src/plan/ownership.rs",
        "Some(owner) if !self.is_the_set(owner) => Verdict::Ignore,",
        "Some(owner) if !self.is_the_set(owner) => Verdict::Adopt,",
    ),
    simulated(
        "what was found out about one pod's labels counts for all",
        "src/plan/ownership.rs",
        "Some((last, verdict)) if last.are_shared(&pod.labels) && !self.set.selects_by_name() => verdict,",
        "Some((_, verdict)) => verdict,",
    ),
    simulated(
        "shared labels stand for the pod's own",
        "src/plan/ownership.rs",
        "Some((last, verdict)) if last.are_shared(&pod.labels) && !self.set.selects_by_name() => verdict,",
        "Some((last, verdict)) if last.are_shared(&pod.labels) => verdict,",
    ),
    simulated(
        "terminating orphans are adopted",
        "src/plan/ownership.rs",
        "None if set.deleting || pod.is_terminating() || !self.matches(pod) => Verdict::Ignore,",
        "None if set.deleting || !self.matches(pod) => Verdict::Ignore,",
    ),
    simulated(
        "a set being deleted makes pods",
        "src/plan/lib.rs",
        "let scaling = if set.deleting { Scaling::default() }",
        "let scaling = if false { Scaling::default() }",
    ),
    simulated(
        "OrderedReady waits for nothing",
        "src/plan/scale.rs",
        "if let Some(why) = unfinished\n        && !view.set.parallel()",
        "if let Some(why) = unfinished\n        && view.set.parallel()",
    ),
    simulated(
        "ready is enough, minReadySeconds is not waited for",
        "src/plan/condition.rs",
        "&& (min_ready <= 0 ||",
        "&& (min_ready >= 0 ||",
    ),
    simulated(
        "condemned pods go all at once in order's name",
        "src/plan/scale.rs",
        "if out.follow(flow, || pod.name.clone(), view.set.parallel()) {\n            break;",
        "if out.follow(flow, || pod.name.clone(), view.set.parallel()) && false {\n            break;",
    ),
    simulated(
        "a stale claim is used",
        "src/plan/scale.rs",
        "if claim::is_stale(view, ordinal, &name) {",
        "if claim::is_stale(view, ordinal, &name) && false {",
    ),
    simulated(
        "an ended pod is not waited for",
        "src/plan/scale.rs",
        "return Flow::Stop(WaitFor::Replacement);",
        "return Flow::Next;",
    ),
    simulated(
        "a pod that fails at once is replaced at once",
        "src/plan/scale.rs",
        "if !pod.is_terminating() && backoff::wait_until(failures, ordinal, pod, view.now).is_none() {",
        "if !pod.is_terminating() && (backoff::wait_until(failures, ordinal, pod, view.now).is_none() || true) {",
    ),
    simulated(
        "pods below the partition are made at the new revision",
        "src/plan/scale.rs",
        "if kept && templates.current.revision != templates.update.revision { Which::Current }",
        "if kept && false { Which::Current }",
    ),
    simulated(
        "one more pod than the budget allows",
        "src/plan/rollout.rs",
        "Budget { max_unavailable: number.max(1),",
        "Budget { max_unavailable: number.max(1) + 1,",
    ),
    simulated(
        "the roll-out takes the lowest pod first",
        "src/plan/rollout.rs",
        "view.slots.iter().rev().filter(|(o, _)| view.set.is_in_update_range(*o))",
        "view.slots.iter().filter(|(o, _)| view.set.is_in_update_range(*o))",
    ),
    simulated(
        "terminating pods are deleted again",
        "src/plan/rollout.rs",
        "candidates.retain(|pod| is_outdated(pod) && !pod.is_terminating());",
        "candidates.retain(|pod| is_outdated(pod));",
    ),
    simulated(
        "no dry run before the first healthy pod goes",
        "src/plan/rollout.rs",
        "rollout.stages.extend(Stage::one_by_one(StageKind::Trial, [Action::TryPod { name, ordinal }]));",
        "drop((name, ordinal));",
    ),
    simulated(
        "OnDelete rolls",
        "src/plan/rollout.rs",
        "if view.set.spec.update_strategy.type_ == UpdateStrategyType::OnDelete {\n        return Vec::new();",
        "if view.set.spec.update_strategy.type_ == UpdateStrategyType::OnDelete && false {\n        return Vec::new();",
    ),
    simulated(
        "an equal revision is made again",
        "src/plan/revision.rs",
        "let equal = |r: &Revision| r.meaning.as_ref() == Some(&set.meaning);",
        "let equal = |r: &Revision| r.meaning.as_ref() == Some(&set.meaning) && r.number > 1_000;",
    ),
    simulated("revisions are not numbered on", "src/plan/revision.rs", "r.number.saturating_add(1)", "r.number"),
    simulated(
        "history forgets revisions that pods use",
        "src/plan/revision.rs",
        "!live.contains(&&r.name) && !used(&r.name)",
        "!live.contains(&&r.name) && (!used(&r.name) || true)",
    ),
    simulated(
        "the current revision moves before pods are available",
        "src/plan/status.rs",
        "if status.replicas == n && status.updated_replicas == n && status.available_replicas == n {",
        "if status.replicas == n && status.updated_replicas == n {",
    ),
    simulated(
        "claims go with the set whatever the policy",
        "src/plan/claim.rs",
        "(policy.when_deleted == Retention::Delete, policy.when_scaled == Retention::Delete);\n        let condemned",
        "(true, policy.when_scaled == Retention::Delete);\n        let condemned",
    ),
    simulated(
        "claims of pods that stay go with them",
        "src/plan/claim.rs",
        "pod: condemned && scaled }",
        "pod: scaled }",
    ),
    simulated(
        "owners that somebody else gave a claim are wiped",
        "src/plan/claim.rs",
        "let unwanted = claim.owners.iter().filter(ours).filter(|o| !add.iter().any(|a| a.uid == o.uid));",
        "let unwanted = claim.owners.iter().filter(|o| ours(o) || true).filter(|o| !add.iter().any(|a| a.uid == o.uid));",
    ),
    judged(
        Judge::Operator,
        "objects that vanished during an outage stay in the cache",
        "src/operator/cache.rs",
        "let changes = gone.into_iter().map(|key| self.put(key, None)).collect();",
        "let changes = gone.into_iter().take(0).map(|key| self.put(key, None)).collect();",
    ),
    judged(
        Judge::Operator,
        "the lease of a live holder is taken",
        "src/operator/leader.rs",
        "Some(_) if now.duration_since(seen.changed_at) >= lease => Step::TakeOver,",
        "Some(_) if now.duration_since(seen.changed_at) >= Duration::ZERO.min(lease) => Step::TakeOver,",
    ),
    judged(
        Judge::Plan("W3"),
        "pods are deleted by name",
        "src/operator/executor.rs",
        "Preconditions { uid: Some(uid.clone()), resource_version: None };",
        "Preconditions { uid: None, resource_version: None };",
    ),
    judged(
        Judge::Plan("W3"),
        "deletions are forced",
        "src/operator/executor.rs",
        "to.delete(&name, &DeleteParams::default().preconditions(exactly))",
        "to.delete(&name, &DeleteParams::default().grace_period(0).preconditions(exactly))",
    ),
    judged(
        Judge::Plan("W1 2:500x20"),
        "what failed is not tried again",
        "src/operator/reconcile.rs",
        "Action::requeue(pause.max(error.retry_after.unwrap_or_default()))",
        "{ let _ = (pause, error.retry_after); Action::await_change() }",
    ),
    judged(
        Judge::Operator,
        "what is not as it was seen is not looked at again",
        "src/operator/reconcile.rs",
        "let soon = report.other_than_seen.then_some(STALE_PAUSE);",
        "let soon = (report.other_than_seen && false).then_some(STALE_PAUSE);",
    ),
    judged(
        Judge::Live("s_2_5_an_orphan_is_adopted_after_a_live_read_of_its_set"),
        "the live read before an adoption is not made",
        "src/operator/executor.rs",
        "let live = call(&self.executor.client, request).await?.metadata;\n",
        "let _ = request;\n        if true {\n            return Ok(());\n        }\n        let live = crate::answer::Ack::default().metadata;\n",
    ),
    judged(
        Judge::Operator,
        "a live read allows adoptions for ever",
        "src/operator/executor.rs",
        "Ok(()) => until = Instant::now() + READ_HOLDS,",
        "Ok(()) => until = Instant::now() + READ_HOLDS * 1_000,",
    ),
    judged(
        Judge::Live("s_8_12"),
        "an operator works without the lease",
        "src/operator/main.rs",
        "let (leading, is_leading) = channel::channel(!run.leader_elect);",
        "let (leading, is_leading) = channel::channel(true);",
    ),
    simulated(
        "a StatefulSet goes before its going is in the API",
        "src/plan/adoption/mod.rs",
        "let actions = if phase == Phase::Releasing { vec![release] } else { Vec::new() };",
        "let actions = vec![release];",
    ),
    simulated(
        "a StatefulSet is taken over whatever was found",
        "src/plan/adoption/mod.rs",
        "let (true, Ok(theirs)) = (problems.is_empty(), &native.set) else {",
        "let (true, Ok(theirs)) = (problems.len() < 100, &native.set) else {",
    ),
    simulated(
        "pods of a StatefulSet have no second owner when it goes",
        "src/plan/adoption/mod.rs",
        "claims.chain(revisions).chain(pods).collect()",
        "claims.chain(revisions).chain(pods.take(0)).collect()",
    ),
    simulated(
        "a set works beside a StatefulSet of its name",
        "src/plan/adoption/mod.rs",
        "_ => match conflict(s, native) {",
        "_ => match conflict(s, native).filter(|_| false) {",
    ),
    judged(
        Judge::Live("takeover::there_and_back::n_3_the_stateful_set"),
        "a StatefulSet that is taken over is deleted with its pods",
        "src/operator/executor.rs",
        "DeleteParams::orphan().preconditions(exactly)",
        "DeleteParams::background().preconditions(exactly)",
    ),
];
