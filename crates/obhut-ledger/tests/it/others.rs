//! Other people's implementations read what ours writes: `ct-merkle` for roots and proofs (RFC 6962), `signed_note` for checkpoints (C2SP signed-note).

use crate::log::Log;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use obhut_ledger::checkpoint::Checkpoint;
use obhut_ledger::proof::{check_entry, check_growth};
use obhut_ledger::{Hash, Leaf, Proof, Published, Tree};
use sha2::Sha256;
use signed_note::{Note, StandardVerifier, VerifierList};

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn roots_are_those_of_ct_merkle_at_every_size() {
    let (mut ours, mut theirs) = (Tree::default(), MemoryBackedTree::<Sha256, Vec<u8>>::new());
    assert_eq!(ours.root().0.as_slice(), theirs.root().as_bytes().as_slice());
    for number in 0..70_000u32 {
        let leaf = Leaf([&number.to_be_bytes()[..], &[5; 28]].concat().try_into().unwrap());
        ours.push(&leaf);
        theirs.push(leaf.0.to_vec());
        if number < 1100 || number % 4099 == 0 || (65_530..65_540).contains(&number) {
            assert_eq!(ours.root().0.as_slice(), theirs.root().as_bytes().as_slice(), "{} entries", number + 1);
        }
        ours.published_up_to(ours.size());
    }
}

#[test]
fn ct_merkle_accepts_our_proofs_and_we_its() {
    let log = Log::published_at(&[1, 255, 256, 257, 700]);
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots = vec![];
    for row in &log.rows.0 {
        theirs.push(row.leaf.0.to_vec());
        roots.push(theirs.root());
    }
    let (size, root) = (log.tree.size(), log.tree.root());
    let now = RootHash::<Sha256>::new(root.0.into(), size);
    let tree = Published::new(&log.files, size, root);
    let checkpoint = Checkpoint { origin: "x".to_owned(), size, root };
    for index in (0..700).step_by(7) {
        let ours = tree.prove_entry(index as u64).unwrap();
        let proof = InclusionProof::<Sha256>::try_from_bytes(bytes(&ours)).unwrap();
        now.verify_inclusion(&log.rows.0[index].leaf.0.to_vec(), index as u64, &proof).unwrap();
        assert_eq!(theirs.prove_inclusion(index).as_bytes(), bytes(&ours));
        check_entry(&ours, &checkpoint, index as u64, &log.rows.0[index].leaf).unwrap();
        assert!(check_entry(&ours, &checkpoint, index as u64, &log.rows.0[(index + 1) % 700].leaf).is_err());
    }
    for old in (1..700u64).step_by(13) {
        let ours = tree.prove_growth(old).unwrap();
        let before = &roots[old as usize - 1];
        let proof = ConsistencyProof::<Sha256>::try_from_bytes(bytes(&ours)).unwrap();
        now.verify_consistency(before, &proof).unwrap();
        assert_eq!(tree.old_root(old).unwrap().0.as_slice(), before.as_bytes().as_slice());
        let before = Checkpoint { origin: "x".to_owned(), size: old, root: tree.old_root(old).unwrap() };
        check_growth(&ours, &before, &checkpoint).unwrap();
    }
}

#[test]
fn the_signed_note_library_accepts_our_checkpoints() {
    let mut log = Log::published_at(&[77]);
    let note = log.publish().to_string();
    let key = log.key.verifier().to_string();
    let theirs = StandardVerifier::new(&key).unwrap();
    let read = Note::from_bytes(note.as_bytes()).unwrap();
    let (verified, unknown) = read.verify(&VerifierList::new(vec![Box::new(theirs)])).unwrap();
    assert_eq!((verified.len(), unknown.len()), (1, 0));
    let text = std::str::from_utf8(read.text()).unwrap();
    assert_eq!(Checkpoint::parse(text).unwrap().size, 77);
    // The example of the Go package's documentation, read by ours.
    let go = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse::<obhut_ledger::VerifierKey>();
    let message = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note = obhut_ledger::SignedNote::parse(message.as_bytes()).unwrap();
    assert!(matches!(go.unwrap().check(&note.text, &note.signatures[0]), Ok(obhut_ledger::note::Checked::Good { .. })));
}

#[test]
fn a_proof_is_text_that_stands_alone() {
    let mut log = Log::published_at(&[300]);
    let checkpoint = log.publish();
    let hashes = Published::new(&log.files, 300, log.tree.root()).prove_entry(17).unwrap();
    let text = Proof { index: 17, hashes, checkpoint }.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 17\n"));
    let leaf = log.rows.0[17].leaf;
    assert_eq!(text.parse::<Proof>().unwrap().check(log.key.verifier(), &leaf).unwrap().size, 300);
    assert!(text.parse::<Proof>().unwrap().check(log.key.verifier(), &log.rows.0[18].leaf).is_err());
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8_lossy(&changed).into_owned();
        let proves = changed.parse::<Proof>().is_ok_and(|proof| proof.check(log.key.verifier(), &leaf).is_ok());
        assert!(!proves, "byte {at}");
    }
}
