//! The table of who may do what, as a clinician can read it and a test can check it, row by row.
//!
//! Made from the charter alone and *not* from the policies: it says in its own way what they must say, so that the two can be compared
//! (`tests/it/exhaustive.rs` asks every cell). `docs/access-table.md` is this table for `charters/demo.toml`.

use crate::Action;
use crate::rules::{ADMINISTRATION, DISCLOSING, EMERGENCY, RESTRICTED, Thing, WHOLE, things_of};
use obhut_charter::schema::{Id, Relation, Role, Scope, Word as _};
use obhut_charter::{At, Checked, Lang, permissions_said};
use std::fmt::Write as _;

/// Something one role may do to one kind of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who.
    pub role: String,
    /// Does what.
    pub action: Action,
    /// To what.
    pub thing: Thing,
    /// To which one, if only to one: a project.
    pub only: Option<String>,
    /// Whose.
    pub reach: Reach,
    /// What for.
    pub purposes: Vec<String>,
    /// Which data of the charter it may name.
    pub data: Vec<String>,
    /// What must be so besides.
    pub needs: Vec<Need>,
}

/// Through what a row reaches its thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Any.
    All,
    /// One of the wards the role was given for.
    OwnWard,
    /// A patient on such a ward, or gone from it not too long ago.
    WardPatient,
    /// A patient the person is registered for, on a ward or gone not too long ago.
    CasePatient,
    /// Oneself.
    Oneself,
    /// What an open ticket names.
    Ticket,
    /// The patient of a running emergency access.
    Emergency,
}

/// What must be so for a row to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Valid training.
    Training,
    /// A pledge of secrecy on file, and contract and pledge of the firm in force.
    Pledge,
    /// A consent, for these purposes.
    Consent(Vec<String>),
    /// A consent of each patient in the set, asked when what is about them is opened.
    ConsentOfEach,
    /// Processing is not restricted (Art. 18 GDPR).
    NotRestricted,
    /// Signed in otherwise than through the hospital's provider.
    Passkey,
    /// The project has not ended.
    Project,
}

/// All rows of a charter. What is in none of them is refused.
#[must_use]
pub fn rows(charter: &Checked) -> Vec<Row> {
    charter.charter().entries.roles.iter().flat_map(|role| of_role(charter, role)).collect()
}

fn of_role(charter: &Checked, role: &Role) -> Vec<Row> {
    let mut out = Vec::new();
    let holds = |action: Action| role.permissions.iter().any(|held| **held == action);
    for (_, action) in Action::ALL.iter().filter(|(_, action)| holds(*action)) {
        for thing in things_of(*action) {
            if *action == Action::ResearchExport {
                out.extend(of_projects(charter, role));
            } else if let Some(reach) = reach(role, *action, *thing) {
                out.push(row(charter, role, *action, *thing, reach));
            }
        }
    }
    if holds(Action::BreakGlass) {
        for action in EMERGENCY.iter().filter(|action| holds(**action)) {
            out.push(row(charter, role, *action, Thing::Patient, Reach::Emergency));
        }
    }
    out
}

fn row(charter: &Checked, role: &Role, action: Action, thing: Thing, reach: Reach) -> Row {
    let free = |purpose: &&At<Id>| charter.purpose(purpose.as_str()).is_some_and(|purpose| !*purpose.needs_consent);
    let shown = DISCLOSING.contains(&action) && reach != Reach::Emergency;
    let purposes: Vec<String> =
        role.purposes.iter().filter(|purpose| shown || free(purpose)).map(ToString::to_string).collect();
    let mut needs = needs(charter, role, &purposes);
    if RESTRICTED.contains(&action) && thing == Thing::Patient && reach != Reach::Emergency {
        needs.push(Need::NotRestricted);
    }
    if ADMINISTRATION.contains(&action) {
        needs.push(Need::Passkey);
    }
    let values = action.shows_values() && action != Action::BreakGlass || reach == Reach::Emergency;
    let data = if values {
        ids(charter, &role.data)
    } else if WHOLE.contains(&action) {
        ids(charter, &Scope::All)
    } else {
        Vec::new()
    };
    Row { role: role.id.to_string(), action, thing, only: None, reach, purposes, data, needs }
}

fn of_projects(charter: &Checked, role: &Role) -> Vec<Row> {
    let projects = charter.charter().entries.projects.iter();
    projects
        .filter(|project| role.purposes.iter().any(|purpose| **purpose == *project.purpose))
        .map(|project| {
            let purposes = vec![project.purpose.to_string()];
            let mut needs = needs(charter, role, &[]);
            if charter.purpose(project.purpose.as_str()).is_some_and(|purpose| *purpose.needs_consent) {
                needs.push(Need::ConsentOfEach);
            }
            needs.push(Need::Project);
            Row {
                role: role.id.to_string(),
                action: Action::ResearchExport,
                thing: Thing::Project,
                only: Some(project.id.to_string()),
                reach: Reach::All,
                purposes,
                data: ids(charter, &project.data),
                needs,
            }
        })
        .collect()
}

fn reach(role: &Role, action: Action, thing: Thing) -> Option<Reach> {
    if !action.needs_relation() {
        return match (*role.relation, thing) {
            (Relation::Ticket, Thing::Device) => Some(Reach::Ticket),
            (Relation::Ticket, _) => None,
            _ => Some(Reach::All),
        };
    }
    match (*role.relation, thing) {
        (Relation::Ward | Relation::Case, Thing::Ward) => Some(Reach::OwnWard),
        (Relation::Ward, _) => Some(Reach::WardPatient),
        (Relation::Case, _) => Some(Reach::CasePatient),
        (Relation::Own, Thing::Patient) => Some(Reach::Oneself),
        _ => None,
    }
}

fn needs(charter: &Checked, role: &Role, purposes: &[String]) -> Vec<Need> {
    let mut needs = Vec::new();
    if role.training.is_some() {
        needs.push(Need::Training);
    }
    if role.recipient.is_some() {
        needs.push(Need::Pledge);
    }
    let asked = |purpose: &&String| charter.purpose(purpose).is_some_and(|purpose| *purpose.needs_consent);
    let consent: Vec<String> = purposes.iter().filter(asked).cloned().collect();
    if !consent.is_empty() {
        needs.push(Need::Consent(consent));
    }
    needs
}

fn ids(charter: &Checked, scope: &Scope) -> Vec<String> {
    let known = |id: &At<Id>| id.to_string();
    match scope {
        Scope::All => charter.charter().entries.data.iter().map(|data| known(&data.id)).collect(),
        Scope::Only(ids) => ids.iter().map(known).collect(),
    }
}

/// The table as Markdown, every word in German and English.
#[must_use]
pub fn markdown(charter: &Checked) -> String {
    let rows = rows(charter);
    let actions: Vec<Action> = Action::ALL.iter().map(|(_, action)| *action).collect();
    let said: Vec<(Action, String)> = actions
        .iter()
        .zip(permissions_said(&actions, Lang::De).iter().zip(&permissions_said(&actions, Lang::En)))
        .map(|(action, (de, en))| (*action, format!("{de} / {en}")))
        .collect();
    let mut out = format!(
        "# Wer was darf / Who may do what\n\n\
         Erzeugt aus der Charta „{name}“; nicht von Hand ändern. Ein Test fragt jedes Feld, auch die leeren: was hier nicht steht, wird abgewiesen.\n\
         Generated from the charter “{name}”; do not edit. A test asks every cell, the empty ones too: what does not stand here is refused.\n\n",
        name = charter.name()
    );
    overview(charter, &rows, &said, &mut out);
    for role in &charter.charter().entries.roles {
        of_one_role(charter, role, &rows, &said, &mut out);
    }
    apart(charter, &said, &mut out);
    out
}

fn overview(charter: &Checked, rows: &[Row], said: &[(Action, String)], out: &mut String) {
    let roles: Vec<&str> = charter.charter().entries.roles.iter().map(|role| role.id.as_str()).collect();
    out.push_str(
        "## Überblick / Overview\n\n\
         **S** eigene Station / own ward · **F** eigene Fälle / own cases · **E** man selbst / oneself · **T** mit Ticket / by ticket · **●** alle / all · \
         **N** auch im Notfallzugriff / in an emergency access, too · leer / empty: nie / never\n\n",
    );
    let _ = writeln!(out, "| | {} |\n|---|{}", roles.join(" | "), ":-:|".repeat(roles.len()));
    for (action, words) in said {
        let mut line = format!("| {words} |");
        for role in &roles {
            let mut marks: Vec<&str> = Vec::new();
            for row in rows.iter().filter(|row| row.role == *role && row.action == *action) {
                let mark = match row.reach {
                    Reach::All => "●",
                    Reach::OwnWard | Reach::WardPatient => "S",
                    Reach::CasePatient => "F",
                    Reach::Oneself => "E",
                    Reach::Ticket => "T",
                    Reach::Emergency => "N",
                };
                if !marks.contains(&mark) {
                    marks.push(mark);
                }
            }
            let _ = write!(line, " {} |", marks.join(" "));
        }
        let _ = writeln!(out, "{line}");
    }
}

fn of_one_role(charter: &Checked, role: &Role, rows: &[Row], said: &[(Action, String)], out: &mut String) {
    let _ = writeln!(out, "\n## {} / {} (`{}`)\n", role.text.de, role.text.en, *role.id);
    if let Some(training) = &role.training {
        let _ = writeln!(
            out,
            "Nur mit gültiger Schulung / only with valid training: {} / {}.\n",
            training.text.de, training.text.en
        );
    }
    if let Some(recipient) = role.recipient.as_ref().and_then(|id| charter.recipient(id.as_str())) {
        let _ = writeln!(
            out,
            "Menschen von / people of {}: nur solange Vertrag und Verpflichtung gelten / only while contract and pledge are in force.\n",
            *recipient.name
        );
    }
    out.push_str("| Darf / may | An wem, woran / to whom, to what | Wofür / what for | Daten / data | Nur wenn / only if |\n|---|---|---|---|---|\n");
    let mut lines: Vec<(String, String, Vec<String>)> = Vec::new();
    for row in rows.iter().filter(|row| row.role == role.id.as_str()) {
        let words = said.iter().find(|(action, _)| *action == row.action).map_or("", |(_, words)| words);
        let purposes = listed(&row.purposes);
        let data = if row.data.len() == charter.charter().entries.data.len() {
            "alle / all".to_owned()
        } else if row.data.is_empty() {
            "keine Messwerte / no values".to_owned()
        } else {
            listed(&row.data)
        };
        let needs: Vec<String> = row.needs.iter().filter_map(need_said).collect();
        let to = match &row.only {
            Some(project) => format!("Projekt / project `{project}`"),
            None => to_said(row.thing, row.reach).to_owned(),
        };
        let rest = format!("{purposes} | {data} | {}", needs.join("; "));
        match lines.iter_mut().find(|(action, other, _)| *action == words && *other == rest) {
            Some((_, _, things)) => things.push(to),
            None => lines.push((words.to_owned(), rest, vec![to])),
        }
    }
    for (words, rest, things) in lines {
        let _ = writeln!(out, "| {words} | {} | {rest} |", things.join("; "));
    }
}

fn listed(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

const fn to_said(thing: Thing, reach: Reach) -> &'static str {
    match (thing, reach) {
        (_, Reach::OwnWard) => "eigene Station / own ward",
        (_, Reach::WardPatient) => {
            "Patienten der eigenen Station, auch kurz nach Entlassung / patients of one's ward, shortly after discharge too"
        }
        (_, Reach::CasePatient) => "eigene Fälle, auch kurz nach Entlassung / own cases, shortly after discharge too",
        (_, Reach::Oneself) => "man selbst / oneself",
        (_, Reach::Ticket) => "Geräte des offenen Tickets / devices of the open ticket",
        (_, Reach::Emergency) => {
            "**der Patient eines laufenden Notfallzugriffs / the patient of a running emergency access**"
        }
        (Thing::System, _) => "das System / the system",
        (Thing::Ward, _) => "jede Station / any ward",
        (Thing::Patient, _) => "jeder Patient / any patient",
        (Thing::Device, _) => "jedes Gerät / any device",
        (Thing::Person, _) => "jeder Mensch im Verzeichnis / any person of the register",
        (Thing::People, _) => "das Verzeichnis der Menschen / the register of people",
        (Thing::Ledger, _) => "das Protokoll / the ledger",
        (Thing::Register, _) => "das Register der Vorgänge / the register of cases",
        (Thing::Retention, _) => "das Löschkonzept / the deletion concept",
        (Thing::Project, _) => "jedes Projekt / any project",
    }
}

/// What stands above the table of the role is not repeated in each line.
fn need_said(need: &Need) -> Option<String> {
    match need {
        Need::Training | Need::Pledge => None,
        Need::Consent(purposes) => Some(format!("mit Einwilligung bei / with consent for {}", listed(purposes))),
        Need::ConsentOfEach => Some("nur wer eingewilligt hat / only those who agreed".to_owned()),
        Need::NotRestricted => Some("nicht eingeschränkt / not restricted (Art. 18)".to_owned()),
        Need::Passkey => Some("mit Passkey / with a passkey".to_owned()),
        Need::Project => Some("solange das Projekt läuft / while the project runs".to_owned()),
    }
}

fn apart(charter: &Checked, said: &[(Action, String)], out: &mut String) {
    out.push_str(
        "\n## Was sich nicht treffen darf / What must not meet\n\n\
         In keiner Rolle und bei keinem Menschen / in no role and in no person:\n\n| | | Warum / why |\n|---|---|---|\n",
    );
    let words = |wanted: Action| said.iter().find(|(action, _)| *action == wanted).map_or("", |(_, words)| words);
    for (one, other, en, de) in obhut_charter::duties::TOXIC {
        let _ = writeln!(out, "| {} | {} | {de} / {en} |", words(*one), words(*other));
    }
    let pairs = &charter.access().apart;
    if !pairs.is_empty() {
        let pairs: Vec<String> = pairs.iter().map(|pair| format!("`{}` und/and `{}`", pair.one, pair.other)).collect();
        let _ = writeln!(
            out,
            "\nAußerdem hält die Charta auseinander / the charter also keeps apart: {}.",
            pairs.join(", ")
        );
    }
}
