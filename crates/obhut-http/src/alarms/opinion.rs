//! The second opinion: what the curves of a bed show, said to the engine as findings and doubts, and shown to pages.
//!
//! Three things come of one [`Judged`]: what the curves show themselves (found by `curves`, which is nobody's device), what they say to an arrhythmia that a
//! device claims ([`claimed`]), and how good each channel is. *Not* here: whether and how loud something alarms, which the charter and the engine say.
//!
//! What always holds: a contradiction makes an alarm one step less urgent, with the reason in it, and never takes it away; only a signal of known quality
//! ends what the curves showed; what a device claims, only that device takes back; beats that nobody finds are doubtful data, never asystole. Decision 0200.

use super::Watching;
use super::curves::{CLAIMS, Judged};
use obhut_model::{BedId, Code, DeviceId, DeviceTime, Numeric, Quality, ServerTime, Subject};
use obhut_signal::{
    Against, Assessment, ChannelReport, Claim, Condition, ConditionKind, Doubt, Lack, Perfusion, SignalQuality, Sort,
    Uncertainty, Verdict,
};
use obhut_vitals::alarm::{Finding, FindingKind, Input, Place, SecondOpinion, Technical, TechnicalKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The source of what the curves show: no device says it.
const CURVES: &str = "curves";
/// How far an opinion may be from the claim it is about.
const OPINION_STANDS_MICROS: i64 = 3_000_000;
/// How often pages are told numbers of the curves that changed, while nothing else did.
const TOLD_EVERY_MICROS: i64 = 5_000_000;

/// What is known of one bed's curves.
#[derive(Debug, Clone)]
pub(super) struct Opinions {
    newest: Judged,
    /// What devices claim and have not taken back.
    claims: BTreeMap<(FindingKind, DeviceId), (Option<Subject>, DeviceTime, Quality)>,
    told: i64,
}

/// The arrhythmia a device's event code claims: 1 while it holds, 0 when it is over.
pub(super) const fn claimed(code: Code) -> Option<Claim> {
    match code {
        Code::EVT_ECG_ASYSTOLE => Some(Claim::Asystole),
        _ => None,
    }
}

const fn kind_of(claim: Claim) -> FindingKind {
    match claim {
        Claim::Asystole => FindingKind::Asystole,
        Claim::ExtremeBradycardia => FindingKind::ExtremeBradycardia,
        Claim::ExtremeTachycardia => FindingKind::ExtremeTachycardia,
        Claim::VentricularFibrillation => FindingKind::VentricularFibrillation,
    }
}

/// What a condition seen in the curves is called as a finding. A lost pulse is none: hearts beat beside sensors that slip.
const fn found_as(kind: &ConditionKind) -> Option<Claim> {
    match kind {
        ConditionKind::Asystole { .. } => Some(Claim::Asystole),
        ConditionKind::Bradycardia { .. } => Some(Claim::ExtremeBradycardia),
        ConditionKind::Tachycardia { .. } => Some(Claim::ExtremeTachycardia),
        ConditionKind::FibrillationLike { .. } => Some(Claim::VentricularFibrillation),
        // Beats that nobody finds are unknown quality, never asystole: `Watching::channel` says so.
        ConditionKind::NoBeats { .. } | ConditionKind::PulseLost { .. } => None,
    }
}

fn opinion(verdict: Verdict) -> SecondOpinion {
    match verdict {
        Verdict::Confirmed(_) => SecondOpinion::Confirmed,
        Verdict::Contradicted(against) => SecondOpinion::Contradicted { reason: reason(&against) },
        Verdict::Unclear(why) => SecondOpinion::Unclear { reason: uncertain(why).to_owned() },
    }
}

/// Made of names and numbers alone, so that it reads the same in German and English.
fn reason(against: &Against) -> String {
    let name = |code: Code| code.info().map_or_else(|| code.to_string(), |info| info.label.to_owned());
    match *against {
        Against::PulsesGoOn { code, rate, pause_s, .. } => {
            format!("{} {rate:.0}/min, max. Pause {pause_s:.1} s", name(code))
        }
        Against::BeatsGoOn { code, rate, pause_s, .. } => {
            format!("{} QRS {rate:.0}/min, max. Pause {pause_s:.1} s", name(code))
        }
        Against::RateWithinLimit { code, rate, limit } => {
            let sign = if rate > limit {
                '>'
            } else if rate < limit {
                '<'
            } else {
                '='
            };
            format!("{} {rate:.0}/min {sign} {limit:.0}/min", name(code))
        }
        Against::RhythmOrganised { code, rate } => format!("{} QRS {rate:.0}/min", name(code)),
    }
}

const fn uncertain(why: Uncertainty) -> &'static str {
    match why {
        Uncertainty::NoUsableSignal => "no-usable-signal",
        Uncertainty::NoSecondSignal => "no-second-signal",
        Uncertainty::SignalsDisagree => "signals-disagree",
        Uncertainty::NotConclusive => "not-conclusive",
    }
}

/// Whether the curves can say that `claim` is over.
fn can_end(known: &Assessment, claim: Claim) -> bool {
    known.channels.iter().any(|channel| {
        let beats = channel.quality.is_known() && channel.rate.is_some();
        match claim {
            // Pulses end neither: what an ECG showed, an ECG takes back.
            Claim::Asystole | Claim::VentricularFibrillation => beats && channel.sort == Sort::Ecg,
            Claim::ExtremeBradycardia | Claim::ExtremeTachycardia => {
                beats && !matches!(channel.sort, Sort::Respiration)
            }
        }
    })
}

impl Watching {
    /// Takes in what a bed's curves say. `// REQ-ALM-010`
    pub(super) fn judged(&mut self, judged: Judged, now: ServerTime) {
        if self.engine.is_none() {
            return;
        }
        let bed = judged.bed.clone();
        let before = self.opinions.remove(&bed).filter(|before| before.newest.subject == judged.subject);
        let at = judged.known.at.min(now.stand_in_for_device());
        if let Ok(curves) = DeviceId::new(CURVES) {
            for (claim, verdict) in CLAIMS.into_iter().zip(judged.verdicts) {
                let present = judged.known.conditions.iter().find(|seen| found_as(&seen.kind) == Some(claim));
                let sure = present.is_some() || can_end(&judged.known, claim);
                self.step(
                    Input::Finding(Finding {
                        bed: bed.clone(),
                        subject: judged.subject,
                        kind: kind_of(claim),
                        at,
                        present: present.is_some(),
                        opinion: opinion(present.map_or(verdict, |seen| seen.verdict)),
                        source: curves.clone(),
                        quality: if sure { Quality::GOOD } else { Quality::QUESTIONABLE },
                    }),
                    now,
                );
            }
        }
        for report in &judged.known.channels {
            self.channel(&judged, report, at, now);
        }
        let (claims, told) =
            before.as_ref().map_or_else(|| (BTreeMap::new(), i64::MIN), |before| (before.claims.clone(), before.told));
        let mut opinions = Opinions { newest: judged, claims, told };
        for ((kind, device), (subject, since, quality)) in &opinions.claims {
            if at >= *since {
                let finding = opinions.finding(&bed, *subject, *kind, device, at, *quality);
                self.step(Input::Finding(finding), now);
            }
        }
        let news = before.is_none_or(|before| shown(&before.newest.known) != shown(&opinions.newest.known));
        if news || at.micros().saturating_sub(opinions.told) >= TOLD_EVERY_MICROS || at.micros() < opinions.told {
            opinions.told = at.micros();
            self.untold.insert(bed.clone());
        }
        self.opinions.insert(bed, opinions);
    }

    /// A channel that a device says is off, or that shows no living connection, is a technical alarm of its own. `// REQ-ALM-011`
    fn channel(&mut self, judged: &Judged, report: &ChannelReport, at: DeviceTime, now: ServerTime) {
        let Some(source) = judged.sources.get(&report.code) else { return };
        let lack = match report.quality {
            SignalQuality::Unknown(lack) => Some(lack),
            SignalQuality::Good | SignalQuality::Doubtful(_) => None,
        };
        // Nothing can be said from a channel that begins or has stopped, not even that its sensor is on.
        if matches!(lack, Some(Lack::Starting | Lack::Stale | Lack::Missing)) {
            return;
        }
        let mute = |seen: &Condition| matches!(seen.kind, ConditionKind::NoBeats { lead, .. } if lead == report.code);
        let suspect =
            matches!(lack, Some(Lack::FlatLine | Lack::Saturated)) || judged.known.conditions.iter().any(mute);
        for (kind, present) in
            [(TechnicalKind::LeadOff, lack == Some(Lack::SensorOff)), (TechnicalKind::SuspectData, suspect)]
        {
            let technical = Technical {
                place: Place::Bed(judged.bed.clone()),
                kind,
                code: Some(report.code),
                source: Some(source.clone()),
                at,
                present,
            };
            self.step(Input::Technical(technical), now);
        }
    }

    /// A device's own word about an arrhythmia: an alarm at once, with the newest opinion of the curves beside it.
    pub(super) fn claim(
        &mut self,
        device: &DeviceId,
        bed: &BedId,
        subject: Option<Subject>,
        numeric: &Numeric,
        now: ServerTime,
    ) {
        let (Some(claim), Some(value)) = (claimed(numeric.code), numeric.value()) else { return };
        let (kind, at) = (kind_of(claim), numeric.taken_at.min(now.stand_in_for_device()));
        let present = value >= 1.0;
        let mut finding = Finding {
            bed: bed.clone(),
            subject,
            kind,
            at,
            present,
            opinion: SecondOpinion::Unclear { reason: uncertain(Uncertainty::NoUsableSignal).to_owned() },
            source: device.clone(),
            quality: numeric.quality,
        };
        if let Some(opinions) = self.opinions.get_mut(bed).filter(|opinions| opinions.newest.subject == subject) {
            if present {
                opinions.claims.insert((kind, device.clone()), (subject, at, numeric.quality));
                finding = opinions.finding(bed, subject, kind, device, at, numeric.quality);
            } else if numeric.quality.is_trusted() {
                opinions.claims.remove(&(kind, device.clone()));
            }
        }
        self.step(Input::Finding(finding), now);
    }

    /// Signal quality and the curves' own numbers, for pages; `null` where no curve is looked at.
    pub(super) fn signals(&self, bed: &BedId) -> Value {
        let Some(opinions) = self.opinions.get(bed) else { return Value::Null };
        let (known, sources) = (&opinions.newest.known, &opinions.newest.sources);
        let channels: Vec<Value> = known
            .channels
            .iter()
            .map(|channel| {
                let (quality, why) = quality(channel.quality);
                json!({"code": name(channel.code), "source": sources.get(&channel.code).map(DeviceId::as_str), "quality": quality, "why": why})
            })
            .collect();
        let round = |value: f64| (value * 10.0).round() / 10.0;
        let perfusion = known.perfusion.as_ref().and_then(|found| match found.value {
            Perfusion::Index(percent) => Some(round(percent)),
            Perfusion::Relative(_) => None,
        });
        json!({
            "at": known.at.micros(), "channels": channels,
            "heart_rate": known.heart_rate.map(|rate| rate.value.round()), "pulse_rate": known.pulse_rate.map(|rate| rate.value.round()),
            "respiration_rate": known.respiration.as_ref().map(|found| found.value.rate.round()),
            "pressure": known.pressures.as_ref().map(|found| json!({
                "sys": found.value.systolic.round(), "dia": found.value.diastolic.round(), "mean": found.value.mean.round(),
            })),
            "perfusion_index": perfusion,
        })
    }
}

impl Opinions {
    pub(super) fn is_about(&self, subject: Subject) -> bool {
        self.newest.subject == Some(subject)
    }

    /// A claim that holds, with what the curves say to it if they say it about the same time.
    fn finding(
        &self,
        bed: &BedId,
        subject: Option<Subject>,
        kind: FindingKind,
        device: &DeviceId,
        at: DeviceTime,
        quality: Quality,
    ) -> Finding {
        let apart = at.micros().saturating_sub(self.newest.known.at.micros()).saturating_abs();
        let verdict = CLAIMS.into_iter().zip(self.newest.verdicts).find(|(claim, _)| kind_of(*claim) == kind);
        let verdict = verdict.filter(|_| apart <= OPINION_STANDS_MICROS).map(|(_, verdict)| verdict);
        Finding {
            bed: bed.clone(),
            subject,
            kind,
            at,
            present: true,
            opinion: opinion(verdict.unwrap_or(Verdict::Unclear(Uncertainty::NoUsableSignal))),
            source: device.clone(),
            quality,
        }
    }
}

fn shown(known: &Assessment) -> Vec<(Code, SignalQuality)> {
    known.channels.iter().map(|channel| (channel.code, channel.quality)).collect()
}

fn name(code: Code) -> String {
    code.info().map_or_else(|| code.to_string(), |info| info.reference_id.to_owned())
}

const fn quality(quality: SignalQuality) -> (&'static str, Option<&'static str>) {
    match quality {
        SignalQuality::Good => ("good", None),
        SignalQuality::Doubtful(doubt) => (
            "doubtful",
            Some(match doubt {
                Doubt::PartlyMissing => "partly-missing",
                Doubt::Clipping => "clipping",
                Doubt::Noise => "noise",
                Doubt::DetectorsDisagree => "detectors-disagree",
                Doubt::Shape => "shape",
                Doubt::Implausible => "implausible",
                Doubt::DeviceDoubts => "device-doubts",
            }),
        ),
        SignalQuality::Unknown(lack) => (
            "unknown",
            Some(match lack {
                Lack::Starting => "starting",
                Lack::Missing => "missing",
                Lack::Stale => "stale",
                Lack::FlatLine => "flat-line",
                Lack::Saturated => "saturated",
                Lack::SensorOff => "sensor-off",
            }),
        ),
    }
}
