//! The book of sessions in force.

use super::cookie::{Browser, Cookie, Parsed};
use super::{Assurance, Ended, Life, Listed, Refused, SessionId, SessionRules, SignedIn, Standing, Why};
use crate::error::NoRandomness;
use crate::limits;
use crate::token::random;
use aws_lc_rs::hmac;
use obhut_model::{PersonId, ServerTime};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;
use tokio::sync::watch;

/// Whether a request shows that somebody is at the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Somebody did something.
    Person,
    /// The page asked by itself; does not keep a screen from locking.
    Background,
}

/// A session to begin.
#[derive(Debug, Clone, Copy)]
pub struct Begin {
    /// Whose.
    pub person: PersonId,
    /// How they proved who they are.
    pub assurance: Assurance,
    /// How it lives.
    pub life: Life,
    /// In which browser.
    pub browser: Browser,
}

/// A cookie that opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who it is.
    pub who: SignedIn,
    /// The next value, to be sent with the answer.
    pub renewed: Option<Cookie>,
}

/// Sessions in force.
pub struct SessionBook {
    inner: Mutex<Inner>,
}

struct Inner {
    rules: SessionRules,
    /// The latest time anybody told: a clock that is set back does not make a session longer.
    latest: ServerTime,
    sessions: HashMap<SessionId, Session>,
    /// Sessions that ended without a request of their own, for [`SessionBook::sweep`].
    ended: Vec<Ended>,
}

struct Session {
    who: SignedIn,
    life: Life,
    browser: Browser,
    key: hmac::Key,
    /// The step whose value is in use.
    step: u32,
    /// Since when.
    step_since: ServerTime,
    /// Whether the browser has been given the next step's value, and not shown it yet.
    offered: bool,
    active: ServerTime,
    standing: watch::Sender<Standing>,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Debug for SessionBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBook").field("sessions", &self.inner.lock().sessions.len()).finish_non_exhaustive()
    }
}

impl SessionBook {
    /// An empty book.
    #[must_use]
    pub fn new(rules: SessionRules) -> Self {
        let latest = ServerTime::from_micros(i64::MIN);
        Self { inner: Mutex::new(Inner { rules, latest, sessions: HashMap::new(), ended: Vec::new() }) }
    }

    /// Another charter is in force: what it shortens is shortened for running sessions, too.
    pub fn set_rules(&self, rules: SessionRules) {
        let mut inner = self.inner.lock();
        inner.rules = rules;
        for session in inner.sessions.values_mut().filter(|session| session.life == Life::Person) {
            session.who.ends = session.who.ends.min(session.who.began.plus_micros(micros(rules.max())));
        }
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> SessionRules {
        self.inner.lock().rules
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`NoRandomness`]; nothing began.
    pub fn begin(&self, begin: Begin, now: ServerTime) -> Result<(SignedIn, Cookie), NoRandomness> {
        let id = SessionId::new(random()?);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?);
        let mut inner = self.inner.lock();
        let now = inner.tick(now);
        inner.make_room(begin.person, now);
        let ends = now.plus_micros(micros(inner.rules.max()));
        let ends = if let Life::Display { until } = begin.life { ends.min(until) } else { ends };
        let who =
            SignedIn { session: id, person: begin.person, assurance: begin.assurance, began: now, ends, locked: false };
        let cookie = Cookie::new(&key, id, 0);
        let session = Session {
            who,
            life: begin.life,
            browser: begin.browser,
            key,
            step: 0,
            step_since: now,
            offered: false,
            active: now,
            standing: watch::Sender::new(Standing::Open),
        };
        inner.sessions.insert(id, session);
        Ok((who, cookie))
    }

    /// Who the holder of `cookie` is.
    ///
    /// # Errors
    /// [`Refused`]: no session, or one that ended by this very request.
    pub fn see(&self, cookie: &str, browser: Browser, activity: Activity, now: ServerTime) -> Result<Seen, Refused> {
        let parsed = Parsed::parse(cookie).ok_or(Refused::NoSession)?;
        let mut inner = self.inner.lock();
        let now = inner.tick(now);
        let rules = inner.rules;
        let session = inner.sessions.get_mut(&parsed.session).ok_or(Refused::NoSession)?;
        // SECURITY: nothing happens to the session before this line; its name alone, which stands in the ledger, must not be enough to end it.
        if !parsed.is_from(&session.key) {
            return Err(Refused::NoSession);
        }
        let verdict = session.judge(parsed.step, browser, now);
        match verdict {
            Err(why) => Err(inner.end(parsed.session, why).map_or(Refused::NoSession, Refused::Ended)),
            Ok(()) => Ok(session.serve(parsed.step, activity, rules, now)),
        }
    }

    /// Locks a session. Returns who it is, if there is one.
    pub fn lock(&self, session: SessionId) -> Option<SignedIn> {
        let mut inner = self.inner.lock();
        let session = inner.sessions.get_mut(&session)?;
        session.lock();
        Some(session.who)
    }

    /// Unlocks `session` for `person`, who has just proved who they are; the browser gets a new cookie value.
    ///
    /// Returns `None` if there is no such session any more or it is somebody else's: then nothing changes.
    pub fn unlock(&self, session: SessionId, person: PersonId, now: ServerTime) -> Option<(SignedIn, Cookie)> {
        let mut inner = self.inner.lock();
        let now = inner.tick(now);
        let session = inner
            .sessions
            .get_mut(&session)
            .filter(|session| session.who.person == person && now < session.who.ends)?;
        session.who.locked = false;
        session.active = now;
        session.offered = true;
        session.standing.send_replace(Standing::Open);
        Some((session.who, Cookie::new(&session.key, session.who.session, session.step.saturating_add(1))))
    }

    /// Ends a session.
    pub fn end(&self, session: SessionId, why: Why) -> Option<Ended> {
        self.inner.lock().end(session, why)
    }

    /// Ends every session of a person.
    pub fn end_all_of(&self, person: PersonId, why: Why) -> Vec<Ended> {
        let mut inner = self.inner.lock();
        let theirs: Vec<_> =
            inner.sessions.values().filter(|session| session.who.person == person).map(|s| s.who.session).collect();
        theirs.into_iter().filter_map(|session| inner.end(session, why)).collect()
    }

    /// Sessions in force: of one person, or all; newest first.
    #[must_use]
    pub fn list(&self, person: Option<PersonId>) -> Vec<Listed> {
        let inner = self.inner.lock();
        let mut listed: Vec<_> = inner
            .sessions
            .values()
            .filter(|session| person.is_none_or(|person| session.who.person == person))
            .map(|session| Listed { who: session.who, active: session.active })
            .collect();
        listed.sort_by_key(|listed| std::cmp::Reverse((listed.who.began, listed.who.session)));
        listed
    }

    /// Whether a session is a wall display's, which does not lock.
    #[must_use]
    pub fn is_display(&self, session: SessionId) -> bool {
        self.inner.lock().sessions.get(&session).is_some_and(|session| session.life != Life::Person)
    }

    /// Follows a session: a live stream ends when this says so, or when the sender is gone.
    #[must_use]
    pub fn watch(&self, session: SessionId) -> Option<watch::Receiver<Standing>> {
        self.inner.lock().sessions.get(&session).map(|session| session.standing.subscribe())
    }

    /// Ends what is over and locks what is idle. Call every second, so that streams hear of it. Returns what ended since the last call without
    /// a request that was told so, for the ledger.
    #[must_use = "what ended belongs in the ledger"]
    pub fn sweep(&self, now: ServerTime) -> Vec<Ended> {
        let mut inner = self.inner.lock();
        let now = inner.tick(now);
        let idle = micros(inner.rules.idle());
        let mut over = Vec::new();
        for session in inner.sessions.values_mut() {
            if now >= session.who.ends {
                over.push(session.who.session);
            } else {
                session.lock_if_idle(idle, now);
            }
        }
        let mut ended = std::mem::take(&mut inner.ended);
        ended.extend(over.into_iter().filter_map(|session| inner.end(session, Why::Expired)));
        ended
    }
}

impl Inner {
    fn tick(&mut self, now: ServerTime) -> ServerTime {
        self.latest = self.latest.max(now);
        self.latest
    }

    fn end(&mut self, session: SessionId, why: Why) -> Option<Ended> {
        let session = self.sessions.remove(&session)?;
        session.standing.send_replace(Standing::Ended(why));
        Some(Ended { was: session.who, why })
    }

    fn make_room(&mut self, person: PersonId, now: ServerTime) {
        let mut theirs: Vec<_> =
            self.sessions.values().filter(|s| s.who.person == person).map(|s| (s.who.began, s.who.session)).collect();
        theirs.sort_unstable();
        let surplus = (theirs.len() + 1).saturating_sub(limits::SESSIONS_OF_PERSON_MAX);
        let mut gone: Vec<_> = theirs.into_iter().take(surplus).map(|(_, session)| (session, Why::TooMany)).collect();
        if self.sessions.len() >= limits::SESSIONS_MAX {
            gone.extend(self.sessions.values().filter(|s| now >= s.who.ends).map(|s| (s.who.session, Why::Expired)));
        }
        for (session, why) in gone {
            let ended = self.end(session, why);
            self.ended.extend(ended);
        }
        while self.sessions.len() >= limits::SESSIONS_MAX {
            let Some(idle) = self.sessions.values().min_by_key(|s| s.active).map(|s| s.who.session) else { break };
            let ended = self.end(idle, Why::TooMany);
            self.ended.extend(ended);
        }
    }
}

impl Session {
    /// Whether the holder of this step's value may go on; moves to the next step when its value is first shown.
    fn judge(&mut self, step: u32, browser: Browser, now: ServerTime) -> Result<(), Why> {
        if now >= self.who.ends {
            return Err(Why::Expired);
        }
        if browser != self.browser {
            return Err(Why::OtherBrowser);
        }
        if self.offered && Some(step) == self.step.checked_add(1) {
            self.step = step;
            self.step_since = now;
            self.offered = false;
        }
        let in_grace =
            step.checked_add(1) == Some(self.step) && now.since(self.step_since) <= micros(limits::COOKIE_GRACE);
        if step == self.step || in_grace { Ok(()) } else { Err(Why::CookieReused) }
    }

    fn serve(&mut self, step: u32, activity: Activity, rules: SessionRules, now: ServerTime) -> Seen {
        self.lock_if_idle(micros(rules.idle()), now);
        if !self.who.locked && activity == Activity::Person {
            self.active = now;
        }
        if let Life::Display { until } = self.life {
            self.active = now;
            self.who.ends = now.plus_micros(micros(rules.max())).min(until);
        }
        let old = now.since(self.step_since) >= micros(limits::COOKIE_FRESH);
        let renewed = (step == self.step && (old || self.offered)).then(|| {
            // The old value stays good until the new one is shown: an answer that got lost must not cost the session.
            self.offered = true;
            Cookie::new(&self.key, self.who.session, self.step.saturating_add(1))
        });
        Seen { who: self.who, renewed }
    }

    /// A session that began with a link has nothing to be unlocked with: it does not lock, and ends early enough (demonstration) or shows no names
    /// (display).
    fn lock_if_idle(&mut self, idle: i64, now: ServerTime) {
        let unlocks = self.life == Life::Person && self.who.assurance != Assurance::Link;
        if unlocks && now.since(self.active) >= idle {
            self.lock();
        }
    }

    fn lock(&mut self) {
        if !self.who.locked {
            self.who.locked = true;
            self.standing.send_replace(Standing::Locked);
        }
    }
}
