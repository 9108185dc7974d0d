//! No identifier of a person is ever hashed without a key: record and insurance numbers are so few that whoever has such a hash has the number (EDPB 01/2025,
//! paragraph on hash functions; a KVNR has 2.6 × 10⁹ values, seconds on a graphics card).
//!
//! A machine cannot see what is in a variable, so the rule is the other way round: an unkeyed hash stands only in the files named here, each with what it hashes
//! there; and in a file that knows identities, not at all. A keyed look-up is `IdentityKey::blind` in `obhut-vault`.

use super::Report;
use std::path::Path;

/// What computes a hash without a key. Built from pieces, so that this file does not hold it.
fn unkeyed() -> [String; 9] {
    [
        format!("digest::{}(", "digest"),
        format!("digest::Context::{}(", "new"),
        format!("Sha256::{}", "digest"),
        format!("Sha256::{}", "new"),
        format!("Sha512::{}", "new"),
        format!("Md5::{}", "new"),
        format!("blake3::{}(", "hash"),
        format!("Default{}", "Hasher"),
        format!("Sha1::{}", "new"),
    ]
}

/// Where one stands, and what goes into it. None of it is an identifier of a person.
const WHERE: &[(&str, &str)] = &[
    ("crates/obhut-vault/src/lib.rs", "sealed bytes, to tell torn from whole"),
    ("crates/obhut-agent/", "certificates"),
    ("crates/obhut-pki/", "certificates, one-time tokens of 256 random bits, serial numbers of devices"),
    ("crates/obhut-charter/src/check.rs", "texts of the charter"),
    ("crates/obhut-signin/src/session/cookie.rs", "the name a browser gives itself"),
    ("crates/obhut-signin/src/token.rs", "one-time tokens of 256 random bits"),
    ("crates/obhut-ledger/", "tree nodes over salted commitments, names of keys, spool pieces"),
    ("crates/obhut-verify/", "tree nodes over salted commitments"),
    ("crates/obhut-scribe/", "tree nodes over salted commitments"),
    ("crates/obhut-backup/", "sealed pieces of a backup, public keys"),
    ("crates/obhut-retention/src/text.rs", "certificates of erasure and sealed pieces"),
    ("crates/obhut-http/src/assets.rs", "files of the pages"),
    ("crates/obhut-sim/", "seeds of simulations"),
    ("bench/", "measurements"),
    ("xtask/", "nothing: this rule"),
];

/// Words that say a file handles who somebody is.
const IDENTITIES: &[&str] = &["record_number", "insurance_number", "birth_date"];

pub(super) fn check(root: &Path, files: &[String], report: &mut Report) {
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        if let Ok(text) = std::fs::read_to_string(root.join(file)) {
            check_text(file, &text, report);
        }
    }
}

fn check_text(file: &str, text: &str, report: &mut Report) {
    // Tests hash to show that a hash is not there.
    if file.contains("/tests/") || file.ends_with("/tests.rs") || file.contains("/benches/") {
        return;
    }
    let named = WHERE.iter().any(|(place, _)| file.starts_with(place));
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    let identity = IDENTITIES.iter().find(|word| shipped.contains(**word));
    for (number, line) in (1..).zip(shipped.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let Some(found) = unkeyed().into_iter().find(|pattern| code.contains(pattern.as_str())) else { continue };
        match identity {
            Some(word) => report.broken(format!(
                "{file}:{number}: `{found}` beside `{word}`: an identifier is looked up by a keyed hash only, see `IdentityKey::blind`"
            )),
            None if !named => report.broken(format!(
                "{file}:{number}: `{found}`: an unkeyed hash in a file that is not named in xtask/src/tidy/hashes.rs with what it hashes"
            )),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(file: &str, text: &str) -> Vec<String> {
        let mut report = Report::default();
        check_text(file, text, &mut report);
        report.broken
    }

    #[test]
    fn an_unkeyed_hash_needs_a_place_and_never_stands_beside_an_identifier() {
        for pattern in unkeyed() {
            let line = format!("let x = {pattern}y);\n");
            assert_eq!(broken("crates/obhut-store/src/new.rs", &line).len(), 1, "{pattern}");
            assert!(broken("crates/obhut-pki/src/leaf.rs", &line).is_empty(), "{pattern}");
            assert_eq!(
                broken("crates/obhut-pki/src/leaf.rs", &format!("fn f(record_number: &str) {{\n{line}}}")).len(),
                1
            );
            assert!(broken("crates/obhut-store/src/tests/x.rs", &line).is_empty());
            assert!(broken("crates/obhut-store/src/new.rs", &format!("// {line}")).is_empty());
        }
    }
}
