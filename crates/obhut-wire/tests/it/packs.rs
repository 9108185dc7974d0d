use obhut_model::{Code, Decimal, DeviceId, DeviceTime};
use obhut_wire::limits::{SENML_BYTES_MAX, SENML_RECORDS_MAX};
use obhut_wire::senml::{ALIASES, decode};
use obhut_wire::{PackError, RawNumeric, RecordError};
use proptest::prelude::*;

const NOW: i64 = 1_764_000_000_500_000;

fn read(text: &str) -> Result<Vec<Result<RawNumeric, RecordError>>, PackError> {
    let mut out = Vec::new();
    let count = decode(text.as_bytes(), &DeviceId::new("mon-01").unwrap(), DeviceTime::from_micros(NOW), |record| {
        out.push(record)
    })?;
    assert_eq!(count, out.len());
    Ok(out)
}

fn one(fields: &str) -> Result<RawNumeric, RecordError> {
    let mut records = read(&format!("[{{{fields}}}]")).unwrap();
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[track_caller]
fn pack(text: &str, expected: PackError) {
    assert_eq!(read(text).unwrap_err(), expected, "{text}");
}

#[test]
fn a_pack_with_base_fields_resolves() {
    let records = read(
        r#"[{"bn":"urn:obhut:device:mon-01:","bt":1764000000.25,"bu":"/min","bver":10,"n":"MDC_ECG_HEART_RATE","v":72},
            {"n":"149514","v":71.5,"t":-0.25},
            {"n":"MDC_PULS_OXIM_SAT_O2","u":"%","v":97,"t":1e-3,"note":"a string","deep":[{"x":[1,2]}],"ut":30}]"#,
    );
    let values: Vec<_> = records
        .unwrap()
        .into_iter()
        .map(|r| r.map(|r| (r.code, r.taken_at.micros(), r.value.unwrap().to_string())))
        .collect();
    assert_eq!(
        values,
        [
            Ok((Code::ECG_HEART_RATE, 1_764_000_000_250_000, "72".to_owned())),
            Ok((Code::PULS_RATE, 1_764_000_000_000_000, "71.5".to_owned())),
            Ok((Code::PULS_OXIM_SAT_O2, 1_764_000_000_251_000, "97".to_owned())),
        ]
    );
}

#[test]
fn times_are_absolute_relative_or_now() {
    let at = |time: &str| one(&format!(r#""n":"MDC_TEMP","u":"Cel","v":37{time}"#)).map(|r| r.taken_at.micros());
    assert_eq!(at(""), Ok(NOW));
    assert_eq!(at(r#","t":0"#), Ok(NOW));
    assert_eq!(at(r#","t":-5"#), Ok(NOW - 5_000_000));
    assert_eq!(at(r#","t":268435455"#), Ok(NOW + 268_435_455_000_000));
    assert_eq!(at(r#","t":268435456"#), Ok(268_435_456_000_000));
    assert_eq!(at(r#","t":1764000000123456e-6"#), Ok(1_764_000_000_123_456));
    assert_eq!(at(r#","t":1.764000000123456E+9"#), Ok(1_764_000_000_123_456));
    assert_eq!(at(r#","t":1764000000.1234565"#), Ok(1_764_000_000_123_457));
    assert_eq!(at(r#","t":1764000000.12345649999999999999999"#), Ok(1_764_000_000_123_456));
    assert_eq!(at(r#","bt":1764000000,"t":0.000001"#), Ok(1_764_000_000_000_001));
    assert_eq!(at(r#","bt":1764000000"#), Ok(1_764_000_000_000_000));
    for text in
        [r#","t":-1e10"#, r#","t":1e300"#, r#","t":1e99999999999"#, r#","t":253402300800"#, r#","bt":9e18,"t":9e18"#]
    {
        assert_eq!(at(text), Err(RecordError::Time), "{text}");
    }
    assert_eq!(at(r#","t":1e-99999999999"#), Ok(NOW));
}

#[test]
fn values_are_exact() {
    let of = |value: &str| one(&format!(r#""n":"MDC_TEMP","u":"Cel","v":{value}"#)).map(|r| r.value.unwrap());
    let d = |mantissa, exponent| Ok(Decimal::new(mantissa, exponent).unwrap());
    for (text, expected) in [
        ("36.7", d(367, -1)),
        ("36.70", d(367, -1)),
        ("0", d(0, 0)),
        ("-0", d(0, 0)),
        ("-0.0", d(0, 0)),
        ("0e9", d(0, 0)),
        ("100", d(100, 0)),
        ("1e2", d(100, 0)),
        ("0.000000001", d(1, -9)),
        ("2147483647", d(i32::MAX, 0)),
        ("-2147483648", d(i32::MIN, 0)),
        ("1e18", d(1_000_000_000, 9)),
        ("12000000000000", d(1_200_000_000, 4)),
        ("0.10000000000000000000000000000", d(1, -1)),
        ("1005e-1", d(1005, -1)),
        ("10.05E1", d(1005, -1)),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
    for text in ["2147483648", "0.30000000000000004", "1e19", "1e-10", "36.123456789", "1e400", "0.0000000001"] {
        assert_eq!(of(text), Err(RecordError::Value), "{text}");
    }
}

#[test]
fn base_values_add_exactly_and_are_no_reading_alone() {
    let records = read(
        r#"[{"bn":"MDC_TEMP","bu":"Cel","bv":36.7},{"v":0.1},{"v":-36.7},{"v":0.30},{"t":0},{"bv":1e-9,"v":2000000000}]"#,
    );
    let values: Vec<_> = records.unwrap().into_iter().map(|r| r.map(|r| r.value.unwrap().to_string())).collect();
    let ok = |text: &str| Ok(text.to_owned());
    assert_eq!(values, [ok("36.8"), ok("0"), ok("37"), Err(RecordError::NoNumber), Err(RecordError::Value)]);
}

#[test]
fn a_faulty_record_is_refused_alone() {
    for (fields, expected) in [
        (r#""v":1,"u":"Cel""#, RecordError::Name),
        (r#""n":"","v":1,"u":"Cel""#, RecordError::Name),
        (r#""n":"_x","v":1,"u":"Cel""#, RecordError::Name),
        (r#""n":"MDC TEMP","v":1,"u":"Cel""#, RecordError::Name),
        (r#""n":"mdc_temp","v":1,"u":"Cel""#, RecordError::UnknownCode),
        (r#""n":"0150344","v":1,"u":"Cel""#, RecordError::UnknownCode),
        (r#""n":"4294967296","v":1,"u":"Cel""#, RecordError::UnknownCode),
        (r#""n":"7","v":1,"u":"Cel""#, RecordError::UnknownCode),
        (r#""n":"MDC_ECG_ELEC_POTL_II","v":1,"u":"mV""#, RecordError::NotNumeric),
        (r#""n":"urn:obhut:device:mon-02:MDC_TEMP","v":1,"u":"Cel""#, RecordError::OtherDevice),
        (r#""n":"urn:obhut:device:MDC_TEMP","v":1,"u":"Cel""#, RecordError::Name),
        (r#""n":"MDC_TEMP","v":1"#, RecordError::UnitMissing),
        (r#""n":"MDC_TEMP","v":1,"u":"K""#, RecordError::Unit),
        (r#""n":"MDC_TEMP","v":1,"u":"""#, RecordError::Unit),
        (r#""n":"MDC_PULS_OXIM_SAT_O2","v":1,"u":"%RH""#, RecordError::Unit),
        (r#""n":"MDC_PULS_OXIM_SAT_O2","v":1,"u":"/""#, RecordError::Unit),
        (r#""n":"MDC_TEMP","u":"Cel""#, RecordError::NoNumber),
        (r#""n":"MDC_TEMP","u":"Cel","vs":"37""#, RecordError::NoNumber),
        (r#""n":"MDC_TEMP","u":"Cel","vb":true"#, RecordError::NoNumber),
        (r#""n":"MDC_TEMP","u":"Cel","vd":"aGk""#, RecordError::NoNumber),
        (r#""n":"MDC_TEMP","u":"Cel","s":5"#, RecordError::NoNumber),
        (r#""n":"MDC_TEMP","u":"Cel","s":5,"v":37"#, RecordError::NoNumber),
        (r#""n":"MDC_TEMP","u":"Cel","bs":5,"v":37"#, RecordError::NoNumber),
    ] {
        assert_eq!(one(fields), Err(expected), "{fields}");
        let records = read(&format!(r#"[{{"n":"MDC_TEMP","u":"Cel","v":37}},{{{fields}}}]"#)).unwrap();
        assert!(records[0].is_ok() && records[1] == Err(expected), "{fields}");
    }
    assert_eq!(one(&format!(r#""n":"{}","v":1,"u":"Cel""#, "a".repeat(129))), Err(RecordError::Name));
    assert_eq!(
        one(&format!(r#""bn":"{0}","n":"{0}","v":1,"u":"Cel""#, "a".repeat(128))),
        Err(RecordError::UnknownCode)
    );
}

#[test]
fn a_faulty_pack_is_refused_whole() {
    let good = r#"{"n":"MDC_TEMP","u":"Cel","v":37}"#;
    pack("[]", PackError::Empty);
    pack(&format!("[{}]", vec![good; SENML_RECORDS_MAX + 1].join(",")), PackError::TooMany);
    pack(&" ".repeat(SENML_BYTES_MAX + 1), PackError::TooLong);
    pack(r#"[{"bver":11,"n":"MDC_TEMP","u":"Cel","v":37}]"#, PackError::Version);
    pack(r#"[{"bver":5,"n":"MDC_TEMP","u":"Cel","v":37}]"#, PackError::Version);
    pack(r#"[{"n":"MDC_TEMP","u":"Cel","v":37,"x_":1}]"#, PackError::MustUnderstand);
    pack(r#"[{"n":"MDC_TEMP","u":"Cel","v":37,"v":38}]"#, PackError::Duplicate { field: "v" });
    pack(r#"[{"n":"MDC_TEMP","u":"Cel","v":37,"\u0076":38}]"#, PackError::Duplicate { field: "v" });
    for text in [
        "",
        "{}",
        "null",
        good,
        "[1]",
        "[[]]",
        "[",
        "[{]",
        r#"[{"n":1}]"#,
        r#"[{"v":"37"}]"#,
        r#"[{"v":null}]"#,
        r#"[{"v":NaN}]"#,
        r#"[{"v":[1]}]"#,
        r#"[{"v":01}]"#,
        r#"[{"v":1.}]"#,
        r#"[{"v":.5}]"#,
        r#"[{"v":+1}]"#,
        r#"[{"v":1e}]"#,
        r#"[{"v":0x1}]"#,
        r#"[{"n":"MDC_TEMP"}] x"#,
        r#"[{"bver":"10"}]"#,
        r#"[{"bver":1e1}]"#,
        r#"[{"n":"\ud800"}]"#,
    ] {
        assert!(matches!(read(text), Err(PackError::Syntax { .. })), "{text}: {:?}", read(text));
    }
    let mut out = 0;
    assert!(
        decode(b"[{\"n\":\"\xff\"}]", &DeviceId::new("a").unwrap(), DeviceTime::from_micros(0), |_| out += 1).is_err()
    );
}

#[test]
fn escapes_and_other_spellings_of_a_unit_are_read() {
    assert!(one(r#""n":"MDC\u005fECG_HEART_RATE","u":"1\/min","v":72"#).is_ok());
    for (ucum, alias, source) in ALIASES {
        assert!(!source.is_empty());
        let row = obhut_model::code::TABLE
            .iter()
            .find(|row| row.ucum == *ucum && row.kind == obhut_model::Kind::Numeric)
            .unwrap();
        for unit in [ucum, alias] {
            assert!(one(&format!(r#""n":"{}","u":"{unit}","v":1"#, row.reference_id)).is_ok(), "{unit}");
        }
    }
}

#[test]
fn every_numeric_code_can_be_sent_by_name_and_by_number() {
    for row in obhut_model::code::TABLE.iter().filter(|row| row.kind == obhut_model::Kind::Numeric) {
        for name in [row.reference_id.to_owned(), row.code.number().to_string()] {
            assert_eq!(one(&format!(r#""n":"{name}","u":"{}","v":1"#, row.ucum)).unwrap().code, row.code);
        }
    }
}

proptest! {
    #[test]
    fn any_decimal_comes_through(mantissa: i32, exponent in -9i8..=9) {
        let record = one(&format!(r#""n":"MDC_TEMP","u":"Cel","v":{mantissa}e{exponent}"#));
        let value = record.unwrap().value.unwrap();
        let whole = |d: Decimal| i128::from(d.mantissa()) * 10i128.pow(u32::from((d.exponent() + 9).unsigned_abs()));
        prop_assert_eq!(whole(value), whole(Decimal::new(mantissa, exponent).unwrap()));
    }

    #[test]
    fn any_microsecond_comes_through(micros in 268_435_456_000_000i64..=253_402_300_799_999_999, split in 0usize..=6) {
        let digits = micros.to_string();
        let (whole, fraction) = digits.split_at(digits.len() - split);
        let point = if split == 0 { "" } else { "." };
        let record = one(&format!(r#""n":"MDC_TEMP","u":"Cel","v":37,"t":{whole}{point}{fraction}e{}"#, split as i32 - 6));
        prop_assert_eq!(record.unwrap().taken_at.micros(), micros);
    }

    #[test]
    fn nothing_makes_the_reader_panic(text in r#"\[(\{("(bn|bt|bu|bv|bs|bver|n|u|v|vs|s|t|x_)":("?[-0-9a-zA-Z_.+/%\\]{0,12}"?|-?[0-9]{1,25}(\.[0-9]{1,25})?(e[-+]?[0-9]{1,12})?),?){0,6}\},?){0,4}\]"#) {
        let _ = read(&text);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode(&bytes, &DeviceId::new("mon-01").unwrap(), DeviceTime::from_micros(NOW), |_| ());
    }
}
