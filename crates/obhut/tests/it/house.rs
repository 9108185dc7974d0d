//! A house with one person of each role of the demonstration's charter, a patient, and something of everything that has a number.

use crate::signin::{Browser, Key, administrator, today, token_of};
use crate::support::Server;
use crate::visitor::Visitor;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const FAMILY: &str = "Querflöth-Planthagen";
pub(crate) const GIVEN: &str = "Zyxandra";
pub(crate) const BIRTH_DATE: &str = "1913-07-29";
pub(crate) const RECORD_NUMBER: &str = "PLNT-7731942-XQ";

/// Somebody of the house.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) visitor: Visitor,
    /// What they sign in with; a display has nothing.
    pub(crate) key: Option<Key>,
}

/// Everybody.
pub(crate) struct House<'a> {
    pub(crate) server: &'a Server,
    pub(crate) admin: Visitor,
    pub(crate) people: BTreeMap<String, Person>,
    /// The patient in bed-03.
    pub(crate) subject: String,
}

/// Lets somebody in whom the administrator invited.
pub(crate) fn enter(server: &Server, invited: &Value) -> Person {
    let (mut browser, link) = (Browser::new(server), invited["link"].as_str().unwrap());
    let id = invited["id"].as_str().unwrap().to_owned();
    match browser.register(link) {
        Ok(key) => Person { id, visitor: Visitor::of(&browser), key: Some(key) },
        Err(answer) => panic!("{answer:?}"),
    }
}

/// Signs somebody in again, after a restart or at another screen.
pub(crate) fn again(server: &Server, key: &mut Key) -> Visitor {
    let mut browser = Browser::new(server);
    let answer = browser.sign_in(key);
    assert_eq!(answer.status, 204, "{answer:?}");
    Visitor::of(&browser)
}

/// An identity as the console takes it.
pub(crate) fn planted() -> String {
    json!({"name": format!("{FAMILY}, {GIVEN}"), "birth_date": BIRTH_DATE, "record_number": RECORD_NUMBER}).to_string()
}

impl<'a> House<'a> {
    /// Fills a new server with a patient in bed-03 and these roles; the administrator is always there.
    pub(crate) fn with(server: &'a Server, roles: &[&str]) -> Self {
        let (browser, mut key) = administrator(server);
        let mut admin = Visitor::of(&browser);
        let id = admin.get("/session").json()["person"]["id"].as_str().unwrap().to_owned();
        // A second screen of the same person: the tests send the first away.
        let second = again(server, &mut key);
        let bound = server.try_run(&["patient", "bind", "--bed", "bed-03", "--from=-1m"], &planted());
        assert!(bound.status.success(), "{}", String::from_utf8_lossy(&bound.stderr));
        let bound: Value = serde_json::from_slice(&bound.stdout).unwrap();
        let subject = bound["subject"].as_str().unwrap().to_owned();
        let people = BTreeMap::from([("administrator".to_owned(), Person { id, visitor: second, key: Some(key) })]);
        let mut house = Self { server, admin, people, subject };
        roles.iter().filter(|role| **role != "administrator").for_each(|role| house.employ(role));
        house
    }

    fn employ(&mut self, role: &str) {
        let person = match role {
            "patient" => {
                let path = format!("/patients/{}/link", self.subject);
                let invited = self.who("nurse").done("POST", &path, &json!({}));
                enter(self.server, &invited)
            }
            "wall" => {
                let invited = self.invited(role, &json!({"roles": [{"role": role}]}));
                let mut visitor = Visitor::nobody(self.server);
                let token = token_of(invited["link"].as_str().unwrap());
                visitor.done("POST", "/session/link", &json!({"token": token}));
                Person { id: invited["id"].as_str().unwrap().to_owned(), visitor, key: None }
            }
            "pump-service" => {
                let pledged = today() + 86_400_000_000;
                let more = json!({"kind": "external", "recipient": "pump-maker", "roles": [{"role": role}], "pledged_until": pledged});
                let invited = self.invited(role, &more);
                enter(self.server, &invited)
            }
            "" => {
                let invited = self.invited("nobody", &json!({"roles": []}));
                enter(self.server, &invited)
            }
            _ => {
                let invited = self.invited(role, &json!({"roles": [{"role": role}], "trained_on": today()}));
                enter(self.server, &invited)
            }
        };
        self.people.insert(role.to_owned(), person);
    }

    /// Invites somebody called like their role.
    pub(crate) fn invited(&mut self, role: &str, more: &Value) -> Value {
        let mut body = json!({"name": format!("Person {role}"), "kind": "staff"});
        more.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        self.admin.done("POST", "/people", &body)
    }

    pub(crate) fn who(&mut self, role: &str) -> &mut Visitor {
        &mut self.people.get_mut(role).unwrap().visitor
    }

    pub(crate) fn id(&self, role: &str) -> String {
        self.people[role].id.clone()
    }

    /// A patient's yes, taken by the nurse.
    pub(crate) fn consent(&mut self, subject: &str, form: &str) -> String {
        let forms = self.who("nurse").done("GET", "/consent-forms", &Value::Null);
        let known = forms["forms"].as_array().unwrap().iter().find(|each| each["id"] == form).unwrap().clone();
        let body = json!({"form": form, "version": known["version"], "lang": "de", "decision": "given"});
        let given = self.who("nurse").done("POST", &format!("/patients/{subject}/consents"), &body);
        given["case"].as_str().unwrap().to_owned()
    }
}

/// Every entry of these kinds from the ledger, newest first, as `reader` is shown them.
pub(crate) fn entries(reader: &mut Visitor, kind: Option<&str>) -> Vec<Value> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let kind = kind.map(|kind| format!("&kind={kind}")).unwrap_or_default();
        let before_ = before.map(|before: u64| format!("&before={before}")).unwrap_or_default();
        let page = reader.done("GET", &format!("/ledger?from=0{kind}{before_}"), &Value::Null);
        found.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page["older"].as_u64() {
            Some(older) => before = Some(older),
            None => return found,
        }
    }
}
