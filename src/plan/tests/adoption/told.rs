//! What is worth an event, and what says that the operator may not see StatefulSets.

use ordinal_api::{Condition, OrdinalSetStatus};
use ordinal_plan::adoption::{CONDITION, HELD, is_disabled, news};
use serde_json::json;

fn status(conditions: &[(&str, &str, &str)]) -> OrdinalSetStatus {
    let condition = |(type_, status, reason): &(&str, &str, &str)| {
        let all = json!({"type": type_, "status": status, "reason": reason, "message": format!("{reason}, in words")});
        serde_json::from_value::<Condition>(all).expect("a condition")
    };
    OrdinalSetStatus { conditions: conditions.iter().map(condition).collect(), ..OrdinalSetStatus::default() }
}

#[test]
fn s_7_a_set_that_is_held_up_or_has_taken_over_is_told_once() {
    let refused = ("Stalled", "True", "Refused");
    let adopted = (CONDITION, "True", CONDITION);
    let cases: [(&str, &[_], &[_], Option<&str>); 9] = [
        ("held up", &[], &[refused], Some("Refused")),
        ("as before", &[refused], &[refused], None),
        ("for another reason", &[("Stalled", "True", "Drift")], &[refused], Some("Refused")),
        ("it went on meanwhile", &[("Stalled", "False", "Refused")], &[refused], Some("Refused")),
        ("another condition said so", &[("Progressing", "True", "Refused")], &[refused], Some("Refused")),
        ("it goes on", &[refused], &[("Stalled", "False", "Refused")], None),
        ("not held up by an adoption", &[], &[("Stalled", "True", "PodRejected")], None),
        ("done", &[refused], &[adopted, ("Stalled", "False", "NotStalled")], Some(CONDITION)),
        ("done before", &[adopted], &[adopted], None),
    ];
    for (what, before, after, reason) in cases {
        let (before, after) = (status(before), status(after));
        let message = reason.map(|reason| format!("{reason}, in words"));
        assert_eq!(news(&before, &after), reason.zip(message.as_deref()), "{what}");
    }
    for reason in HELD {
        let after = status(&[("Stalled", "True", reason)]);
        assert!(news(&status(&[]), &after).is_some(), "{reason}");
    }
}

#[test]
fn only_the_condition_of_adoptions_says_that_stateful_sets_may_not_be_seen() {
    assert!(is_disabled(&status(&[(CONDITION, "False", "AdoptionDisabled")])));
    assert!(!is_disabled(&status(&[(CONDITION, "False", "Refused")])));
    assert!(!is_disabled(&status(&[("Stalled", "True", "AdoptionDisabled")])));
    assert!(!is_disabled(&status(&[])));
}
