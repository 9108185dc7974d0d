//! Events put into recordings: all are raised within ten seconds, none before.

use crate::record::{Track, play, read};
use crate::synthetic::{Noise, fibrillation};
use crate::{recordings_folder, seconds};
use obhut_model::{Code, NO_VALUE};
use obhut_signal::{Bed, Claim, Condition, ConditionKind, Settings, Sort, Support, Uncertainty, Verdict};

/// When the event begins, seconds.
const ONSET: usize = 60;

/// An alarm must come within.
const DEADLINE: usize = 10;

fn tracks(name: &str) -> Option<Vec<Track>> {
    let mut tracks = recordings_folder().map(|folder| read(&folder, name).unwrap())?;
    for track in &mut tracks {
        let end = at(track, ONSET + 40);
        track.samples.truncate(end);
    }
    Some(tracks)
}

fn at(track: &Track, second: usize) -> usize {
    track.rate.index_at(second as i64 * 1_000_000) as usize
}

/// Replaces everything from the onset by `curve` (seconds since the onset to a value), which begins at the track's own last value.
fn replace(track: &mut Track, curve: impl Fn(f64, f64) -> f64) {
    let onset = at(track, ONSET);
    let before = track.scale.value(track.samples[onset - 1]).unwrap();
    for n in onset..track.samples.len() {
        let value = curve((n - onset) as f64 / track.rate.hertz(), before);
        track.samples[n] = (value * track.scale.gain + f64::from(track.scale.baseline)).round() as i16;
    }
}

/// Level and trembling noise; what was falls off within about a second.
fn still(track: &mut Track, level: f64, noise: f64) {
    let random = std::cell::RefCell::new(Noise::new(7 + u64::from(track.code.number())));
    replace(track, |t, before| level + (before - level) * (-t * 2.0).exp() + random.borrow_mut().next() * noise);
}

fn ecg_is_still(tracks: &mut [Track]) {
    for track in tracks.iter_mut().filter(|track| Sort::of(track.code) == Some(Sort::Ecg)) {
        still(track, 0.0, 0.02);
    }
}

fn pulses_are_still(tracks: &mut [Track]) {
    for track in tracks.iter_mut() {
        match Sort::of(track.code) {
            Some(Sort::Pressure) => still(track, 18.0, 0.4),
            Some(Sort::Pleth) => still(track, 0.5, 0.004),
            Some(Sort::Respiration) => still(track, 0.0, 0.01),
            _ => {}
        }
    }
}

/// When after the onset each condition was first seen, and the condition. Panics if `wanted` was there before.
fn first_seen(tracks: &[Track], wanted: impl Fn(&ConditionKind) -> bool) -> Option<(usize, Condition)> {
    let mut first = None;
    play(tracks, &mut Bed::new(Settings::published()), |bed, second| {
        let known = bed.assess(seconds(second));
        let Some(condition) = known.conditions.iter().find(|condition| wanted(&condition.kind)) else { return };
        assert!(second > ONSET, "{condition:?} {second} s, before anything happened");
        first.get_or_insert((second - ONSET, *condition));
    });
    first
}

fn in_time(tracks: &[Track], wanted: impl Fn(&ConditionKind) -> bool) -> Condition {
    let (after, condition) = first_seen(tracks, wanted).expect("raised at all");
    println!("raised after {after} s: {condition:?}");
    assert!(after <= DEADLINE, "{condition:?} only after {after} s");
    condition
}

/// Stretches or shortens the time from the onset: `factor` 2 is half as fast.
fn at_speed(tracks: &mut [Track], factor: f64) {
    for track in tracks {
        let onset = at(track, ONSET);
        let old = track.samples.clone();
        let len = ((old.len() - onset) as f64 * factor.min(1.0)) as usize + onset;
        track.samples = (0..len)
            .map(|n| {
                let from = if n < onset { n as f64 } else { onset as f64 + (n - onset) as f64 / factor };
                let (a, b) = (old[from as usize], old[(from as usize + 1).min(old.len() - 1)]);
                if a == NO_VALUE || b == NO_VALUE {
                    return NO_VALUE;
                }
                (f64::from(a) + (f64::from(b) - f64::from(a)) * from.fract()).round() as i16
            })
            .collect();
    }
}

/// Makes the heart slow without making complexes wide: after each beat of the record's own, `pause` seconds at the curve's last value.
fn with_pauses(tracks: &mut [Track], cycle: f64, pause: f64) {
    for track in tracks {
        let onset = at(track, ONSET);
        let old = track.samples.clone();
        let rate = track.rate.hertz();
        let mut noise = Noise::new(3);
        for n in onset..old.len() {
            let t = (n - onset) as f64 / rate;
            let (beats, within) = ((t / (cycle + pause)).floor(), t % (cycle + pause));
            let from = onset as f64 + (beats * cycle + within.min(cycle)) * rate;
            let tremble = if within > cycle { (noise.next() * 0.005 * track.scale.gain).round() as i16 } else { 0 };
            track.samples[n] = old[(from as usize).min(old.len() - 1)].saturating_add(tremble);
        }
    }
}

#[test]
fn asystole_is_raised_and_confirmed() {
    for name in ["03700181", "a103l", "mixedsignals"] {
        let Some(mut tracks) = tracks(name) else { return };
        ecg_is_still(&mut tracks);
        pulses_are_still(&mut tracks);
        let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::Asystole { .. }));
        assert!(
            matches!(condition.verdict, Verdict::Confirmed(Support::NeitherBeatsNorPulses { .. })),
            "{condition:?}"
        );
    }
}

#[test]
fn an_asystole_somebody_else_claims_is_confirmed() {
    let Some(mut tracks) = tracks("03700181") else { return };
    ecg_is_still(&mut tracks);
    pulses_are_still(&mut tracks);
    play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
        let verdict = bed.verify(Claim::Asystole, seconds(second));
        match second {
            20..=ONSET => assert!(matches!(verdict, Verdict::Contradicted(_)), "{second}: {verdict:?}"),
            67..=70 => assert!(matches!(verdict, Verdict::Confirmed(_)), "{second}: {verdict:?}"),
            _ => {}
        }
        // As soon as it is one, nothing contradicts any more.
        assert!(second < ONSET + 4 || !matches!(verdict, Verdict::Contradicted(_)), "{second}: {verdict:?}");
    });
}

/// One ECG and no second signal: no beats are reported, asystole is not.
#[test]
fn without_a_second_signal_there_are_no_beats_but_no_asystole() {
    let Some(mut tracks) = tracks("100") else { return };
    ecg_is_still(&mut tracks);
    let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::NoBeats { .. }));
    assert_eq!(condition.verdict, Verdict::Unclear(Uncertainty::NoSecondSignal));
    assert_eq!(first_seen(&tracks, |kind| matches!(kind, ConditionKind::Asystole { .. })), None);
}

/// A dead line is no asystole: quality is unknown. The pressure that stays away is raised all the same.
#[test]
fn a_dead_line_is_unknown() {
    let Some(mut tracks) = tracks("03700181") else { return };
    for track in tracks.iter_mut().filter(|track| Sort::of(track.code) == Some(Sort::Ecg)) {
        still(track, 0.0, 0.0);
    }
    assert_eq!(
        first_seen(&tracks, |kind| matches!(kind, ConditionKind::Asystole { .. } | ConditionKind::NoBeats { .. })),
        None
    );
    pulses_are_still(&mut tracks);
    in_time(&tracks, |kind| matches!(kind, ConditionKind::PulseLost { .. }));
}

/// The electrodes fall off, the pulse goes on: no beats at most, and contradicted.
#[test]
fn pulses_contradict_a_silent_ecg() {
    let Some(mut tracks) = tracks("mixedsignals") else { return };
    ecg_is_still(&mut tracks);
    let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::NoBeats { .. }));
    assert!(matches!(condition.verdict, Verdict::Contradicted(_)), "{condition:?}");
    assert_eq!(first_seen(&tracks, |kind| matches!(kind, ConditionKind::Asystole { .. })), None);
}

#[test]
fn bradycardia_is_raised_and_confirmed() {
    // One beat of each record's own, then standing still until the next.
    for (name, cycle, pause) in [("03700181", 0.4885, 1.45), ("100", 0.8, 1.1), ("mixedsignals", 0.577, 1.4)] {
        let Some(mut tracks) = tracks(name) else { return };
        with_pauses(&mut tracks, cycle, pause);
        let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::Bradycardia { .. }));
        assert!(matches!(condition.verdict, Verdict::Confirmed(Support::Rate { .. })), "{name}: {condition:?}");
    }
}

#[test]
fn tachycardia_is_raised_and_confirmed() {
    for (name, factor) in [("03700181", 0.7), ("100", 0.45), ("mixedsignals", 0.6)] {
        let Some(mut tracks) = tracks(name) else { return };
        at_speed(&mut tracks, factor);
        let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::Tachycardia { .. }));
        assert!(matches!(condition.verdict, Verdict::Confirmed(Support::Rate { .. })), "{name}: {condition:?}");
    }
}

#[test]
fn fibrillation_is_raised_and_confirmed_without_pulses() {
    for (name, height) in [("03700181", 0.2), ("a103l", 0.4), ("mixedsignals", 0.8), ("100", 0.3)] {
        for seed in 1..=5 {
            let Some(mut tracks) = tracks(name) else { return };
            for track in tracks.iter_mut().filter(|track| Sort::of(track.code) == Some(Sort::Ecg)) {
                let wave = fibrillation(seed);
                replace(track, |t, _| wave(t) * height);
            }
            pulses_are_still(&mut tracks);
            let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::FibrillationLike { .. }));
            assert!(!matches!(condition.verdict, Verdict::Contradicted(_)), "{name}: {condition:?}");
        }
    }
}

/// The same with pulses going on is tooth brushing: still raised, and contradicted.
#[test]
fn pulses_contradict_fibrillation() {
    let Some(mut tracks) = tracks("mixedsignals") else { return };
    for track in tracks.iter_mut().filter(|track| Sort::of(track.code) == Some(Sort::Ecg)) {
        let wave = fibrillation(1);
        replace(track, |t, _| wave(t) * 0.5);
    }
    let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::FibrillationLike { .. }));
    assert!(matches!(condition.verdict, Verdict::Contradicted(_)), "{condition:?}");
}

/// The finger gets cold or the sensor slips: the plethysmogram fades away within seconds. The ECG goes on, so it is no asystole.
#[test]
fn a_fading_plethysmogram_is_a_lost_pulse() {
    for name in ["a103l", "mixedsignals"] {
        let Some(mut tracks) = tracks(name) else { return };
        let pleth = tracks.iter_mut().find(|track| track.code == Code::PULS_OXIM_PLETH).unwrap();
        let onset = at(pleth, ONSET);
        let middle = (0.5 * pleth.scale.gain + f64::from(pleth.scale.baseline)).round();
        let mut noise = Noise::new(5);
        for n in onset..pleth.samples.len() {
            let left = (-((n - onset) as f64) / pleth.rate.hertz() * 2.0).exp();
            let value =
                middle + (f64::from(pleth.samples[n]) - middle) * left + noise.next() * 0.003 * pleth.scale.gain;
            pleth.samples[n] = value.round() as i16;
        }
        let condition = in_time(&tracks, |kind| matches!(kind, ConditionKind::PulseLost { .. }));
        // In one record there is a pressure with pulses, in the other nothing that could be asked.
        match name {
            "a103l" => assert_eq!(condition.verdict, Verdict::Unclear(Uncertainty::NoSecondSignal)),
            _ => assert!(matches!(condition.verdict, Verdict::Contradicted(_))),
        }
        assert_eq!(
            first_seen(&tracks, |kind| matches!(kind, ConditionKind::Asystole { .. } | ConditionKind::NoBeats { .. })),
            None
        );
    }
}

/// All curves are missing for six seconds and come back: a gap is neither asystole nor a lost pulse, and no rate reaches across it.
#[test]
fn a_gap_is_no_event() {
    for name in ["03700181", "a103l", "mixedsignals"] {
        let Some(mut tracks) = tracks(name) else { return };
        for track in &mut tracks {
            let (from, to) = (at(track, ONSET), at(track, ONSET + 6));
            track.samples[from..to].fill(NO_VALUE);
        }
        play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
            let known = bed.assess(seconds(second));
            assert!(known.conditions.is_empty(), "{name} {second}: {:?}", known.conditions);
            if let Some(rate) = known.heart_rate.filter(|_| second > 15) {
                assert!((90.0..140.0).contains(&rate.value), "{name} {second}: {rate:?}");
            }
            if (ONSET + 3..ONSET + 6).contains(&second) {
                assert!(known.channels.iter().all(|channel| !channel.quality.is_known()), "{name} {second}");
            }
            let verdict = bed.verify(Claim::Asystole, seconds(second));
            assert!(!matches!(verdict, Verdict::Confirmed(_)), "{name} {second}: {verdict:?}");
        });
    }
}

/// How often movement of a finger is taken for pulses while the heart stands still: in one second of a hundred at most. And whatever the finger
/// does, the silent ECG is raised.
#[test]
fn movement_rarely_hides_an_asystole() {
    for (low, high) in [(0.8, 2.5), (1.0, 1.5), (3.0, 8.0), (0.5, 8.0)] {
        let (mut contradicted, mut asked) = (0, 0);
        for seed in 0..15 {
            let Some(mut tracks) = tracks("a103l") else { return };
            ecg_is_still(&mut tracks);
            for track in &mut tracks {
                track.samples.truncate(at(track, ONSET + 20));
                if Sort::of(track.code) == Some(Sort::Pleth) {
                    let wave = crate::synthetic::narrow_band(seed, low, high);
                    replace(track, |t, _| 0.5 + wave(t) * 0.07);
                }
            }
            play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
                if second < ONSET + 6 {
                    return;
                }
                let raised = bed.assess(seconds(second)).conditions;
                let silent = |kind| matches!(kind, ConditionKind::Asystole { .. } | ConditionKind::NoBeats { .. });
                assert!(
                    raised.iter().any(|condition| silent(condition.kind)),
                    "{low} to {high} Hz, {seed}: {raised:?}"
                );
                asked += 1;
                let verdict = bed.verify(Claim::Asystole, seconds(second));
                contradicted += usize::from(matches!(verdict, Verdict::Contradicted(_)));
            });
        }
        println!("movement {low} to {high} Hz: {contradicted} of {asked} contradicted");
        assert!(contradicted * 100 <= asked, "{low} to {high} Hz: {contradicted} of {asked}");
    }
}
