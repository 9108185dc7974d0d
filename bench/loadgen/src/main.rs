//! Load for the gateway and for what it is compared with: MQTT 3.1.1 and 5 over mutual TLS 1.3, to loopback addresses only.
//!
//! Measuring equipment, not a product: the MQTT code is the minimum a generator needs, `certs` makes throw-away keys, `nullserver` is a
//! ceiling. Every mode prints one JSON line. See ../README.md.

mod certs;
mod cli;
mod enrol;
mod idle;
mod link;
mod mqtt;
mod net;
mod null;
mod payload;
mod pco;
mod publish;
mod reconnect;
mod signal;
mod sink;
mod stats;
mod storm;
mod tls;
mod wave;

use clap::Parser;
use cli::{Cli, Cmd};

fn main() -> link::Res<()> {
    match Cli::parse().cmd {
        Cmd::Certs { out, clients } => certs::generate(&out, clients).map_err(|e| e.to_string().into()),
        Cmd::Pub(p) => publish::run(p),
        Cmd::Storm(s) => storm::run(s),
        Cmd::Idle(i) => idle::run(i),
        Cmd::Reconnect(r) => reconnect::run(&r),
        Cmd::Wave(w) => wave::run(&w),
        Cmd::Enrol(e) => enrol::run(&e),
        Cmd::Nullserver(n) => null::run(n),
        Cmd::Sink(s) => sink::run(&s),
        Cmd::Pco(p) => pco::run(&p),
    }
}
