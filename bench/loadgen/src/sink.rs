//! The usual consumer: subscribes over mTLS, stores every reading in batches, and only then acknowledges to the broker. Comparison code,
//! not a product.

use crate::cli::Sink;
use crate::mqtt::{self, Version};
use crate::payload::now_us;
use crate::{net, stats, tls};
use serde::Deserialize;
use serde_json::json;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

#[derive(Deserialize)]
struct Reading<'a> {
    ts: i64,
    seq: i64,
    #[serde(borrow)]
    dev: &'a str,
    hr: i32,
    spo2: i32,
    rr: i32,
    sys: i32,
    dia: i32,
}

pub fn run(a: &Sink) -> tls::Res<()> {
    crate::link::rt().block_on(consume(a))
}

async fn consume(a: &Sink) -> tls::Res<()> {
    let cfg = tls::client(&a.tls_dir, tls::roots(&a.tls_dir)?, tls::provider("x25519")?, 0, false)?;
    let tcp = net::connect(a.broker, 0).await?;
    let mut s = TlsConnector::from(cfg).connect(tls::name(), tcp).await?;
    let v = Version::V5;
    s.write_all(&mqtt::connect(v, "stacksink", 600, 65535)).await?;
    s.write_all(&mqtt::subscribe(v, 1, &a.topic, 1)).await?;
    s.flush().await?;

    let (store, driver) = tokio_postgres::connect(&a.pg, tokio_postgres::NoTls).await?;
    tokio::spawn(driver);
    let insert = store
        .prepare(match a.mode.as_str() {
            "pg" => {
                "INSERT INTO readings(ts,dev,seq,hr,spo2,rr,sys,dia) SELECT to_timestamp(t/1e6),d,s,a,b,c,e,f FROM \
                 unnest($1::bigint[],$2::text[],$3::bigint[],$4::int[],$5::int[],$6::int[],$7::int[],$8::int[]) AS x(t,d,s,a,b,c,e,f)"
            }
            _ => {
                "INSERT INTO readings_enc(ts,dev,body) SELECT to_timestamp(t/1e6),d,j FROM \
                 unnest($1::bigint[],$2::text[],$3::bytea[]) AS x(t,d,j)"
            }
        })
        .await?;

    use aws_lc_rs::aead;
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &[7; 32])?);
    let mut nonce = now_us();
    let mut h = stats::hist();
    let mut commit = stats::hist();
    let (mut inb, mut rows, mut batches) = (Vec::with_capacity(1 << 20), 0u64, 0u64);
    let mut pend: Vec<(u16, Vec<u8>)> = Vec::new();
    let mut oldest: Option<Instant> = None;
    let start = Instant::now();
    let (mut first, mut last): (Option<Instant>, Instant) = (None, Instant::now());
    let mut out: Vec<u8> = Vec::new();
    let cpu0 = stats::self_cpu();
    println!("ready");
    loop {
        let wait = match oldest {
            Some(t) => (t + Duration::from_millis(a.linger_ms)).saturating_duration_since(Instant::now()),
            None => Duration::from_millis(100),
        };
        let full = pend.len() >= a.batch;
        if !full {
            inb.reserve(64 << 10);
            match tokio::time::timeout(wait, s.read_buf(&mut inb)).await {
                Ok(Ok(0)) => return Err("broker closed".into()),
                Ok(r) => {
                    r?;
                }
                Err(_) => {}
            }
            let mut at = 0;
            while let Some((p, end)) = mqtt::next_packet(&inb, at)? {
                if p.kind == mqtt::PUBLISH {
                    let b = &inb[p.body.clone()];
                    let (_, pid, i) =
                        mqtt::parse_publish(v, p.flags, b).ok_or_else(|| io::Error::other("bad PUBLISH"))?;
                    pend.push((pid, b[i..].to_vec()));
                    oldest.get_or_insert_with(Instant::now);
                    first.get_or_insert_with(Instant::now);
                    last = Instant::now();
                }
                at = end;
            }
            inb.drain(..at);
        }
        let due = oldest.is_some_and(|t| t.elapsed() >= Duration::from_millis(a.linger_ms));
        if pend.len() >= a.batch || (due && !pend.is_empty()) {
            let n = pend.len().min(a.batch);
            let part: Vec<(u16, Vec<u8>)> = pend.drain(..n).collect();
            oldest = if pend.is_empty() { None } else { Some(Instant::now()) };
            let rs: Vec<Reading> = part.iter().map(|(_, b)| serde_json::from_slice(b)).collect::<Result<_, _>>()?;
            let t = Instant::now();
            let ts: Vec<i64> = rs.iter().map(|r| r.ts).collect();
            let dev: Vec<&str> = rs.iter().map(|r| r.dev).collect();
            if a.mode == "pg" {
                let col = |f: fn(&Reading<'_>) -> i32| rs.iter().map(f).collect::<Vec<i32>>();
                let seq: Vec<i64> = rs.iter().map(|r| r.seq).collect();
                let (hr, sp, rr, sy, di) =
                    (col(|r| r.hr), col(|r| r.spo2), col(|r| r.rr), col(|r| r.sys), col(|r| r.dia));
                store.execute(&insert, &[&ts, &dev, &seq, &hr, &sp, &rr, &sy, &di]).await?;
            } else {
                let mut bodies: Vec<Vec<u8>> = Vec::with_capacity(n);
                for ((_, body), reading) in part.iter().zip(&rs) {
                    nonce += 1;
                    let mut nb = [0u8; 12];
                    nb[..8].copy_from_slice(&nonce.to_be_bytes());
                    let mut sealed = body.clone();
                    key.seal_in_place_append_tag(
                        aead::Nonce::assume_unique_for_key(nb),
                        aead::Aad::from(reading.dev.as_bytes()),
                        &mut sealed,
                    )?;
                    bodies.push([&nb[..], &sealed].concat());
                }
                store.execute(&insert, &[&ts, &dev, &bodies]).await?;
            }
            commit.saturating_record(t.elapsed().as_nanos() as u64);
            let now = now_us() as i64;
            for r in &rs {
                h.saturating_record(((now - r.ts).max(1) as u64) * 1000);
            }
            rows += n as u64;
            batches += 1;
            last = Instant::now();
            for (pid, _) in part.iter().filter(|(pid, _)| *pid != 0) {
                out.extend_from_slice(&mqtt::puback(*pid));
            }
            s.write_all(&out).await?;
            s.flush().await?;
            out.clear();
        }
        let over = start.elapsed().as_secs_f64() > a.max;
        if over || (first.is_some() && pend.is_empty() && last.elapsed().as_secs_f64() > a.quiet) {
            break;
        }
    }
    let span = first.map(|f| (last - f).as_secs_f64()).unwrap_or(0.0);
    println!(
        "{}",
        json!({"mode":"sink","store":a.mode,"rows":rows,"batches":batches,
        "rows_per_s":rows as f64/span.max(1e-9),"span_s":span,"publish_to_committed":stats::percentiles(&h),
        "commit":stats::percentiles(&commit),"cpu_s":stats::self_cpu()-cpu0,
        "cpu_us_per_row":(stats::self_cpu()-cpu0)*1e6/rows.max(1) as f64})
    );
    Ok(())
}
