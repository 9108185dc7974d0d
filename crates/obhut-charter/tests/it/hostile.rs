//! Whatever is done to a good charter, reading it never panics and always answers.

use super::{parse, shipped, today};
use obhut_charter::{Charter, Lang, diff, explain};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::sync::LazyLock;

static DEMO: LazyLock<String> = LazyLock::new(|| shipped("demo"));

/// Everything this crate can do with a text.
fn exercise(text: &str) {
    match parse("demo.toml", text) {
        Ok(checked) => {
            let rules = checked.compile();
            assert_eq!(rules.models.len(), checked.models().len());
            for model in checked.models() {
                // What is checked compiles without loss.
                assert_eq!(rules.models[&*model.id].streams.len(), model.sends.len());
            }
            for lang in [Lang::De, Lang::En] {
                assert!(!explain(&checked, lang).contains('⟨'));
                assert!(diff(&checked, &checked, lang).is_empty());
            }
            let _ = checked.warnings().render(false);
        }
        Err(problems) => {
            assert!(problems.count() > 0 && !problems.one_line().is_empty());
            let _ = problems.render(false);
            let _ = problems.render(true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), keep in any::<bool>()) {
        let mut bytes = DEMO.clone().into_bytes();
        let at = at.index(bytes.len());
        if keep { bytes[at] = byte } else { bytes.remove(at); }
        match String::from_utf8(bytes) {
            Ok(text) => exercise(&text),
            Err(error) => prop_assert!(Charter::parse_bytes("demo.toml", error.as_bytes(), today()).is_err()),
        }
    }

    #[test]
    fn lines_moved_doubled_or_dropped_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..3), 1..6)
    ) {
        let mut lines: Vec<&str> = DEMO.lines().collect();
        for (a, b, what) in edits {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            match what {
                0 => lines.swap(a, b),
                1 => lines.insert(b, lines[a]),
                _ => { lines.remove(a); }
            }
        }
        exercise(&lines.join("\n"));
    }

    #[test]
    fn values_replaced_by_anything_never_panic(
        line in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just("0".to_owned()), Just("-1".to_owned()), Just("1e400".to_owned()), Just("nan".to_owned()), Just("0x7fffffffffffffff".to_owned()),
            Just("99999999999999999999".to_owned()), Just("[]".to_owned()), Just("[[]]".to_owned()), Just("{}".to_owned()), Just("true".to_owned()),
            Just("\"\"".to_owned()), Just("\"all\"".to_owned()), Just("2026-02-28".to_owned()), Just("12:00:00".to_owned()), Just("9999-12-31".to_owned()),
            Just("\"999999999 y\"".to_owned()), Just("\"0.000000001/d\"".to_owned()), Just("\"4294 Hz\"".to_owned()), Just("[\"\", 1, {}]".to_owned()),
            "\"[a-zA-Z0-9 /.()§-]{0,12}\"",
        ],
    ) {
        let keyed: Vec<usize> = DEMO.lines().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#')).map(|(at, _)| at).collect();
        let chosen = keyed[line.index(keyed.len())];
        let lines: Vec<String> = DEMO
            .lines()
            .enumerate()
            .map(|(at, line)| if at == chosen { format!("{} = {value}", line.split(" = ").next().unwrap()) } else { line.to_owned() })
            .collect();
        exercise(&lines.join("\n"));
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,400}") {
        exercise(&text);
    }
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    exercise(&format!("x = {}", "[".repeat(100_000)));
    exercise(&format!("x = {}", "{a=".repeat(50_000)));
    exercise(&format!("[{}]", "a.".repeat(50_000)));
}
