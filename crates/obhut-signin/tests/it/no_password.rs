//! There is no password field anywhere, and none comes back.

use std::path::{Path, PathBuf};

const SKIPPED: &[&str] = &["node_modules", "target", ".git"];

fn files(under: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(under) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                files(&path, out);
            }
        } else {
            out.push(path);
        }
    }
}

#[test]
fn no_page_and_no_source_asks_for_a_password() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    // `web/dist` is what the server carries and serves, where it has been built.
    for folder in ["web/src", "web/index.html", "web/public", "web/dist", "crates"] {
        let path = root.join(folder);
        if path.is_file() { found.push(path) } else { files(&path, &mut found) }
    }
    assert!(found.len() > 100, "the sources were not found");
    let mut offending = Vec::new();
    for path in found {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let squeezed: String = text.to_lowercase().split_whitespace().collect();
        // Written so that this file does not find itself.
        for quote in ["\"", "'", "", "{\"", "{'"] {
            if squeezed.contains(&format!("type={quote}pass{}", "word")) {
                offending.push(path.clone());
            }
        }
    }
    assert!(offending.is_empty(), "a password is asked for in {offending:?}");
}
