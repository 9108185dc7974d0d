//! A witness signs what grew out of what it saw, and nothing else; answers are those of the protocol.

use crate::log::Log;
use obhut_ledger::note::{Checked, NoteSignature};
use obhut_ledger::witness::{Known, Refusal, judge, merge, request};
use obhut_ledger::{KeyKind, Published, SignedNote, SigningKey};

fn proof(log: &Log, old: u64) -> Vec<obhut_ledger::Hash> {
    Published::new(&log.files, log.tree.size(), log.tree.root()).prove_growth(old).unwrap()
}

struct Site(Known);

impl Site {
    fn show(&mut self, body: &str) -> Result<String, Refusal> {
        let accepted = judge(body.as_bytes(), |name| (name == self.0.key.name()).then_some(&self.0))?;
        self.0 = accepted.known.clone();
        Ok(accepted.cosign(&key(), 1_700_000_123))
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed("witness.example/w1", KeyKind::Cosignature, &[5; 32]).unwrap()
}

fn body(old: u64, log: &Log, note: &SignedNote) -> String {
    request(old, &proof(log, old), note)
}

#[test]
fn a_log_that_grows_is_cosigned_each_time() {
    let mut log = Log::new("ward.example/ledger");
    let mut site = Site(Known::unseen(log.key.verifier().clone()));
    let mut old = 0;
    for more in [1, 5, 250, 300, 0] {
        log.add(more);
        let mut note = log.publish();
        let answer = site.show(&body(old, &log, &note)).unwrap();
        assert!(merge(&mut note, key().verifier(), &answer));
        let line: NoteSignature = answer.trim_end().parse().unwrap();
        let checked = key().verifier().check(&note.text, &line);
        assert_eq!(checked, Ok(Checked::Good { at: Some(1_700_000_123) }));
        assert_eq!(note.signatures.len(), 2);
        old = log.tree.size();
    }
}

#[test]
fn what_did_not_grow_out_of_it_is_refused_with_the_status_of_the_protocol() {
    let mut log = Log::published_at(&[100]);
    let first = log.publish();
    let mut site = Site(Known::unseen(log.key.verifier().clone()));
    site.show(&body(0, &log, &first)).unwrap();
    log.add(50);
    let second = log.publish();
    // Asked from the wrong size: the right one comes back.
    let refusal = site.show(&body(7, &log, &second)).unwrap_err();
    assert_eq!((refusal.status(), refusal), (409, Refusal::Conflict { size: 100 }));
    site.show(&body(100, &log, &second)).unwrap();
    // Rollback.
    let refusal = site.show(&request(100, &[], &first)).unwrap_err();
    assert_eq!(refusal, Refusal::Conflict { size: 150 });
    let refusal = site.show(&request(150, &[], &first)).unwrap_err();
    assert_eq!((refusal.status(), refusal), (400, Refusal::Malformed));
    // Same size, other tree.
    let mut fork = Log::new("ward.example/ledger");
    fork.add(149);
    fork.tree.push(&obhut_ledger::Leaf([1; 32]));
    let forged = fork.publish();
    let refusal = site.show(&request(150, &[], &forged)).unwrap_err();
    assert_eq!((refusal.status(), refusal), (409, Refusal::Forked { size: 150 }));
    // A larger tree that is not a continuation, with any proof.
    fork.tree.push(&obhut_ledger::Leaf([2; 32]));
    let forged = fork.publish();
    let refusal = site.show(&body(150, &fork, &forged)).unwrap_err();
    assert_eq!((refusal.status(), refusal), (422, Refusal::Proof));
    let refusal = site.show(&request(150, &[], &forged)).unwrap_err();
    assert_eq!(refusal, Refusal::Proof);
    // Not signed by the log; another log; not understood.
    let other = SigningKey::from_seed("ward.example/ledger", KeyKind::Log, &[1; 32]).unwrap();
    let mut unsigned = second.clone();
    unsigned.signatures = vec![other.sign(&second.text, 0)];
    assert_eq!(site.show(&request(150, &[], &unsigned)).unwrap_err().status(), 403);
    let mut stranger = Log::new("other.example");
    stranger.add(1);
    let strange = stranger.publish();
    assert_eq!(site.show(&body(0, &stranger, &strange)).unwrap_err().status(), 404);
    for bad in ["", "old 1\n", "old 01\n\nx", "old -1\n\n", "new 1\n\nx\n\n"] {
        assert_eq!(site.show(bad).unwrap_err().status(), 400, "{bad:?}");
    }
    assert_eq!(site.0.size, 150);
}

#[test]
fn only_the_witness_s_own_signature_is_merged() {
    let mut log = Log::published_at(&[10]);
    let mut note = log.publish();
    let impostor = SigningKey::from_seed("witness.example/w1", KeyKind::Cosignature, &[6; 32]).unwrap();
    let answer = impostor.sign(&note.text, 1).to_string();
    assert!(!merge(&mut note, key().verifier(), &answer));
    let elsewhere = key().sign("another text\n", 1).to_string();
    assert!(!merge(&mut note, key().verifier(), &elsewhere));
    assert!(!merge(&mut note, key().verifier(), "no signature at all\n"));
    assert_eq!(note.signatures.len(), 1);
}
