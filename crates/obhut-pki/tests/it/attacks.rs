//! Certificate requests as files, one attack per folder of `testdata/csr`: `request.der`, and in `expect.txt` what must become of it.

use crate::support::{Home, NOW, id, model};
use obhut_pki::{PkiError, unix};
use std::path::Path;

#[test]
fn every_request_in_the_folder_ends_as_written_beside_it() {
    let home = Home::new();
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/csr"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        let request = std::fs::read(case.join("request.der")).unwrap();
        let expect = std::fs::read_to_string(case.join("expect.txt")).unwrap();
        let found = match home.authority.issue_device(&request, &id("mon-01"), &model(), unix(NOW)) {
            Ok(_) => "Ok".to_owned(),
            Err(PkiError::Csr(reason)) => format!("{reason:?}"),
            Err(other) => other.to_string(),
        };
        assert_eq!(expect.lines().next(), Some(found.as_str()), "{}", case.display());
        seen += 1;
    }
    assert!(seen >= 26, "only {seen} requests found");
}
