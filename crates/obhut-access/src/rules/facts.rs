//! One question as Cedar sees it: the holder of one role, the thing, and the circumstances. Made anew for each question, so nothing old decides.

use super::{Failure, RoleRules};
use crate::limits::STAYS_MAX;
use crate::question::{Patient, PersonKind, Question, Resource, RoleGrant};
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use obhut_model::{ServerTime, WardId};
use std::collections::{HashMap, HashSet};

/// The names of entity types, parsed once.
#[derive(Debug)]
pub(super) struct Types {
    holder: EntityTypeName,
    role: EntityTypeName,
    action: EntityTypeName,
    ward: EntityTypeName,
    things: HashMap<super::Thing, EntityTypeName>,
}

impl Types {
    pub(super) fn new() -> Result<Self, Failure> {
        let parse = |name: &str| name.parse().map_err(|_| Failure);
        let things = super::Thing::ALL.iter().map(|thing| Ok((*thing, parse(thing.entity_type())?)));
        Ok(Self {
            holder: parse("Holder")?,
            role: parse("Role")?,
            action: parse("Action")?,
            ward: parse("Ward")?,
            things: things.collect::<Result<_, Failure>>()?,
        })
    }

    pub(super) fn action(&self, word: &str) -> EntityUid {
        uid(&self.action, word)
    }

    pub(super) fn role(&self, id: &str) -> EntityUid {
        uid(&self.role, id)
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(text: impl Into<String>) -> RestrictedExpression {
    RestrictedExpression::new_string(text.into())
}

/// Request and entities of `question`, asked by the holder of `grant`.
pub(super) fn of(
    types: &Types,
    schema: &Schema,
    question: &Question<'_>,
    role: &RoleRules,
    grant: &RoleGrant,
    data: &[&str],
    words: &[&str],
) -> Result<(Request, Entities), Failure> {
    let holder = uid(&types.holder, "asker");
    let resource_id = question.resource.id();
    let resource = match question.resource {
        Resource::Patient(_) => types.thing(super::Thing::Patient, "asked")?,
        other => types.thing(other.kind(), resource_id.as_deref().unwrap_or("the"))?,
    };
    let circumstances = question.circumstances;
    let context = Context::from_pairs([
        ("purpose".to_owned(), text(question.purpose)),
        ("data".to_owned(), RestrictedExpression::new_set(data.iter().map(|id| text(*id)))),
        ("words".to_owned(), RestrictedExpression::new_set(words.iter().map(|id| text(*id)))),
        ("now".to_owned(), RestrictedExpression::new_long(circumstances.now.micros())),
        ("consent".to_owned(), RestrictedExpression::new_bool(circumstances.consent)),
        ("emergency".to_owned(), RestrictedExpression::new_bool(circumstances.emergency.is_some())),
        ("ticket".to_owned(), RestrictedExpression::new_bool(circumstances.ticket.is_some())),
        ("pledged".to_owned(), RestrictedExpression::new_bool(circumstances.pledged)),
    ])
    .map_err(|_| Failure)?;
    let action = role.action_uid(question.action).ok_or(Failure)?;
    // The facts are made here and nowhere else, and the policies were checked strictly against the schema: that these fit it is a matter for tests, which
    // run with this check on. A fact that did not fit would be an evaluation error, and that denies.
    let schema = cfg!(debug_assertions).then_some(schema);
    let request = Request::new(holder.clone(), action, resource.clone(), context, schema).map_err(|_| Failure)?;
    let mut entities = vec![types.holder_entity(holder, question, role, grant)?];
    if let Resource::Patient(patient) = question.resource {
        entities.push(types.patient_entity(resource, patient, grant, circumstances.now)?);
    }
    let entities = Entities::from_entities(entities, None).map_err(|_| Failure)?;
    Ok((request, entities))
}

impl Types {
    fn thing(&self, thing: super::Thing, id: &str) -> Result<EntityUid, Failure> {
        self.things.get(&thing).map(|kind| uid(kind, id)).ok_or(Failure)
    }

    fn wards<'a>(&self, wards: impl Iterator<Item = &'a WardId>) -> RestrictedExpression {
        let wards: HashSet<&str> = wards.map(WardId::as_str).collect();
        RestrictedExpression::new_set(
            wards.into_iter().map(|ward| RestrictedExpression::new_entity_uid(uid(&self.ward, ward))),
        )
    }

    fn holder_entity(
        &self,
        holder: EntityUid,
        question: &Question<'_>,
        role: &RoleRules,
        grant: &RoleGrant,
    ) -> Result<Entity, Failure> {
        let person = question.person;
        let mut attributes = HashMap::from([
            ("kind".to_owned(), text(person.kind.word())),
            ("person".to_owned(), text(person.id.to_string())),
            ("assurance".to_owned(), text(person.assurance.word())),
            ("wards".to_owned(), self.wards(grant.wards.iter())),
        ]);
        if let PersonKind::Patient(subject) = person.kind {
            attributes.insert("self".to_owned(), text(subject.to_string()));
        }
        for (name, time) in [("until", grant.until), ("trained", grant.trained_until)] {
            if let Some(time) = time {
                attributes.insert(name.to_owned(), RestrictedExpression::new_long(time.micros()));
            }
        }
        Entity::new(holder, attributes, HashSet::from([role.uid.clone()])).map_err(|_| Failure)
    }

    fn patient_entity(
        &self,
        resource: EntityUid,
        patient: &Patient,
        grant: &RoleGrant,
        now: ServerTime,
    ) -> Result<Entity, Failure> {
        let lasts = |to: Option<ServerTime>| to.is_none_or(|to| to > now);
        let stays = patient.stays.get(patient.stays.len().saturating_sub(STAYS_MAX)..).unwrap_or_default();
        let here = stays.iter().filter(|stay| lasts(stay.to));
        let past = || stays.iter().filter(|stay| !lasts(stay.to));
        let left = past().filter_map(|stay| stay.to).max();
        let left_wards = past().filter(|stay| grant.wards.contains(&stay.ward)).filter_map(|stay| stay.to).max();
        let responsible: HashSet<String> = patient.cases.iter().map(ToString::to_string).collect();
        let mut attributes = HashMap::from([
            ("self".to_owned(), text(patient.subject.to_string())),
            ("here".to_owned(), self.wards(here.map(|stay| &stay.ward))),
            ("was".to_owned(), self.wards(past().map(|stay| &stay.ward))),
            ("responsible".to_owned(), RestrictedExpression::new_set(responsible.into_iter().map(text))),
            ("restricted".to_owned(), RestrictedExpression::new_bool(patient.restricted)),
        ]);
        for (name, time) in [("left", left), ("leftWards", left_wards)] {
            if let Some(time) = time {
                attributes.insert(name.to_owned(), RestrictedExpression::new_long(time.micros()));
            }
        }
        Entity::new(resource, attributes, HashSet::new()).map_err(|_| Failure)
    }
}
