//! What is said about real recordings, second by second.

use crate::record::{Track, play, read};
use crate::{recordings_folder, seconds};
use obhut_model::Code;
use obhut_signal::{Against, Bed, Claim, ConditionKind, Doubt, Gate, Lack, Settings, SignalQuality, Sort, Verdict};

fn tracks(name: &str) -> Option<Vec<Track>> {
    recordings_folder().map(|folder| read(&folder, name).unwrap())
}

/// Whether a condition claims that the heart stands still or fibrillates.
fn is_arrest(kind: &ConditionKind) -> bool {
    matches!(
        kind,
        ConditionKind::Asystole { .. } | ConditionKind::NoBeats { .. } | ConditionKind::FibrillationLike { .. }
    )
}

#[test]
fn no_recording_raises_an_arrest() {
    for name in ["100", "03700181", "mixedsignals", "a103l"] {
        let Some(tracks) = tracks(name) else { return };
        play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
            let conditions = bed.assess(seconds(second)).conditions;
            assert!(!conditions.iter().any(|c| is_arrest(&c.kind)), "{name} at {second} s: {conditions:?}");
        });
    }
}

#[test]
fn the_false_asystole_is_contradicted_with_a_reason() {
    let Some(tracks) = tracks("a103l") else { return };
    let mut seen = 0;
    play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
        if second == 300 {
            seen += 1;
            match bed.verify(Claim::Asystole, seconds(second)) {
                Verdict::Contradicted(Against::PulsesGoOn { code, rate, pulses, pause_s }) => {
                    assert_eq!(code, Code::PULS_OXIM_PLETH);
                    assert!(
                        (120.0..132.0).contains(&rate) && pulses >= 20 && pause_s < 2.0,
                        "{rate} {pulses} {pause_s}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        // Nowhere in the record is it confirmed, the disturbed minute before the alarm included.
        let verdict = bed.verify(Claim::Asystole, seconds(second));
        assert!(!matches!(verdict, Verdict::Confirmed(_)), "{second} s: {verdict:?}");
    });
    assert_eq!(seen, 1);
}

/// Without the plethysmogram only the disturbed ECG is left; it must not confirm.
#[test]
fn disturbed_leads_alone_do_not_confirm() {
    let Some(mut tracks) = tracks("a103l") else { return };
    tracks.retain(|track| track.code != Code::PULS_OXIM_PLETH);
    play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
        let verdict = bed.verify(Claim::Asystole, seconds(second));
        assert!(!matches!(verdict, Verdict::Confirmed(_)), "{second} s: {verdict:?}");
    });
}

/// A small child: rates as the machine annotations have them, pressures as the curve shows them, but only with a gate for children.
#[test]
fn numerics_of_03700181_agree_with_each_other() {
    let Some(tracks) = tracks("03700181") else { return };
    let child = Gate { pulse_min: 8.0, mean_min: 20.0, diastolic_min: 12.0, ..Gate::sun_2006() };
    let mut bed = Bed::new(Settings { gate: child, ..Settings::published() });
    let (mut both, mut pressures, mut breaths) = (0, 0, 0);
    play(&tracks, &mut bed, |bed, second| {
        let known = bed.assess(seconds(second));
        if second < 12 {
            return;
        }
        if let (Some(heart), Some(pulse)) = (known.heart_rate, known.pulse_rate) {
            assert!((118.0..127.0).contains(&heart.value), "{second}: {heart:?}");
            both += usize::from((heart.value - pulse.value).abs() <= 4.0);
        }
        if let Some(measured) = known.pressures {
            let p = measured.value;
            assert!((38.0..58.0).contains(&p.systolic) && (22.0..35.0).contains(&p.diastolic), "{second}: {p:?}");
            assert!(p.diastolic < p.mean && p.mean < p.systolic);
            pressures += 1;
        }
        if let Some(measured) = known.respiration {
            assert!((15.0..32.0).contains(&measured.value.rate), "{second}: {measured:?}");
            breaths += 1;
        }
    });
    assert!(both > 520 && pressures > 500 && breaths > 400, "{both} {pressures} {breaths}");
}

#[test]
fn adult_limits_do_not_believe_a_childs_pressures() {
    let Some(tracks) = tracks("03700181") else { return };
    play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
        if second == 60 {
            let known = bed.assess(seconds(second));
            assert_eq!(known.pressures, None);
            let abp = known.channels.iter().find(|channel| channel.code == Code::PRESS_BLD_ART_ABP).unwrap();
            assert_eq!(abp.quality, SignalQuality::Doubtful(Doubt::Implausible));
        }
    });
}

/// Drop-outs at the beginning, six channels at three rates, a breathing curve at the ends of its range.
#[test]
fn drop_outs_of_mixedsignals_are_unknown_and_the_rest_agrees() {
    let Some(tracks) = tracks("mixedsignals") else { return };
    let mut agreeing = 0;
    play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
        let known = bed.assess(seconds(second));
        let quality = |code| known.channels.iter().find(|channel| channel.code == code).unwrap().quality;
        if second == 4 {
            assert_eq!(quality(Code::ECG_LEAD_II), SignalQuality::Unknown(Lack::Missing));
            assert_eq!(known.heart_rate, None);
        }
        if (15..225).contains(&second) {
            let (heart, pulse) = (known.heart_rate.unwrap().value, known.pulse_rate.unwrap().value);
            assert!((96.0..112.0).contains(&heart), "{second}: {heart}");
            agreeing += usize::from((heart - pulse).abs() <= 4.0);
            let pressures = known.pressures.unwrap().value;
            assert!((145.0..175.0).contains(&pressures.systolic) && (78.0..98.0).contains(&pressures.diastolic));
            assert!(!quality(Code::RESP).is_good(), "{second}");
        }
    });
    assert!(agreeing >= 205, "{agreeing} of 210");
}

/// A bedside monitor's own minute numbers lie beside this recording. Wherever both have a rate and ours is good, they
/// agree. (The patient is resuscitated in the second half; nothing is compared where the monitor has no rate.)
#[test]
fn rates_of_s25047_agree_with_the_monitors() {
    let Some(folder) = recordings_folder().map(|folder| folder.join("s25047")) else { return };
    let tracks = read(&folder, "s25047-2704-05-04-10-44").unwrap();
    let source = |name: &str| std::fs::read(folder.join(name)).ok();
    let numerics = obhut_wfdb::read(&source, "s25047-2704-05-04-10-44n").unwrap();
    let rates = numerics.channels.iter().find(|channel| channel.name == "HR").unwrap();
    let piece = &rates.pieces[0];
    let monitor: Vec<f64> =
        piece.samples.iter().map(|&sample| (f64::from(sample) - f64::from(piece.baseline)) / piece.gain).collect();
    let (mut compared, mut near) = (0, 0);
    play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
        let known = bed.assess(seconds(second));
        // Whether a minute's number is that of the minute before or after is not written anywhere; either will do.
        let minute = second / 60;
        let theirs: Vec<f64> =
            monitor[minute - minute.min(1)..=minute.min(71)].iter().copied().filter(|rate| *rate > 0.0).collect();
        if let (0, false, Some(ours)) = (second % 60, theirs.is_empty(), known.heart_rate)
            && ours.quality.is_good()
        {
            compared += 1;
            near += usize::from(theirs.iter().any(|theirs| (ours.value - theirs).abs() <= theirs * 0.1));
        }
    });
    println!("s25047: {near} of {compared} minutes within 10 %");
    assert!(compared >= 20 && near * 100 >= compared * 95, "{near} of {compared}");
}

/// What is said about a second does not depend on how much has come since: channels of one bed need not keep step.
#[test]
fn asking_later_gives_the_same_answer() {
    for name in ["mixedsignals", "a103l"] {
        let Some(tracks) = tracks(name) else { return };
        let mut said = std::collections::VecDeque::new();
        play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
            // A little earlier than what has come: a block ends at the sample nearest to the second.
            let ask = |second| {
                let at = seconds(second).plus_micros(-20_000);
                (bed.assess(at), bed.verify(Claim::Asystole, at))
            };
            said.push_back((second, ask(second)));
            if said.len() > 4 {
                let (second, before) = said.pop_front().unwrap();
                assert_eq!(ask(second), before, "{name} {second}");
            }
        });
    }
}

/// The delays that are promised.
#[test]
fn nothing_is_reported_later_than_promised() {
    for name in ["100", "03700181", "mixedsignals", "a103l", "s25047/s25047-2704-05-04-10-44"] {
        let Some(folder) = recordings_folder() else { return };
        let (folder, name) =
            name.split_once('/').map_or((folder.clone(), name), |(sub, name)| (folder.join(sub), name));
        let tracks = read(&folder, name).unwrap();
        let (mut ecg, mut pulse) = (0, 0);
        play(&tracks, &mut Bed::new(Settings::published()), |bed, second| {
            if second % 20 != 0 {
                return;
            }
            for track in &tracks {
                let late = bed.beats(track.code).map(|beat| beat.found_at.since(beat.at)).max().unwrap_or(0);
                match Sort::of(track.code).unwrap() {
                    Sort::Ecg => ecg = late.max(ecg),
                    _ => pulse = late.max(pulse),
                }
            }
        });
        println!("{name}: beats at most {} ms late, pulses {} ms", ecg / 1000, pulse / 1000);
        assert!(ecg <= i64::from(obhut_signal::ecg::DELAY_MS_MAX) * 1000, "{name}: {ecg} us");
        assert!(pulse <= i64::from(obhut_signal::pulse::DELAY_MS_MAX) * 1000, "{name}: {pulse} us");
    }
}
