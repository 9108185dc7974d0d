//! The table as a file: `docs/access-table.md`.

use crate::world::{DEMO, RULES, charter, shipped};
use obhut_access::{AccessRules, table};

#[test]
fn the_table_in_the_documents_is_the_table_in_force() {
    let path = format!("{}/../../docs/access-table.md", env!("CARGO_MANIFEST_DIR"));
    let got = table::markdown(&DEMO);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &got).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == expected, "docs/access-table.md differs; look at it, then run with UPDATE_GOLDEN=1\n{got}");
}

#[test]
fn every_shipped_charter_compiles_strictly() {
    for name in ["demo", "minimal", "bench"] {
        let rules = AccessRules::compile(&charter(name, &shipped(name))).unwrap();
        assert!(rules.policy_count() > 0, "{name}");
    }
    assert!(RULES.policy_count() > 60, "{}", RULES.policy_count());
}
