//! Explanation and comparison.

use super::{golden, good, shipped};
use obhut_charter::diff::{Concern, Effect};
use obhut_charter::{Checked, Lang, diff, explain};

#[test]
fn the_explanation_names_everything_in_both_languages() {
    let demo = good("demo", &shipped("demo"));
    for lang in [Lang::De, Lang::En] {
        let text = explain(&demo, lang);
        assert!(!text.contains('⟨'), "a message is missing: {text}");
        let entries = &demo.charter().entries;
        for data in &entries.data {
            assert!(text.contains(&format!("({}, {})", *data.id, *data.code)), "{lang:?} {}", *data.id);
            let why = if lang == Lang::De { &data.necessity.de } else { &data.necessity.en };
            assert!(text.contains(why.as_str()), "{lang:?} {why}");
        }
        for id in entries.models.iter().map(|x| x.id.as_str()).chain(entries.roles.iter().map(|x| x.id.as_str())) {
            assert!(text.contains(&format!("({id})")), "{lang:?} {id}");
        }
        for ground in entries.purposes.iter().flat_map(|purpose| purpose.basis.iter().chain(&purpose.exception)) {
            assert!(text.contains(if lang == Lang::De { ground.cite_de } else { ground.cite_en }));
        }
        for recipient in &entries.recipients {
            assert!(text.contains(recipient.name.as_str()));
        }
        golden(&format!("explain-demo.{}.golden", lang.as_str()), &text);
    }
}

#[test]
fn an_empty_section_says_that_nothing_is_allowed() {
    let minimal = good("minimal", &shipped("minimal"));
    let (de, en) = (explain(&minimal, Lang::De), explain(&minimal, Lang::En));
    assert!(
        de.contains("Wer außerhalb des Hauses etwas bekommt\n──────────────────────────────────────\nNiemand."),
        "{de}"
    );
    assert!(en.contains("Nothing. What needs a consent does not happen."), "{en}");
    assert!(en.contains("The command line on the machine may do nothing."), "{en}");
    assert!(de.contains("Rohe Kurven werden dafür nicht aufbewahrt."), "{de}");
}

fn changed(edit: impl Fn(&str) -> String) -> (Checked, Checked) {
    let old = shipped("demo");
    let new = edit(&old);
    assert_ne!(old, new, "the edit did nothing");
    (good("old", &old), good("new", &new))
}

#[test]
fn compiling_is_deterministic() {
    let text = shipped("demo");
    let (one, other) = (good("a", &text).compile(), good("b", &text).compile());
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!((&one.retention, &one.purposes), (&other.retention, &other.purposes));
    assert_eq!(one.models.len(), other.models.len());
    for (id, model) in &one.models {
        assert_eq!(model.streams, other.models[id].streams);
    }
}

#[test]
fn writing_it_differently_changes_nothing() {
    let (old, new) = changed(|text| text.replace("period = \"72 h\"", "period = \"3 d\"   # as long"));
    assert!(old.fingerprint() != new.fingerprint());
    // The same length in other words is still shown, but neither allows more nor less.
    assert!(diff(&old, &new, Lang::De).changes().iter().all(|change| change.effect == Effect::Other));
    let (old, new) = changed(|text| text.replace("# ── Zwecke", "# ── (Zwecke)"));
    assert!(diff(&old, &new, Lang::En).is_empty());
    assert!(diff(&old, &new, Lang::De).render().contains("Nichts: Beide Fassungen erlauben dasselbe."));
}

#[test]
fn what_allows_more_is_said_to_whom_it_concerns() {
    let (old, new) = changed(|text| {
        text.replace(
            "id = \"trend\"\nstart = \"measurement\"\nperiod = \"30 d\"",
            "id = \"trend\"\nstart = \"measurement\"\nperiod = \"60 d\"",
        )
        .replace(
            "permissions = [\"device-view\", \"device-manage\", \"device-maintain\", \"ticket-manage\", \"system-view\"]",
            "permissions = [\"device-view\", \"device-manage\", \"ticket-manage\", \"system-view\"]",
        )
        .replace(
            "\"ecg-v1\", \"ecg-v5\", \"pleth\"",
            "\"ecg-v1\", { data = \"ecg-v5\", rate_max = \"250 Hz\" }, \"pleth\"",
        )
        .replace("sends = [\"movement\", \"bed-occupied\"]", "sends = [\"movement\", \"bed-occupied\", \"temp\"]")
    });
    let diff_de = diff(&old, &new, Lang::De);
    let find = |section: &str, id: &str| {
        diff_de.changes().iter().find(|change| change.section == section && change.id == id).unwrap()
    };
    assert!(!diff_de.changes().iter().any(|change| change.section == "data"), "the class speaks for its data");
    assert_eq!(
        (find("retention", "trend").concern, find("retention", "trend").effect),
        (Concern::Patients, Effect::More)
    );
    assert_eq!(find("role", "technician").effect, Effect::Less);
    assert_eq!(
        (find("device_model", "monitor-m1").effect, find("device_model", "monitor-m1").field),
        (Effect::Less, Some("sends-rate"))
    );
    assert_eq!(
        (find("device_model", "movement-s1").concern, find("device_model", "movement-s1").effect),
        (Concern::Devices, Effect::More)
    );
    for lang in [Lang::De, Lang::En] {
        let text = diff(&old, &new, lang).render();
        assert!(!text.contains('⟨'), "{text}");
        golden(&format!("diff-demo.{}.golden", lang.as_str()), &text);
    }
    let back = diff(&new, &old, Lang::De);
    let count =
        |diff: &obhut_charter::Diff, effect| diff.changes().iter().filter(|change| change.effect == effect).count();
    assert_eq!(
        (count(&diff_de, Effect::More), count(&diff_de, Effect::Less)),
        (count(&back, Effect::Less), count(&back, Effect::More))
    );
}

#[test]
fn every_thing_and_field_has_words() {
    let (minimal, demo) = (good("minimal", &shipped("minimal")), good("demo", &shipped("demo")));
    for lang in [Lang::De, Lang::En] {
        for (old, new) in [(&minimal, &demo), (&demo, &minimal)] {
            let text = diff(old, new, lang).render();
            assert!(!text.contains('⟨'), "{text}");
        }
    }
}
