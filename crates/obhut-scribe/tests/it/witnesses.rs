//! Asking a witness over HTTP and being one: cosigned checkpoints, and a ledger that was cut back and cannot hide it.

use crate::{event, keys, verified, wait};
use obhut_ledger::verify::{Wanted, verify};
use obhut_scribe::witness::server::{Witness, serve};
use obhut_scribe::{LogDir, Options, Scribe, WitnessConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

async fn witness(dir: &Path, data: &Path) -> (Arc<Witness>, WitnessConfig) {
    let log = keys(data).public().clone();
    let witness = Arc::new(Witness::open(dir, "witness.example/w1", &[log]).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = WitnessConfig { url, key: witness.public_key(), ca: None };
    let served = witness.clone();
    tokio::spawn(async move { serve(served, listener, None, || 1_700_000_000).await });
    (witness, config)
}

fn with(data: &Path, witnesses: Vec<WitnessConfig>) -> Arc<Scribe> {
    let options = Options { witnesses, checkpoint_every: Duration::from_millis(20), ..Options::in_data(data) };
    Scribe::open(options, keys(data)).unwrap()
}

fn signatures(scribe: &Scribe) -> usize {
    scribe.checkpoint().lines().filter(|line| line.starts_with('\u{2014}')).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_cosigned_and_kept_so() {
    let (data, site) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (witness, config) = witness(site.path(), data.path()).await;
    let scribe = with(data.path(), vec![config.clone()]);
    for round in 0..3 {
        for number in 0..100 {
            let _recorded = scribe.record(event(round * 100 + number)).await.unwrap();
        }
        scribe.publish().unwrap();
        wait("a cosignature", || signatures(&scribe) == 2 && witness.logs()[0].2 == (round + 1) * 100);
    }
    wait("the file has it", || {
        let witnesses = [config.key.parse().unwrap()];
        let wanted = Wanted { witnesses: &witnesses, strict: true, ..Wanted::default() };
        let report = verify(&LogDir::new(&data.path().join("ledger")), &scribe.public_key().parse().unwrap(), &wanted);
        report.is_good() && report.cosigned == [("witness.example/w1".to_owned(), 1_700_000_000)]
    });
    assert!(verified(data.path(), &scribe).is_good());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_cut_back_is_not_cosigned_any_more() {
    let (data, site) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (seen, config) = witness(site.path(), data.path()).await;
    let scribe = with(data.path(), vec![config.clone()]);
    for number in 0..50 {
        let _recorded = scribe.record(event(number)).await.unwrap();
    }
    wait("the witness saw all", || seen.logs()[0].2 == 50);
    scribe.close();
    drop(scribe);
    // Someone with the signing key throws the history away and begins another.
    std::fs::remove_dir_all(data.path().join("ledger")).unwrap();
    let scribe = with(data.path(), vec![config]);
    for number in 0..60 {
        let _recorded = scribe.record(event(1000 + number)).await.unwrap();
    }
    let note = scribe.publish().unwrap();
    let body = obhut_ledger::witness::request(50, &[], &note);
    assert_eq!(seen.add_checkpoint(body.as_bytes(), 1).status, 422);
    assert_eq!((seen.logs()[0].2, signatures(&scribe)), (50, 1));
    // And a witness that starts again still knows.
    drop(seen);
    let again = Witness::open(site.path(), "witness.example/w1", &[]).unwrap();
    assert_eq!(again.add_checkpoint(body.as_bytes(), 1).status, 422);
    assert_eq!(again.logs()[0].2, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_does_not_answer_holds_nothing_up() {
    let data = tempfile::tempdir().unwrap();
    let key = obhut_ledger::SigningKey::from_seed("w", obhut_ledger::KeyKind::Cosignature, &[1; 32]).unwrap();
    let config = WitnessConfig { url: "http://127.0.0.1:9".to_owned(), key: key.verifier().to_string(), ca: None };
    let scribe = with(data.path(), vec![config]);
    let _recorded = scribe.record(event(1)).await.unwrap();
    scribe.publish().unwrap();
    assert!(verified(data.path(), &scribe).is_good());
}

#[test]
fn a_witness_that_is_configured_wrongly_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let good = obhut_ledger::SigningKey::from_seed("w", obhut_ledger::KeyKind::Cosignature, &[1; 32]).unwrap();
    let log = obhut_ledger::SigningKey::from_seed("w", obhut_ledger::KeyKind::Log, &[1; 32]).unwrap();
    for (url, key) in [
        ("https://w.example", good.verifier().to_string()),
        ("ftp://w.example", good.verifier().to_string()),
        ("w.example", good.verifier().to_string()),
        ("http://w.example", log.verifier().to_string()),
        ("http://w.example", "nonsense".to_owned()),
    ] {
        let witnesses = vec![WitnessConfig { url: url.to_owned(), key, ca: None }];
        let options = Options { witnesses, ..Options::in_data(data.path()) };
        assert!(Scribe::open(options, keys(data.path())).is_err(), "{url}");
    }
}
