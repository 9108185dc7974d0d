//! Every role × action × thing × purpose, asked: what the table grants is granted, and nothing else (control A03).

use crate::world::{DEMO, ROWS, RULES, STAYS, Situation, Training};
use obhut_access::rules::Thing;
use obhut_access::{Action, Assurance};
use obhut_charter::schema::Word as _;
use std::sync::Arc;

fn roles() -> Vec<String> {
    DEMO.charter().entries.roles.iter().map(|role| role.id.to_string()).collect()
}

fn purposes() -> Vec<String> {
    let declared = DEMO.charter().entries.purposes.iter().map(|purpose| purpose.id.to_string());
    declared.chain(["curiosity".to_owned(), String::new()]).collect()
}

/// One fact at a time against the asker, and none.
fn turns(base: &Situation) -> Vec<Situation> {
    let mut out = vec![base.clone()];
    for training in [Training::Missing, Training::Old] {
        out.push(Situation { training, ..base.clone() });
    }
    for assurance in [Assurance::Oidc, Assurance::Link, Assurance::Console] {
        out.push(Situation { assurance, ..base.clone() });
    }
    out.push(Situation { ended: true, ..base.clone() });
    out.push(Situation { consent: false, ..base.clone() });
    out.push(Situation { ticket: false, ..base.clone() });
    out.push(Situation { pledged: false, ..base.clone() });
    out.push(Situation { right_kind: false, ..base.clone() });
    out.push(Situation { own_ward: false, ..base.clone() });
    out.push(Situation { project: "pump-faults".to_owned(), ..base.clone() });
    out.push(Situation { project: "unheard-of".to_owned(), ..base.clone() });
    out
}

#[test]
fn every_cell_is_as_the_table_says() {
    let mut asked = 0_u32;
    let mut granted = 0_u32;
    for role in roles() {
        for (_, action) in Action::ALL {
            for thing in Thing::ALL {
                for purpose in purposes() {
                    let generous = Situation::generous(&role, *action, *thing, &purpose);
                    let declared = ROWS.iter().any(|row| {
                        row.role == role
                            && row.action == *action
                            && row.thing == *thing
                            && row.purposes.contains(&purpose)
                    });
                    let mut all = Vec::new();
                    if declared && *thing == Thing::Patient {
                        for stays in STAYS {
                            for bits in 0..16_u8 {
                                let base = Situation {
                                    stays,
                                    case: bits & 1 == 0,
                                    oneself: bits & 2 == 0,
                                    restricted: bits & 4 != 0,
                                    emergency: bits & 8 != 0,
                                    ..generous.clone()
                                };
                                // The whole product only where it matters who the patient is to the asker; else one at a time.
                                if bits & 3 == 0 { all.extend(turns(&base)) } else { all.push(base) }
                            }
                        }
                    } else if declared {
                        all.extend(turns(&generous));
                    } else {
                        all.push(Situation { emergency: true, ..generous.clone() });
                        all.push(generous);
                    }
                    for situation in all {
                        situation.check();
                        asked += 1;
                        granted += u32::from(situation.allowed(&ROWS));
                    }
                }
            }
        }
    }
    println!("{asked} situations asked, {granted} granted, {} rows, {} policies", ROWS.len(), RULES.policy_count());
    assert!(asked > 50_000 && granted > 1_000);
}

#[test]
fn every_row_names_only_its_data() {
    let all: Vec<Arc<str>> = DEMO.charter().entries.data.iter().map(|data| Arc::from(data.id.as_str())).collect();
    let lists: Vec<Vec<Arc<str>>> = all
        .iter()
        .map(|id| vec![Arc::clone(id)])
        .chain([
            all.clone(),
            vec![Arc::from("identity")],
            vec![Arc::from("identity"), Arc::from("heart-rate")],
            vec![Arc::from("consent")],
            vec![Arc::from("undeclared")],
        ])
        .collect();
    for row in ROWS.iter() {
        for purpose in &row.purposes {
            for categories in &lists {
                for emergency in [false, true] {
                    let situation = Situation {
                        categories: categories.clone(),
                        emergency,
                        project: row.only.clone().unwrap_or_default(),
                        ..Situation::generous(&row.role, row.action, row.thing, purpose)
                    };
                    situation.check();
                }
            }
        }
    }
}

#[test]
fn every_role_is_refused_something_and_every_action_to_someone() {
    for role in roles() {
        for (word, action) in Action::ALL {
            let held = ROWS.iter().any(|row| row.role == role && row.action == *action);
            let listed = DEMO.role(&role).unwrap().permissions.iter().any(|held| **held == *action);
            assert!(held == listed, "{role} {word}: a permission that reaches nothing, or a row without permission");
        }
    }
    for (word, action) in Action::ALL {
        assert!(ROWS.iter().any(|row| row.action == *action), "nobody may {word} in the demo");
        assert!(
            roles().iter().any(|role| !ROWS.iter().any(|row| row.role == *role && row.action == *action)),
            "{word}"
        );
    }
}

#[test]
fn people_without_clinical_work_reach_no_patient() {
    for role in ["technician", "pump-service", "administrator", "security", "privacy", "researcher"] {
        let reached: Vec<_> = ROWS.iter().filter(|row| row.role == role && row.thing == Thing::Patient).collect();
        let oversight = |action| matches!(action, Action::LedgerView | Action::BreakGlassReview);
        assert!(reached.iter().all(|row| oversight(row.action) && row.data.is_empty()), "{role}: {reached:?}");
        assert!(!ROWS.iter().any(|row| row.role == role && row.action.shows_values()), "{role} sees values");
    }
    assert!(ROWS.iter().filter(|row| row.role == "wall").all(|row| row.action == Action::LiveView));
}
