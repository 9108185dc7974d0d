//! Any bytes into a device session, before and after CONNECT, in any pieces: no panic, bounded output, acknowledgements only for what was
//! handed over and only once durable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obhut_gateway::session::{Intake, Session, Taken};
use obhut_gateway::{Limits, Refusal};
use obhut_model::DeviceId;
use obhut_store::Position;
use obhut_wire::Topic;
use std::sync::{Arc, LazyLock};

static LIMITS: LazyLock<Arc<Limits>> =
    LazyLock::new(|| Arc::new(Limits { in_flight_max: 5, packet_bytes_max: 2_048, control_bytes_max: 256, ..Limits::default() }));

/// Answers by the first byte of the payload, so that the fuzzer reaches every kind of answer.
#[derive(Default)]
struct Fed {
    positions: u64,
}

impl Intake for Fed {
    fn publish(&mut self, _: Topic, payload: &[u8]) -> Taken {
        match payload.first().map(|byte| byte % 5) {
            Some(1) => Taken::Live,
            Some(2) => Taken::Refused(Refusal::UndeclaredCode),
            Some(3) => Taken::Refused(Refusal::DiskFull),
            _ => {
                self.positions += 1;
                Taken::At(Position(self.positions))
            }
        }
    }

    fn control(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    fn refused(&mut self, _: Refusal) {}
}

fuzz_target!(|data: &[u8]| {
    let [mode, size, rest @ ..] = data else { return };
    let mut session = Session::new(DeviceId::new("mon-01").unwrap(), LIMITS.clone(), 2_048, None);
    let (mut fed, mut out, mut held) = (Fed::default(), Vec::new(), Vec::new());
    match mode % 4 {
        1 => held.extend_from_slice(b"\x10\x12\0\x04MQTT\x04\x02\0\x3c\0\x06mon-01"),
        2 => held.extend_from_slice(b"\x10\x13\0\x04MQTT\x05\x02\0\x3c\0\0\x06mon-01"),
        _ => {}
    }
    let mut durable = 0;
    for piece in rest.chunks(usize::from(*size).max(1)) {
        held.extend_from_slice(piece);
        match session.step(&held, &mut fed, &mut out) {
            Ok(used) => drop(held.drain(..used)),
            Err(_) => break,
        }
        // The disk lags behind by one round.
        let Ok(stored) = session.settle(Position(durable), &mut out) else { break };
        assert!(stored <= durable);
        durable = fed.positions;
        if mode & 0x80 != 0 && session.command(piece, &mut out).is_err() && out.len() > 1 << 20 {
            break;
        }
        session.relax();
        assert!(held.len() <= 2_048 + rest.len());
        assert!(out.len() <= 4_096 + 8 * data.len() + if mode & 0x80 != 0 { 16 * data.len() + 4_096 } else { 0 });
    }
    let _ = session.stop(&mut out);
});
