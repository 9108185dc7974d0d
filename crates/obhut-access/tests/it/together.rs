//! What must not meet: in no role of a charter that is accepted, and in no person (control A04); and who can always look (control R09).

use crate::world::{DEMO, ROWS, RULES, charter, shipped};
use obhut_access::rules::Thing;
use obhut_access::{AccessRules, Action};
use obhut_charter::duties::{TOXIC, toxic};
use obhut_charter::{Charter, Date, ProblemCode};

#[test]
fn no_role_and_no_allowed_pair_of_roles_reaches_a_toxic_pair() {
    let roles: Vec<&str> = DEMO.charter().entries.roles.iter().map(|role| role.id.as_str()).collect();
    let holds = |role: &str, action: Action| ROWS.iter().any(|row| row.role == role && row.action == action);
    for (one, other, why, _) in TOXIC {
        for role in &roles {
            assert!(!(holds(role, *one) && holds(role, *other)), "{role}: {why}");
        }
        for a in &roles {
            for b in roles.iter().filter(|b| *b != a) {
                if holds(a, *one) && holds(b, *other) {
                    assert!(RULES.toxic(&[a, b]).is_some(), "{a} and {b}: {why}");
                }
            }
        }
    }
}

#[test]
fn pairs_the_charter_keeps_apart_are_refused_either_way_round() {
    assert_eq!(RULES.toxic(&["nurse"]), None);
    assert_eq!(RULES.toxic(&["nurse", "nurse"]), None);
    assert_eq!(RULES.toxic(&["nurse", "physician"]), None);
    assert!(RULES.toxic(&["administrator", "security"]).is_some());
    assert!(RULES.toxic(&["security", "administrator"]).is_some());
    assert!(RULES.toxic(&["wall", "nurse", "privacy"]).is_some());
    assert!(RULES.toxic(&["researcher", "records"]).is_some());
}

#[test]
fn every_toxic_pair_in_one_role_is_refused_by_the_check() {
    let today = Date::new(2026, 11, 24).unwrap();
    for (one, other, why, _) in TOXIC {
        assert_eq!(toxic(*one, *other), Some(*why));
        assert_eq!(toxic(*other, *one), Some(*why));
        let role = format!(
            "\n[[role]]\nid = \"both\"\ntext = \"beides\"\nrelation = \"ward\"\npurposes = [\"monitoring\"]\ndata = \"all\"\n\
             permissions = [\"{}\", \"{}\"]\ntraining = {{ text = \"Einweisung\", months = 12 }}\n",
            one.as_str(),
            other.as_str()
        );
        let problems = Charter::parse("x", &(shipped("demo") + &role), today).unwrap_err();
        assert!(
            problems.list().iter().any(|problem| problem.code == ProblemCode::ToxicPermissions),
            "{one:?} {other:?}"
        );
    }
    for (_, action) in <Action as obhut_charter::schema::Word>::ALL {
        assert_eq!(toxic(*action, *action), None);
    }
}

#[test]
fn oversight_cannot_be_removed() {
    let today = Date::new(2026, 11, 24).unwrap();
    let text = shipped("demo");
    for (from, to) in [
        ("\"ledger-view\", \"evidence-view\"", "\"evidence-view\""),
        ("\"ledger-view\", \"evidence-view\"", "\"ledger-view\""),
    ] {
        assert!(text.contains(from));
        let problems = Charter::parse("x", &text.replace(from, to), today).unwrap_err();
        assert_eq!(
            problems.list().iter().map(|problem| problem.code).collect::<Vec<_>>(),
            vec![ProblemCode::NobodyOversees]
        );
    }
    // And it reads every register and the whole ledger.
    for thing in [Thing::People, Thing::Register, Thing::Retention, Thing::Ledger, Thing::System] {
        assert!(ROWS.iter().any(|row| row.role == "privacy" && row.thing == thing), "{thing:?}");
    }
}

#[test]
fn without_a_console_role_the_machine_may_do_nothing() {
    let rules = AccessRules::compile(&charter("minimal", &shipped("minimal"))).unwrap();
    assert_eq!(rules.roles().len(), 1);
}
