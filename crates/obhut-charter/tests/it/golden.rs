//! Bad charters in `testdata`, each with the exact text it is refused with; every problem code is shown by at least one.

use super::{golden, parse};
use obhut_charter::{Charter, ProblemCode, Problems, limits};
use std::collections::BTreeSet;

fn testdata() -> Vec<(String, String)> {
    let folder = format!("{}/testdata", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn problems(name: &str, text: &str) -> Problems {
    match parse(&format!("{name}.toml"), text) {
        Err(problems) => problems,
        Ok(checked) => checked.warnings().clone(),
    }
}

#[test]
fn every_bad_charter_is_refused_in_these_words() {
    for (name, text) in testdata() {
        let problems = problems(&name, &text);
        assert!(!problems.is_empty(), "{name} has no problem");
        assert!(text.starts_with("# "), "{name} does not say what must happen");
        golden(&format!("{name}.txt"), &format!("{}\n\n{}", problems.one_line(), problems.render(false)));
    }
}

#[test]
fn every_code_is_shown_and_every_problem_tells_how_to_mend() {
    let mut seen = BTreeSet::from([ProblemCode::TooLarge, ProblemCode::NotUtf8, ProblemCode::TooMany]); // in the tests below
    for (name, text) in testdata() {
        for problem in problems(&name, &text).list() {
            assert!(!problem.hint.is_empty(), "{name}: {} has no hint", problem.code);
            assert!(!problem.message.ends_with('.'), "{name}: {}", problem.message);
            seen.insert(problem.code);
        }
    }
    let missing: Vec<_> =
        ProblemCode::ALL.iter().filter(|code| !seen.contains(code)).map(|code| code.as_str()).collect();
    assert!(missing.is_empty(), "no bad charter shows {missing:?}");
}

#[test]
fn line_and_column_point_at_the_mistake() {
    let text = super::shipped("minimal").replace("rate_max = \"1/s\"", "rate_max = \"1/week\"");
    let problems = parse("x.toml", &text).unwrap_err();
    let [problem] = problems.list() else { panic!("{}", problems.render(false)) };
    let line = text.lines().position(|line| line.contains("1/week")).unwrap() + 1;
    assert_eq!((problem.code, problem.line, problem.column), (ProblemCode::BadValue, line, 12));
    assert_eq!(problems.one_line(), problems.to_string());
    assert!(problems.one_line().starts_with(&format!("x.toml:{line}:12: error[charter::bad_value]: ")));
    assert!(!problems.one_line().contains('\n'));
}

#[test]
fn limits_hold() {
    let huge = format!("{}\n#{}", super::shipped("minimal"), "x".repeat(limits::FILE_BYTES_MAX));
    assert_eq!(parse("x", &huge).unwrap_err().list()[0].code, ProblemCode::TooLarge);
    let many = format!("{}\n{}", super::shipped("minimal"), "[[zone]]\n".repeat(limits::ENTRIES_MAX + 1));
    let problems = parse("x", &many).unwrap_err();
    assert!(problems.list().len() <= limits::PROBLEMS_MAX && problems.count() > limits::PROBLEMS_MAX);
    assert!(problems.render(false).contains("more not shown"));
    let ids = format!("[{}]", "\"heart-rate\",".repeat(limits::ENTRIES_MAX + 1));
    let long = super::shipped("minimal").replace("[\"heart-rate\"]", &ids);
    assert_eq!(parse("x", &long).unwrap_err().list()[0].code, ProblemCode::TooMany);
}

#[test]
fn bytes_that_are_not_text_are_refused_where_they_stop_being_text() {
    let mut bytes = super::shipped("minimal").into_bytes();
    bytes.extend(b"\n# Station f\xfcr Innere\n");
    let problems = Charter::parse_bytes("latin1.toml", &bytes, super::today()).unwrap_err();
    assert_eq!(problems.list()[0].code, ProblemCode::NotUtf8);
    assert_eq!(problems.list()[0].line, super::shipped("minimal").lines().count() + 2);
    assert!(Charter::parse_bytes("ok", super::shipped("minimal").as_bytes(), super::today()).is_ok());
}

#[test]
fn a_hostile_charter_cannot_steer_the_terminal() {
    let text = super::shipped("minimal")
        .replace("kind = \"monitor\"", "kind = \"\\u001b[2J\\u202eevil\"\n\"\\u001b]0;x\" = 1");
    let problems = parse("x\u{1b}.toml", &text).unwrap_err();
    assert!(!problems.render(false).contains('\u{1b}') && !problems.one_line().contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn the_reference_lists_every_problem_code_and_measurement_code() {
    let reference = std::fs::read_to_string(format!("{}/../../docs/charter.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for code in ProblemCode::ALL {
        let row = format!("| `{code}` | {} |", code.severity().as_str());
        assert!(reference.contains(&row), "docs/charter.md does not list {row}");
    }
    for (one, other, why, _) in obhut_charter::duties::TOXIC {
        let row = format!("| `{}` | `{}` | {why} |", one.as_str(), other.as_str());
        assert!(reference.contains(&row), "docs/charter.md does not list {row}");
    }
    for (word, _) in <obhut_charter::schema::Permission as obhut_charter::schema::Word>::ALL {
        assert!(reference.contains(&format!("`{word}`")), "docs/charter.md does not name {word}");
    }
    for (word, _) in <obhut_charter::schema::Covers as obhut_charter::schema::Word>::ALL {
        assert!(reference.contains(&format!("`{word}`")), "docs/charter.md does not name {word}");
    }
    for row in obhut_model::code::TABLE {
        assert!(
            reference.contains(&format!("| `{}` |", row.reference_id)),
            "docs/charter.md does not list {}",
            row.reference_id
        );
    }
}
