//! Sessions: what each way of ending, locking and stealing does, and a model that is told to try everything.

use crate::{at, person};
use obhut_model::{PersonId, ServerTime};
use obhut_signin::{
    Activity, Assurance, Begin, Browser, Cookie, Ended, Life, Refused, Seen, SessionBook, SessionRules, SignedIn,
    Standing, Why,
};
use proptest::prelude::*;
use std::time::Duration;

const HOUR: i64 = 3_600;

fn book() -> SessionBook {
    SessionBook::new(SessionRules::new(Duration::from_secs(8 * 3_600), Duration::from_secs(600)))
}

fn browser(name: &str) -> Browser {
    Browser::from_user_agent(Some(name.as_bytes()))
}

fn begin_as(book: &SessionBook, who: PersonId, now: ServerTime) -> (SignedIn, Cookie) {
    let begin = Begin { person: who, assurance: Assurance::Passkey, life: Life::Person, browser: browser("A") };
    book.begin(begin, now).unwrap()
}

fn see(book: &SessionBook, cookie: &Cookie, now: ServerTime) -> Result<Seen, Refused> {
    book.see(cookie.reveal(), browser("A"), Activity::Person, now)
}

fn why(refused: Refused) -> Option<Why> {
    match refused {
        Refused::NoSession => None,
        Refused::Ended(Ended { why, .. }) => Some(why),
    }
}

#[test]
fn the_cookie_is_only_for_this_server_and_no_script() {
    let (_, cookie) = begin_as(&book(), person(1), at(0));
    let header = cookie.header();
    assert!(header.starts_with("__Host-obhut="));
    for needed in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(header.contains(needed), "{header}");
    }
    assert!(!header.contains("Domain"));
    assert!(!format!("{cookie:?}").contains(cookie.reveal()));
}

#[test]
fn nobody_stays_longer_than_eight_hours_whatever_the_charter_says() {
    let book = SessionBook::new(SessionRules::new(Duration::from_secs(100 * 3_600), Duration::from_secs(100 * 3_600)));
    let (who, mut cookie) = begin_as(&book, person(1), at(0));
    assert_eq!(who.ends, at(8 * HOUR));
    for minute in 0..480 {
        cookie = see(&book, &cookie, at(minute * 60)).unwrap().renewed.unwrap_or(cookie);
    }
    assert_eq!(why(see(&book, &cookie, at(8 * HOUR)).unwrap_err()), Some(Why::Expired));
    assert_eq!(why(see(&book, &cookie, at(8 * HOUR)).unwrap_err()), None);
}

#[test]
fn a_shorter_charter_shortens_running_sessions() {
    let book = book();
    let (_, cookie) = begin_as(&book, person(1), at(0));
    book.set_rules(SessionRules::new(Duration::from_secs(60), Duration::from_secs(60)));
    assert_eq!(why(see(&book, &cookie, at(61)).unwrap_err()), Some(Why::Expired));
}

#[test]
fn a_clock_set_back_gives_no_time() {
    let book = book();
    let (_, cookie) = begin_as(&book, person(1), at(0));
    assert!(book.sweep(at(9 * HOUR)).len() == 1);
    let (_, later) = begin_as(&book, person(1), at(0));
    assert!(see(&book, &cookie, at(1)).is_err());
    assert_eq!(see(&book, &later, at(1)).unwrap().who.began, at(9 * HOUR));
}

#[test]
fn the_cookie_moves_on_and_a_lost_answer_costs_nothing() {
    let book = book();
    let (_, first) = begin_as(&book, person(1), at(0));
    assert!(see(&book, &first, at(299)).unwrap().renewed.is_none());
    let second = see(&book, &first, at(300)).unwrap().renewed.unwrap();
    // The answer got lost: the old value goes on, and the same next one is offered.
    assert_eq!(see(&book, &first, at(590)).unwrap().renewed.unwrap(), second);
    // It arrived: the old value counts for requests under way, and then no more.
    assert!(see(&book, &second, at(600)).unwrap().renewed.is_none());
    assert!(see(&book, &first, at(630)).unwrap().renewed.is_none());
    assert_eq!(why(see(&book, &first, at(631)).unwrap_err()), Some(Why::CookieReused));
    // Whoever of the two it was: both are out.
    assert_eq!(why(see(&book, &second, at(632)).unwrap_err()), None);
}

#[test]
fn a_stolen_cookie_is_noticed_whoever_moves_first() {
    for thief_first in [true, false] {
        let book = book();
        let (who, stolen) = begin_as(&book, person(1), at(0));
        let mut follow = book.watch(who.session).unwrap();
        let next = see(&book, &stolen, at(400)).unwrap().renewed.unwrap();
        assert!(see(&book, &next, at(401)).is_ok());
        let other = if thief_first { 440 } else { 1_000 };
        assert_eq!(why(see(&book, &stolen, at(other)).unwrap_err()), Some(Why::CookieReused));
        assert!(see(&book, &next, at(other)).is_err());
        assert_eq!(*follow.borrow_and_update(), Standing::Ended(Why::CookieReused));
    }
}

#[test]
fn another_browser_ends_it() {
    let book = book();
    let (_, cookie) = begin_as(&book, person(1), at(0));
    let moved = book.see(cookie.reveal(), browser("B"), Activity::Person, at(1));
    assert_eq!(why(moved.unwrap_err()), Some(Why::OtherBrowser));
    assert!(see(&book, &cookie, at(2)).is_err());
}

#[test]
fn who_knows_only_the_name_of_a_session_cannot_end_it() {
    let book = book();
    let (who, cookie) = begin_as(&book, person(1), at(0));
    let (_, foreign) = begin_as(&book, person(2), at(0));
    let own = cookie.reveal();
    // The session's name with every kind of wrong rest: cut, foreign, changed in one place.
    let mut tries = vec![String::new(), "x".repeat(5_000), own[..own.len() - 1].to_owned(), own[..12].to_owned()];
    tries.push(format!("{}{}", &own[..16], &foreign.reveal()[16..]));
    for place in 0..own.len() {
        let mut changed = own.as_bytes().to_vec();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        tries.push(String::from_utf8(changed).unwrap());
    }
    for tried in tries.into_iter().filter(|tried| tried != own) {
        let seen = book.see(&tried, browser("B"), Activity::Person, at(1));
        assert!(matches!(seen, Err(Refused::NoSession)), "{tried}");
    }
    assert_eq!(see(&book, &cookie, at(2)).unwrap().who.session, who.session);
}

#[test]
fn an_idle_screen_locks_and_only_its_person_unlocks_it() {
    let book = book();
    let (who, cookie) = begin_as(&book, person(1), at(0));
    let mut follow = book.watch(who.session).unwrap();
    // The page asks by itself: that is nobody at the screen.
    let seen = book.see(cookie.reveal(), browser("A"), Activity::Background, at(599)).unwrap();
    assert!(!seen.who.locked);
    let cookie = seen.renewed.unwrap();
    assert!(book.sweep(at(600)).is_empty());
    assert_eq!(*follow.borrow_and_update(), Standing::Locked);
    // A request of a person does not unlock.
    assert!(see(&book, &cookie, at(601)).unwrap().who.locked);
    assert!(book.unlock(who.session, person(2), at(602)).is_none());
    let (open, cookie) = book.unlock(who.session, person(1), at(603)).unwrap();
    assert!(!open.locked && open.ends == who.ends);
    assert_eq!(*follow.borrow_and_update(), Standing::Open);
    assert!(!see(&book, &cookie, at(604)).unwrap().who.locked);
    assert!(book.unlock(who.session, person(1), at(8 * HOUR)).is_none());
}

#[test]
fn a_wall_display_goes_on_while_it_asks_and_ends_with_its_role() {
    let book = book();
    let begin = Begin {
        person: person(9),
        assurance: Assurance::Link,
        life: Life::Display { until: at(20 * HOUR) },
        browser: browser("A"),
    };
    let (_, mut cookie) = book.begin(begin, at(0)).unwrap();
    for minute in 0..(20 * 60) {
        let seen = book.see(cookie.reveal(), browser("A"), Activity::Background, at(minute * 60)).unwrap();
        assert!(!seen.who.locked);
        cookie = seen.renewed.unwrap_or(cookie);
        let _ = book.sweep(at(minute * 60));
    }
    assert_eq!(why(see(&book, &cookie, at(20 * HOUR)).unwrap_err()), Some(Why::Expired));
}

#[test]
fn a_silent_wall_display_ends() {
    let book = book();
    let begin = Begin {
        person: person(9),
        assurance: Assurance::Link,
        life: Life::Display { until: at(1_000 * HOUR) },
        browser: browser("A"),
    };
    book.begin(begin, at(0)).unwrap();
    assert_eq!(book.sweep(at(8 * HOUR)).len(), 1);
}

#[test]
fn every_session_of_a_person_ends_at_once() {
    let book = book();
    let mine: Vec<_> = (0..3).map(|_| begin_as(&book, person(1), at(0))).collect();
    let (_, other) = begin_as(&book, person(2), at(0));
    let streams: Vec<_> = mine.iter().map(|(who, _)| book.watch(who.session).unwrap()).collect();
    assert_eq!(book.list(Some(person(1))).len(), 3);
    assert_eq!(book.end_all_of(person(1), Why::Disabled).len(), 3);
    for stream in &streams {
        assert!(stream.has_changed().unwrap_or(true));
        assert_eq!(*stream.borrow(), Standing::Ended(Why::Disabled));
    }
    assert!(mine.iter().all(|(_, cookie)| see(&book, cookie, at(1)).is_err()));
    assert!(see(&book, &other, at(1)).is_ok());
    assert_eq!(book.list(None).len(), 1);
}

#[tokio::test]
async fn a_stream_hears_of_the_end_at_once() {
    let book = std::sync::Arc::new(book());
    let (who, _) = begin_as(&book, person(1), at(0));
    let mut follow = book.watch(who.session).unwrap();
    let stream =
        tokio::spawn(async move { follow.wait_for(|standing| *standing != Standing::Open).await.map(|s| *s).unwrap() });
    book.end(who.session, Why::Revoked);
    let heard = tokio::time::timeout(Duration::from_secs(2), stream).await.unwrap().unwrap();
    assert_eq!(heard, Standing::Ended(Why::Revoked));
}

#[test]
fn the_book_is_bounded() {
    let book = book();
    let (_, first) = begin_as(&book, person(1), at(0));
    for second in 0..obhut_signin::limits::SESSIONS_OF_PERSON_MAX as i64 {
        begin_as(&book, person(1), at(second + 1));
    }
    assert!(see(&book, &first, at(20)).is_err());
    let ended = book.sweep(at(20));
    assert_eq!(ended.iter().map(|ended| ended.why).collect::<Vec<_>>(), [Why::TooMany]);
    for number in 0..obhut_signin::limits::SESSIONS_MAX {
        let who = PersonId::from_random((number as u128 + 1_000).to_be_bytes());
        begin_as(&book, who, at(30));
    }
    assert_eq!(book.list(None).len(), obhut_signin::limits::SESSIONS_MAX);
}

/// What the model is told to do.
#[derive(Debug, Clone)]
enum Step {
    Begin(u8),
    /// Some cookie ever given out, in some browser, after some time.
    See(prop::sample::Index, bool, bool),
    Wait(i64),
    Lock(prop::sample::Index),
    Unlock(prop::sample::Index, u8),
    End(prop::sample::Index),
    EndAll(u8),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        2 => (1u8..4).prop_map(Step::Begin),
        9 => (index(), prop::bool::weighted(0.97), any::<bool>()).prop_map(|(which, own, person)| Step::See(which, own, person)),
        5 => prop_oneof![Just(1), Just(29), Just(31), Just(200), Just(301), Just(700), Just(9_000)].prop_map(Step::Wait),
        1 => index().prop_map(Step::Lock),
        2 => (index(), 1u8..4).prop_map(|(which, who)| Step::Unlock(which, who)),
        1 => index().prop_map(Step::End),
        1 => (1u8..4).prop_map(Step::EndAll),
        2 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..120)
}

/// A session as the rules read in prose: who, since when, how it ended, and which values it has had.
struct Model {
    who: SignedIn,
    person: u8,
    over: bool,
    locked: bool,
    active: i64,
    /// Values in order, and when each was first shown.
    values: Vec<(Cookie, Option<i64>)>,
}

impl Model {
    fn newest_shown(&self) -> usize {
        self.values.iter().rposition(|(_, shown)| shown.is_some()).unwrap()
    }

    fn pass(&mut self, now: i64) {
        if now - self.active >= 600 {
            self.locked = true;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_book_does_what_the_rules_say(steps in steps()) {
        let book = book();
        let mut now = 0;
        let mut sessions: Vec<Model> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Begin(who) => {
                    // Below the bound of sessions for one person, which has its own test.
                    if sessions.iter().filter(|s| s.person == who && !s.over).count() < 10 {
                        let (signed, cookie) = begin_as(&book, person(who), at(now));
                        sessions.push(Model { who: signed, person: who, over: false, locked: false, active: now, values: vec![(cookie, Some(now))] });
                    }
                }
                Step::See(which, own_browser, by_person) => {
                    let all: Vec<_> = sessions.iter().enumerate().flat_map(|(s, session)| (0..session.values.len()).map(move |v| (s, v))).collect();
                    if all.is_empty() { continue; }
                    let (s, v) = *which.get(&all);
                    let session = &mut sessions[s];
                    let cookie = session.values[v].0.clone();
                    let seen = book.see(cookie.reveal(), browser(if own_browser { "A" } else { "B" }),
                        if by_person { Activity::Person } else { Activity::Background }, at(now));
                    let newest = session.newest_shown();
                    let since = session.values[newest].1.unwrap();
                    let expired = at(now) >= session.who.ends;
                    let current = v >= newest || (v + 1 == newest && now - since <= 30);
                    if session.over {
                        prop_assert_eq!(seen, Err(Refused::NoSession));
                    } else if expired || !own_browser || !current {
                        session.over = true;
                        let expected = if expired { Why::Expired } else if own_browser { Why::CookieReused } else { Why::OtherBrowser };
                        prop_assert_eq!(seen.map_err(why), Err(Some(expected)));
                    } else {
                        let seen = seen.unwrap();
                        if v > newest { session.values[v].1 = Some(now); }
                        session.pass(now);
                        prop_assert_eq!(seen.who.locked, session.locked);
                        prop_assert_eq!(seen.who.person, person(session.person));
                        prop_assert_eq!(seen.who.ends, session.who.ends);
                        if by_person && !session.locked { session.active = now; }
                        if let Some(next) = seen.renewed {
                            prop_assert!(v >= newest, "the next value is for whoever holds the newest");
                            if !session.values.iter().any(|(value, _)| *value == next) { session.values.push((next, None)); }
                        }
                    }
                }
                Step::Lock(which) if !sessions.is_empty() => {
                    let session = which.index(sessions.len());
                    let session = &mut sessions[session];
                    prop_assert_eq!(book.lock(session.who.session).is_some(), !session.over);
                    session.locked = true;
                }
                Step::Unlock(which, who) if !sessions.is_empty() => {
                    let session = which.index(sessions.len());
                    let session = &mut sessions[session];
                    let unlocked = book.unlock(session.who.session, person(who), at(now));
                    let may = !session.over && session.person == who && at(now) < session.who.ends;
                    prop_assert_eq!(unlocked.is_some(), may);
                    if let Some((_, next)) = unlocked {
                        session.locked = false;
                        session.active = now;
                        if !session.values.iter().any(|(value, _)| *value == next) { session.values.push((next, None)); }
                    }
                }
                Step::End(which) if !sessions.is_empty() => {
                    let session = which.index(sessions.len());
                    let session = &mut sessions[session];
                    prop_assert_eq!(book.end(session.who.session, Why::Revoked).is_some(), !session.over);
                    session.over = true;
                }
                Step::EndAll(who) => {
                    let theirs = sessions.iter().filter(|s| s.person == who && !s.over).count();
                    prop_assert_eq!(book.end_all_of(person(who), Why::Disabled).len(), theirs);
                    for session in sessions.iter_mut().filter(|s| s.person == who) { session.over = true; }
                }
                Step::Sweep => {
                    let expected = sessions.iter().filter(|s| !s.over && at(now) >= s.who.ends).count();
                    prop_assert_eq!(book.sweep(at(now)).len(), expected);
                    for session in &mut sessions {
                        if at(now) >= session.who.ends { session.over = true; }
                        session.pass(now);
                    }
                }
                Step::Lock(_) | Step::Unlock(..) | Step::End(_) => {}
            }
            let open = sessions.iter().filter(|s| !s.over).count();
            prop_assert_eq!(book.list(None).len(), open);
        }
    }
}
