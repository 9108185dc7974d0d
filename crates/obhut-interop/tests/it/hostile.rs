//! Names are whatever people are called, and sometimes whatever somebody tries.

use crate::house::*;
use obhut_interop::text::uncell;
use obhut_interop::{Format, Language};
use obhut_model::Code;
use proptest::prelude::*;
use serde_json::Value;

const NAMES: &[&str] = &[
    "Müller-Lüdenscheidt",
    "Ærøskøbing Þórðarson Łukasiewicz Şahin Čapek Ğ İ ı ő ű ŵ ŷ ħ ġ ș ț",
    "Ελευθερία Παπαδοπούλου",
    "Щукина Їжакевич Ђорђевић Љубица Ѓорѓи",
    "Հայկ Արամյան, გიორგი",
    "דוד בן־גוריון",
    "محمد رضا",
    "李小龍 山田太郎 김철수",
    "प्रिया ศรีสุดา አበበ",
    "=HYPERLINK(\"http://evil.example\",\"x\")",
    "+49;DROP TABLE",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\u{202e}gnp.exe\u{202c} \u{200b}\u{feff}",
    "\0\u{1b}[31m\r\n\t\u{7f}\u{85}",
    "\"quoted\", 'single' <script>alert(1)</script> \\ {}",
    "e\u{301}\u{301}\u{301} Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "👩\u{200d}👩\u{200d}👧 🏳️\u{200d}🌈 \u{e000}\u{10ffff}",
    "",
    "   ",
];

fn store() -> Store {
    Store {
        readings: vec![(Code::ECG_HEART_RATE, vec![seconds("1", &(60..90).map(Some).collect::<Vec<_>>())])],
        accesses: (1..20).map(access).collect(),
        ..Store::default()
    }
}

fn check(text: &str) {
    for language in [Language::De, Language::En] {
        let dossier = dossier(language, text);

        let (fhir, _) = written(Format::Fhir, &dossier, &mut store());
        let bundle: Value = serde_json::from_slice(&fhir).unwrap();
        no_bad_strings(&bundle);

        let (csv, _) = written(Format::Csv, &dossier, &mut store());
        let person = &files(&csv)["person.csv"];
        let row = person.lines().nth(1).unwrap();
        assert_eq!(uncell(first_field(row)).as_deref(), Some(text), "the name comes back as it was");

        let (pdf, _) = written(Format::Pdf, &dossier, &mut store());
        assert!(pdf.starts_with(b"%PDF-1.7"));
    }
}

/// The first field of a row, quotes and all: it ends at the first quote that is not doubled.
fn first_field(row: &str) -> &str {
    let mut at = 1;
    while at < row.len() {
        match (row.as_bytes()[at], row.as_bytes().get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return &row[..=at],
            _ => at += 1,
        }
    }
    row
}

/// FHIR R4: no control characters but tab and line ends, no empty strings, no null, no empty lists or objects.
fn no_bad_strings(value: &Value) {
    match value {
        Value::String(text) => {
            assert!(!text.trim().is_empty());
            assert!(text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')), "{text:?}");
        }
        Value::Array(list) => {
            assert!(!list.is_empty());
            list.iter().for_each(no_bad_strings);
        }
        Value::Object(map) => {
            assert!(!map.is_empty());
            map.values().for_each(no_bad_strings);
        }
        Value::Null => panic!("FHIR knows no null"),
        _ => {}
    }
}

#[test]
fn every_name_can_be_written() {
    NAMES.iter().for_each(|name| check(name));
}

#[test]
fn a_text_longer_than_a_page_goes_on_on_the_next() {
    check(&"Donaudampfschifffahrtsgesellschaft ".repeat(400));
    check(&"W".repeat(9_000));
}

#[test]
fn the_pdf_is_tagged_and_carries_its_fonts() {
    let (pdf, _) = written(Format::Pdf, &dossier(Language::De, "Æsa Öztürk"), &mut store());
    let has = |needle: &[u8]| pdf.windows(needle.len()).any(|window| window == needle);
    for needle in [&b"/StructTreeRoot"[..], b"/MarkInfo", b"/Lang", b"/FontFile", b"/DisplayDocTitle true", b"pdfuaid"]
    {
        assert!(has(needle), "{}", String::from_utf8_lossy(needle));
    }
    assert!(!has(b"/Type3"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_written(text in any::<String>()) {
        check(&text);
    }
}
