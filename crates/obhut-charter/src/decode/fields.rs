//! One table of the file, asked key by key. What was never asked for is an unknown key.

use crate::At;
use crate::problem::{Problem, ProblemCode, shown};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value of the tree and where it stands.
pub(super) type Value<'a> = &'a Spanned<DeValue<'a>>;

/// Why a value was not taken: the problem without its place in the schema.
pub(super) struct Refusal {
    pub(super) code: ProblemCode,
    /// What is wrong, to follow `` `key` of … ``.
    pub(super) says: String,
    pub(super) hint: String,
    /// Where, if not the whole value.
    pub(super) span: Option<Range<usize>>,
}

impl Refusal {
    pub(super) fn new(code: ProblemCode, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, says: says.into(), hint: hint.into(), span: None }
    }
}

/// A table being read.
pub(super) struct Fields<'t, 'p> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    what: String,
    asked: Vec<&'static str>,
    problems: &'p mut Vec<Problem>,
}

impl<'t, 'p> Fields<'t, 'p> {
    pub(super) fn new(
        table: &'t DeTable<'_>,
        span: Range<usize>,
        what: String,
        problems: &'p mut Vec<Problem>,
    ) -> Self {
        Self { table, span, what, asked: Vec::new(), problems }
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }

    /// The value of `key`, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.asked.push(key);
        self.table.get(key)
    }

    /// A value that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(Value<'_>) -> Result<T, Refusal>,
    ) -> Option<At<T>> {
        let hint = format!("add `{key} = …` to it; `docs/charter.md` says what belongs there");
        self.required_as(key, ProblemCode::MissingKey, &hint, convert)
    }

    /// A value that must be there, and whose absence has a code and a hint of its own.
    pub(super) fn required_as<T>(
        &mut self,
        key: &'static str,
        code: ProblemCode,
        hint: &str,
        convert: impl FnOnce(Value<'_>) -> Result<T, Refusal>,
    ) -> Option<At<T>> {
        match self.take(key) {
            Some(value) => self.convert(key, value, convert),
            None => {
                let message = format!("{} has no `{key}`", self.what);
                self.push(Problem::new(code, self.span.clone(), message).hint(hint));
                None
            }
        }
    }

    /// A value that may be absent. The outer `None` is a value that could not be read.
    #[expect(
        clippy::option_option,
        reason = "absent and unreadable are two things, and only the second breaks the entry"
    )]
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(Value<'_>) -> Result<T, Refusal>,
    ) -> Option<Option<At<T>>> {
        match self.take(key) {
            Some(value) => self.convert(key, value, convert).map(Some),
            None => Some(None),
        }
    }

    /// A value that stands for `default` when absent; then it points at the entry.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        convert: impl FnOnce(Value<'_>) -> Result<T, Refusal>,
    ) -> Option<At<T>> {
        let span = self.span.clone();
        self.optional(key, convert).map(|value| value.unwrap_or_else(|| At::new(default, span)))
    }

    /// A list; absent means empty. Every item is read, so that every bad one is found.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        convert: impl Fn(Value<'_>) -> Result<T, Refusal>,
    ) -> Option<Vec<At<T>>> {
        let Some(value) = self.take(key) else { return Some(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("`{key}` of {} must be a list", self.what);
            self.push(
                Problem::new(ProblemCode::WrongType, value.span(), message).hint(format!("write `{key} = [ … ]`")),
            );
            return None;
        };
        if items.len() > crate::limits::ENTRIES_MAX {
            let message = format!("`{key}` of {} has more than {} items", self.what, crate::limits::ENTRIES_MAX);
            self.push(Problem::new(ProblemCode::TooMany, value.span(), message).hint("declare fewer"));
            return None;
        }
        let read: Vec<Option<At<T>>> = items.iter().map(|item| self.convert(key, item, &convert)).collect();
        read.into_iter().collect()
    }

    /// A nested table that must be there, read by `decode`.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        decode: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let hint = format!("add a table `[{key}]`; `docs/charter.md` says what belongs into it");
        self.table_as(key, ProblemCode::MissingKey, &hint, decode).map(At::into_inner)
    }

    /// A nested table that must be there, and whose absence has a code and a hint of its own.
    pub(super) fn table_as<T>(
        &mut self,
        key: &'static str,
        code: ProblemCode,
        hint: &str,
        decode: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
    ) -> Option<At<T>> {
        match self.take(key) {
            Some(value) => self.nested(key, value, decode),
            None => {
                let message = format!("{} has no `{key}`", self.what);
                self.push(Problem::new(code, self.span.clone(), message).hint(hint));
                None
            }
        }
    }

    /// A nested table that may be absent. The outer `None` is one that could not be read.
    #[expect(
        clippy::option_option,
        reason = "absent and unreadable are two things, and only the second breaks the entry"
    )]
    pub(super) fn optional_table<T>(
        &mut self,
        key: &'static str,
        decode: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
    ) -> Option<Option<At<T>>> {
        match self.take(key) {
            Some(value) => self.nested(key, value, decode).map(Some),
            None => Some(None),
        }
    }

    /// A list of nested tables, or of what `plain` makes of an item that is none.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        plain: impl Fn(Value<'_>) -> Result<T, Refusal>,
        decode: impl Fn(&mut Fields<'_, '_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(value) = self.take(key) else { return Some(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("`{key}` of {} must be a list", self.what);
            self.push(
                Problem::new(ProblemCode::WrongType, value.span(), message).hint(format!("write `{key} = [ … ]`")),
            );
            return None;
        };
        if items.len() > crate::limits::ENTRIES_MAX {
            let message = format!("`{key}` of {} has more than {} items", self.what, crate::limits::ENTRIES_MAX);
            self.push(Problem::new(ProblemCode::TooMany, value.span(), message).hint("declare fewer"));
            return None;
        }
        let mut read = Vec::with_capacity(items.len());
        for item in items.iter() {
            read.push(match item.get_ref() {
                DeValue::Table(_) => self.nested(key, item, &decode).map(At::into_inner),
                _ => self.convert(key, item, &plain).map(At::into_inner),
            });
        }
        read.into_iter().collect()
    }

    fn nested<T>(
        &mut self,
        key: &str,
        value: Value<'_>,
        decode: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
    ) -> Option<At<T>> {
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("`{key}` of {} must be a table", self.what);
            self.push(
                Problem::new(ProblemCode::WrongType, value.span(), message).hint(format!("write `{key} = {{ … }}`")),
            );
            return None;
        };
        let mut fields = Fields::new(table, value.span(), format!("`{key}` of {}", self.what), self.problems);
        let decoded = decode(&mut fields);
        fields.finish();
        decoded.map(|decoded| At::new(decoded, value.span()))
    }

    fn convert<T>(
        &mut self,
        key: &str,
        value: Value<'_>,
        convert: impl FnOnce(Value<'_>) -> Result<T, Refusal>,
    ) -> Option<At<T>> {
        match convert(value) {
            Ok(good) => Some(At::new(good, value.span())),
            Err(refusal) => {
                let span = refusal.span.unwrap_or_else(|| value.span());
                let message = format!("`{key}` of {} {}", self.what, refusal.says);
                self.push(Problem::new(refusal.code, span, message).hint(refusal.hint));
                None
            }
        }
    }

    /// Every key nobody asked for is unknown. Call when all keys have been asked.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let hint = match nearest(name, &self.asked) {
                Some(near) => format!("did you mean `{near}`? Known here: {}", self.asked.join(", ")),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            let message = format!("{} has no key `{}`", self.what, shown(name));
            self.problems.push(
                Problem::new(ProblemCode::UnknownKey, key.span(), message).label("not part of the schema").hint(hint),
            );
        }
    }
}

/// The word nearest to `name`, if it is at most a third of its letters away.
pub(crate) fn nearest<'a>(name: &str, among: &[&'a str]) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    among
        .iter()
        .map(|word| (distance(name, word), *word))
        .min()
        .filter(|(far, word)| *far * 3 <= word.chars().count())
        .map(|(_, word)| word)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        if let Some(first) = row.first_mut() {
            *first = last;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(b.chars()) {
            let cost = (diagonal + usize::from(left != right)).min(*cell + 1).min(last + 1);
            diagonal = *cell;
            *cell = cost;
            last = cost;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_when_near() {
        assert_eq!(distance("purpos", "purpose"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("rate", &["rate_max", "retention"]), None);
        assert_eq!(nearest("ratemax", &["rate_max", "retention"]), Some("rate_max"));
        assert_eq!(nearest("zzz", &["id"]), None);
    }
}
