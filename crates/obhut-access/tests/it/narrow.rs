//! Whatever the circumstances, nothing is granted beyond the table; and taking a circumstance away grants nothing new.

use crate::world::{DEMO, ROWS, RULES, STAYS, Situation, Training};
use obhut_access::rules::Thing;
use obhut_access::{Action, Assurance};
use obhut_charter::schema::Word as _;
use proptest::prelude::*;
use std::sync::Arc;

fn any_situation() -> impl Strategy<Value = Situation> {
    let roles: Vec<String> = DEMO.charter().entries.roles.iter().map(|role| role.id.to_string()).collect();
    let purposes: Vec<String> = DEMO.charter().entries.purposes.iter().map(|purpose| purpose.id.to_string()).collect();
    let mut words: Vec<Arc<str>> = DEMO.charter().entries.data.iter().map(|data| Arc::from(data.id.as_str())).collect();
    words.extend(["identity", "consent", "nonsense"].map(Arc::from));
    let actions: Vec<Action> = Action::ALL.iter().map(|(_, action)| *action).collect();
    let who = (
        prop::sample::select(roles),
        prop::sample::select(actions),
        prop::sample::select(Thing::ALL.to_vec()),
        prop::sample::select(purposes),
        prop::sample::subsequence(words, 0..4),
        prop::sample::select(vec!["early-warning", "pump-faults", "other"]),
    );
    let facts = (
        prop::sample::select(STAYS.to_vec()),
        prop::sample::select(vec![Training::Valid, Training::Valid, Training::Missing, Training::Old]),
        prop::sample::select(vec![Assurance::Passkey, Assurance::Oidc, Assurance::Link, Assurance::Console]),
        any::<[bool; 9]>(),
        prop::bool::weighted(0.9),
    );
    (who, facts).prop_map(
        |((role, action, thing, purpose, categories, project), (stays, training, assurance, b, right_kind))| {
            Situation {
                role,
                action,
                thing,
                project: project.to_owned(),
                own_ward: b[0],
                stays,
                case: b[1],
                oneself: b[2],
                restricted: b[3],
                purpose,
                categories,
                consent: b[4],
                emergency: b[5],
                ticket: b[6],
                pledged: b[7],
                training,
                ended: b[8] && b[0],
                assurance,
                right_kind,
            }
        },
    )
}

/// The same, for a row that exists, so that grants are not rare.
fn near_a_row() -> impl Strategy<Value = Situation> {
    (any_situation(), any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(situation, at, which)| {
        let row = at.get(&ROWS[..]);
        Situation {
            role: row.role.clone(),
            action: row.action,
            thing: row.thing,
            purpose: which.get(&row.purposes[..]).clone(),
            project: row.only.clone().unwrap_or(situation.project),
            categories: situation
                .categories
                .into_iter()
                .filter(|id| row.data.iter().any(|seen| **seen == **id))
                .collect(),
            ..situation
        }
    })
}

/// Each circumstance taken away, if it was there. An emergency counts as one; a restriction is taken on, since lifting it is what widens.
fn poorer(situation: &Situation) -> Vec<Situation> {
    let s = situation;
    vec![
        Situation { consent: false, ..s.clone() },
        Situation { emergency: false, ..s.clone() },
        Situation { ticket: false, ..s.clone() },
        Situation { pledged: false, ..s.clone() },
        Situation { restricted: true, ..s.clone() },
        Situation { case: false, ..s.clone() },
        Situation { oneself: false, ..s.clone() },
        Situation { own_ward: false, ..s.clone() },
        Situation { ended: true, ..s.clone() },
        Situation { training: Training::Missing, ..s.clone() },
        Situation { right_kind: false, ..s.clone() },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_circumstance_widens_beyond_the_table(situation in any_situation()) {
        prop_assert_eq!(situation.decide(&RULES).is_granted(), situation.allowed(&ROWS), "{:#?}", situation);
    }

    #[test]
    fn near_a_row_the_table_still_says_it_all(situation in near_a_row()) {
        prop_assert_eq!(situation.decide(&RULES).is_granted(), situation.allowed(&ROWS), "{:#?}", situation);
    }

    #[test]
    fn with_less_nothing_more_is_granted(situation in near_a_row()) {
        let granted = situation.decide(&RULES).is_granted();
        for less in poorer(&situation) {
            prop_assert!(granted || !less.decide(&RULES).is_granted(), "{:#?}\n{:#?}", situation, less);
        }
    }

    #[test]
    fn two_roles_grant_what_one_of_them_grants(a in near_a_row(), b in near_a_row()) {
        let other = Situation { role: b.role.clone(), ..a.clone() };
        let both = a.ask(|question| {
            let mut person = question.person.clone();
            person.grants.extend(other.person().grants);
            RULES.decide(&obhut_access::Question { person: &person, ..*question }).is_granted()
        });
        // A person has one kind; the second role counts only if it is open to that kind.
        let same = crate::world::kind(&a.role) == crate::world::kind(&other.role);
        let second = Situation { right_kind: a.right_kind == same, ..other };
        let right = if same { Situation { right_kind: a.right_kind, ..second } } else { Situation { right_kind: false, ..second } };
        prop_assert!(!both || a.allowed(&ROWS) || right.allowed(&ROWS) || !a.right_kind, "{:#?}", a);
        prop_assert!(both || !a.allowed(&ROWS), "{:#?}", a);
    }
}
