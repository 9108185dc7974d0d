//! A null broker: no storage, or a bare group-committed log. The ceiling of this machine, not a product.

use crate::cli::Null;
use crate::link::{Res, rt, sleep, spawn_threads};
use crate::mqtt::{self, Version};
use crate::{net, tls};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

/// Group commit: connections append to `pending`, one thread writes and syncs, then announces.
struct Log {
    pending: Mutex<(Vec<u8>, u64)>,
    wake: Condvar,
    done: tokio::sync::watch::Sender<u64>,
}

pub fn run(p: Null) -> Res<()> {
    let cfg = tls::server(&p.tls_dir, tls::provider(&p.kx)?, p.tickets)?;
    let addr = net::loopback_only(p.addr)?;
    let log = if p.ack == "fsync" {
        let path = p.file.clone().ok_or("--ack fsync needs --file")?;
        let (tx, _) = tokio::sync::watch::channel(0);
        let log = Arc::new(Log { pending: Mutex::new((Vec::new(), 0)), wake: Condvar::new(), done: tx });
        let l = log.clone();
        std::thread::spawn(move || {
            use std::io::Write;
            let fresh = || {
                let _ = std::fs::remove_file(&path);
                std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap()
            };
            let (mut f, mut size) = (fresh(), 0usize);
            let mut take = Vec::new();
            loop {
                let upto = {
                    let mut g = l.pending.lock().unwrap();
                    while g.0.is_empty() {
                        g = l.wake.wait(g).unwrap();
                    }
                    std::mem::swap(&mut g.0, &mut take);
                    g.1
                };
                // bounded disk use: start a new file now and then
                if size > 512 << 20 {
                    (f, size) = (fresh(), 0);
                }
                size += take.len();
                f.write_all(&take).unwrap();
                f.sync_data().unwrap();
                take.clear();
                l.done.send_replace(upto);
            }
        });
        Some(log)
    } else {
        None
    };
    let life = p.life;
    spawn_threads(p.threads, move |_| {
        let sock =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, Some(socket2::Protocol::TCP)).unwrap();
        sock.set_reuse_address(true).unwrap();
        sock.set_reuse_port(true).unwrap();
        sock.set_nonblocking(true).unwrap();
        sock.bind(&addr.into()).unwrap();
        sock.listen(4096).unwrap();
        let set = LocalSet::new();
        let (cfg, log, seal) = (cfg.clone(), log.clone(), p.seal);
        set.spawn_local(async move {
            let l = tokio::net::TcpListener::from_std(sock.into()).unwrap();
            let acc = TlsAcceptor::from(cfg);
            loop {
                let Ok((tcp, _)) = l.accept().await else { continue };
                let _ = tcp.set_nodelay(true);
                let (acc, log) = (acc.clone(), log.clone());
                tokio::task::spawn_local(async move {
                    if let Ok(mut s) = acc.accept(tcp).await {
                        let _ = null_conn(&mut s, log, seal).await;
                        let _ = s.shutdown().await;
                    }
                });
            }
        });
        rt().block_on(set);
    });
    sleep(life);
    Ok(())
}

async fn null_conn(
    s: &mut tokio_rustls::server::TlsStream<TcpStream>,
    log: Option<Arc<Log>>,
    seal: bool,
) -> io::Result<()> {
    use aws_lc_rs::aead;
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &[7u8; 32]).map_err(io::Error::other)?);
    let (mut nonce, mut v) = (0u64, Version::V5);
    let (mut inb, mut out): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    let mut rx = log.as_ref().map(|l| l.done.subscribe());
    // acknowledgements that wait for their group commit, oldest first
    let mut held: std::collections::VecDeque<(u64, Vec<u8>)> = Default::default();
    loop {
        inb.reserve(if inb.is_empty() { 4096 } else { 64 << 10 });
        let mut committed = 0;
        let got = match (&mut rx, held.is_empty()) {
            (Some(rx), false) => tokio::select! {
                r = s.read_buf(&mut inb) => Some(r?),
                r = rx.changed() => {
                    r.map_err(io::Error::other)?;
                    committed = *rx.borrow_and_update();
                    None
                }
            },
            _ => Some(s.read_buf(&mut inb).await?),
        };
        if got == Some(0) {
            return Ok(());
        }
        while held.front().is_some_and(|h| h.0 <= committed) {
            out.extend_from_slice(&held.pop_front().unwrap().1);
        }
        let mut at = 0;
        let (mut rec, mut acks): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        while let Some((pkt, end)) = mqtt::next_packet(&inb, at)? {
            let b = &inb[pkt.body.clone()];
            match pkt.kind {
                mqtt::CONNECT => {
                    v = if b.get(6) == Some(&5) { Version::V5 } else { Version::V4 };
                    if v == Version::V5 {
                        out.extend_from_slice(&[0x20, 6, 0, 0, 3, 0x21, 0x03, 0xe8]);
                    } else {
                        out.extend_from_slice(&[0x20, 2, 0, 0]);
                    }
                }
                mqtt::PUBLISH => {
                    if let Some((_t, pid, i)) = mqtt::parse_publish(v, pkt.flags, b) {
                        if log.is_some() || seal {
                            let from = rec.len() + 4;
                            rec.extend_from_slice(&((b.len() - i) as u32).to_be_bytes());
                            rec.extend_from_slice(&b[i..]);
                            if seal {
                                nonce += 1;
                                let mut n = [0u8; 12];
                                n[..8].copy_from_slice(&nonce.to_be_bytes());
                                let tag = key
                                    .seal_in_place_separate_tag(
                                        aead::Nonce::assume_unique_for_key(n),
                                        aead::Aad::empty(),
                                        &mut rec[from..],
                                    )
                                    .map_err(io::Error::other)?;
                                rec.extend_from_slice(tag.as_ref());
                            }
                        }
                        if pid != 0 {
                            acks.extend_from_slice(&mqtt::puback(pid));
                        }
                    }
                }
                mqtt::PINGREQ => out.extend_from_slice(&[0xD0, 0]),
                mqtt::DISCONNECT => return Ok(()),
                _ => {}
            }
            at = end;
        }
        inb.drain(..at);
        if inb.is_empty() && inb.capacity() > 8 << 10 && held.is_empty() && rec.is_empty() {
            inb = Vec::new();
        }
        match &log {
            Some(l) if !rec.is_empty() => {
                let mine = {
                    let mut g = l.pending.lock().unwrap();
                    g.0.extend_from_slice(&rec);
                    g.1 += 1;
                    g.1
                };
                l.wake.notify_one();
                held.push_back((mine, acks));
            }
            _ => out.extend_from_slice(&acks),
        }
        if !out.is_empty() {
            s.write_all(&out).await?;
            s.flush().await?;
            out.clear();
        }
    }
}
