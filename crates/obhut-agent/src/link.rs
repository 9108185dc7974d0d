//! One MQTT 5 connection after another, as a state machine: no socket, no clock, no randomness of its own.
//!
//! The shell opens, reads, writes and closes as [`Effect`]s say, and calls [`Link::step`] with what happened. The core above decides what is
//! published while there is [`Link::room`]. *Not* for keeping frames: what is in flight when a connection ends is forgotten here.
//!
//! What always holds: at most one connection; every published number is answered at most once; delays grow, are random and bounded.

use crate::limits::{
    ACK_TIMEOUT, DRAIN_TIMEOUT, IN_FLIGHT_MAX, KEEP_ALIVE_SECONDS, OPEN_TIMEOUT, PACKET_BYTES_MAX, PING_TIMEOUT,
    RECONNECT_FIRST, RECONNECT_MAX, RECONNECT_MIN, REFUSED_DELAY, SETTLED_AFTER,
};
use crate::time::Monotonic;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, TimerKind};
use mqtt_protocol_core::mqtt::packet::v5_0::{Connect, Disconnect, Publish};
use mqtt_protocol_core::mqtt::packet::{Packet, Property, Qos};
use mqtt_protocol_core::mqtt::prelude::*;
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, DisconnectReasonCode};
use mqtt_protocol_core::mqtt::{Connection, Version, role};
use obhut_model::DeviceId;
use obhut_wire::Topic;
use obhut_wire::reason::SUCCESS;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// Time passed; [`Link::deadline`] says when this is due.
    Tick,
    /// The TLS connection asked for stands.
    Opened,
    /// Bytes came in.
    Received(&'a [u8]),
    /// The connection could not be made, or ended.
    Lost(Lost),
    /// The certificate was renewed: finish what is in flight and connect anew.
    Renewed,
    /// Finish what is in flight and stop.
    Stop,
}

/// Why a connection is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Not reachable, or cut.
    Network,
    /// TLS said no: our certificate, or the server's.
    Refused,
}

/// What the shell has to do, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a TLS connection; answer with [`Input::Opened`] or [`Input::Lost`].
    Open,
    /// Write these bytes.
    Write(Vec<u8>),
    /// Write what is left, then close; no answer is expected.
    Close,
    /// The server answered the frame of this number with this reason code.
    Answered(u64, u8),
    /// The connection stands and frames may be published.
    Up,
    /// The connection is over, for this reason; what was in flight is unanswered.
    Down(Down),
    /// All is finished after [`Input::Stop`].
    Stopped,
}

/// Why the link is down, for logs and counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// Lost, or never reached.
    Network,
    /// TLS said no.
    Tls,
    /// The server refused or ended the session with this code.
    Server(u8),
    /// The server broke the protocol, or did not answer in time.
    Protocol,
    /// We ended it ourselves.
    Own,
}

enum Phase {
    Waiting { until: Monotonic },
    Opening { until: Monotonic },
    Greeting { until: Monotonic },
    Up { since: Monotonic, drain: Option<Monotonic> },
    Stopped,
}

/// The link of one device.
pub struct Link {
    device: DeviceId,
    topic: String,
    random: u64,
    phase: Phase,
    stopping: bool,
    attempt: u32,
    mqtt: Connection<role::Client>,
    in_flight: BTreeMap<u16, u64>,
    window: u16,
    last_answer: Monotonic,
    ping: Option<Monotonic>,
    pong: Option<Monotonic>,
}

impl Link {
    /// A link that connects at the first step. `seed` decides its delays.
    #[must_use]
    pub fn new(device: DeviceId, seed: u64) -> Self {
        Self {
            topic: Topic::Frame.name(&device),
            device,
            random: seed,
            phase: Phase::Waiting { until: Monotonic::default() },
            stopping: false,
            attempt: 0,
            mqtt: fresh(),
            in_flight: BTreeMap::new(),
            window: 0,
            last_answer: Monotonic::default(),
            ping: None,
            pong: None,
        }
    }

    /// Whether frames can be published at all.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { drain: None, .. })
    }

    /// How many more frames may be in flight now.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.is_up() { usize::from(self.window).saturating_sub(self.in_flight.len()) } else { 0 }
    }

    /// How many frames may be in flight at all on this connection.
    #[must_use]
    pub const fn window(&self) -> u16 {
        self.window
    }

    /// When [`Input::Tick`] is due; `None` if nothing is.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        match self.phase {
            Phase::Waiting { until } | Phase::Opening { until } | Phase::Greeting { until } => Some(until),
            Phase::Up { drain, .. } => {
                let unanswered = (!self.in_flight.is_empty()).then(|| self.last_answer.plus(ACK_TIMEOUT));
                [self.ping, self.pong, drain, unanswered].into_iter().flatten().min()
            }
            Phase::Stopped => None,
        }
    }

    /// Takes in one thing that happened. Never blocks.
    pub fn step(&mut self, now: Monotonic, input: Input<'_>, out: &mut Vec<Effect>) {
        match input {
            Input::Tick => self.tick(now, out),
            Input::Opened => self.greet(now, out),
            Input::Received(bytes) => self.received(now, bytes, out),
            Input::Lost(lost) if !self.is_idle() => match lost {
                Lost::Network => self.down(now, Down::Network, out),
                Lost::Refused => self.down(now, Down::Tls, out),
            },
            Input::Lost(_) => {}
            Input::Renewed => {
                self.attempt = 0;
                self.drain(now, out);
            }
            Input::Stop => {
                self.stopping = true;
                self.drain(now, out);
            }
        }
    }

    /// Publishes a frame with QoS 1. `false` if there is no [`Link::room`] or the server would not take a packet of this size.
    pub fn publish(&mut self, now: Monotonic, number: u64, frame: &[u8], out: &mut Vec<Effect>) -> bool {
        if self.room() == 0 {
            return false;
        }
        let Ok(id) = self.mqtt.acquire_packet_id() else { return false };
        let packet = Publish::builder()
            .topic_name(self.topic.as_str())
            .map(|p| p.qos(Qos::AtLeastOnce).packet_id(id).payload(frame));
        let Ok(packet) = packet.and_then(|p| p.build()) else { return false };
        let events = self.mqtt.checked_send(packet);
        let sent = events.iter().any(|event| matches!(event, Event::RequestSendPacket { .. }));
        if !sent {
            let _ = self.mqtt.release_packet_id(id);
            return false;
        }
        if self.in_flight.is_empty() {
            self.last_answer = now;
        }
        self.in_flight.insert(id, number);
        self.perform(now, events, out);
        true
    }

    const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. } | Phase::Stopped)
    }

    fn tick(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Waiting { until } if until <= now => {
                self.phase = Phase::Opening { until: now.plus(OPEN_TIMEOUT) };
                out.push(Effect::Open);
            }
            Phase::Opening { until } | Phase::Greeting { until } if until <= now => {
                out.push(Effect::Close);
                self.down(now, Down::Network, out);
            }
            Phase::Up { drain, .. } => {
                let unanswered = !self.in_flight.is_empty() && self.last_answer.plus(ACK_TIMEOUT) <= now;
                if drain.is_some_and(|until| until <= now) {
                    self.close(now, out);
                } else if unanswered || self.pong.is_some_and(|due| due <= now) {
                    out.push(Effect::Close);
                    self.down(now, Down::Protocol, out);
                } else if self.ping.is_some_and(|due| due <= now) {
                    self.ping = None;
                    let events = self.mqtt.notify_timer_fired(TimerKind::PingreqSend);
                    self.perform(now, events, out);
                }
            }
            _ => {}
        }
    }

    fn greet(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let Phase::Opening { until } = self.phase else {
            out.push(Effect::Close);
            return;
        };
        self.phase = Phase::Greeting { until };
        self.mqtt = fresh();
        let connect = Connect::builder()
            .client_id(self.device.as_str())
            .and_then(|c| c.clean_start(true).keep_alive(KEEP_ALIVE_SECONDS).build());
        match connect {
            Ok(connect) => {
                let events = self.mqtt.checked_send(connect);
                self.perform(now, events, out);
            }
            // A device id is 63 letters at most and always a client id; if not, there is no point in hurrying.
            Err(_) => self.refuse(now, Down::Protocol, out),
        }
    }

    fn received(&mut self, now: Monotonic, bytes: &[u8], out: &mut Vec<Effect>) {
        let mut cursor = Cursor::new(bytes);
        while !self.is_idle() && cursor.position() < bytes.len() as u64 {
            let events = self.mqtt.recv(&mut cursor);
            self.perform(now, events, out);
        }
    }

    fn perform(&mut self, now: Monotonic, events: Vec<Event>, out: &mut Vec<Effect>) {
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => out.push(Effect::Write(packet.to_continuous_buffer())),
                Event::NotifyPacketReceived(packet) => self.packet(now, &packet, out),
                Event::RequestTimerReset { kind, duration_ms } => {
                    let due = Some(now.plus(Duration::from_millis(duration_ms)));
                    match kind {
                        TimerKind::PingreqSend => self.ping = due,
                        TimerKind::PingrespRecv => self.pong = due,
                        TimerKind::PingreqRecv => {}
                    }
                }
                Event::RequestTimerCancel(TimerKind::PingreqSend) => self.ping = None,
                Event::RequestTimerCancel(TimerKind::PingrespRecv) => self.pong = None,
                Event::NotifyError(_) | Event::RequestClose => {
                    out.push(Effect::Close);
                    self.down(now, Down::Protocol, out);
                }
                Event::RequestTimerCancel(TimerKind::PingreqRecv) | Event::NotifyPacketIdReleased(_) => {}
            }
            if self.is_idle() {
                break;
            }
        }
    }

    fn packet(&mut self, now: Monotonic, packet: &Packet, out: &mut Vec<Effect>) {
        match packet {
            Packet::V5_0Connack(connack) if matches!(self.phase, Phase::Greeting { .. }) => match connack.reason_code()
            {
                ConnectReasonCode::Success => {
                    let allowed = connack.props().iter().find_map(|p| match p {
                        Property::ReceiveMaximum(max) => Some(max.val()),
                        _ => None,
                    });
                    self.window = allowed.unwrap_or(u16::MAX).clamp(1, IN_FLIGHT_MAX);
                    self.last_answer = now;
                    self.phase = Phase::Up { since: now, drain: None };
                    out.push(Effect::Up);
                    if self.stopping {
                        self.drain(now, out);
                    }
                }
                code => {
                    out.push(Effect::Close);
                    self.ended(now, code as u8, out);
                }
            },
            Packet::V5_0Puback(puback) => {
                if let Some(number) = self.in_flight.remove(&puback.packet_id()) {
                    self.last_answer = now;
                    out.push(Effect::Answered(number, puback.reason_code().map_or(SUCCESS, |code| code as u8)));
                }
                if self.in_flight.is_empty() && matches!(self.phase, Phase::Up { drain: Some(_), .. }) {
                    self.close(now, out);
                }
            }
            Packet::V5_0Pingresp(_) => self.pong = None,
            Packet::V5_0Disconnect(disconnect) => {
                let code = disconnect.reason_code().unwrap_or(DisconnectReasonCode::NormalDisconnection) as u8;
                out.push(Effect::Close);
                self.ended(now, code, out);
            }
            // SECURITY: nothing was subscribed, so nothing may be published to us; the connection ends here, before the library's
            // handling of a second QoS 2 packet with identifier 0, which panics in 0.7.9.
            _ => {
                out.push(Effect::Close);
                self.refuse(now, Down::Protocol, out);
            }
        }
    }

    /// The server ended it with a reason.
    fn ended(&mut self, now: Monotonic, code: u8, out: &mut Vec<Effect>) {
        // Not authorised, banned, bad authentication, unknown client identifier, bad credentials, session taken over, administrative
        // action: coming back at once cannot help, a person has to act.
        if matches!(code, 0x84..=0x87 | 0x8a | 0x8c | 0x8e | 0x98) {
            self.refuse(now, Down::Server(code), out);
        } else {
            self.down(now, Down::Server(code), out);
        }
    }

    fn drain(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        match &mut self.phase {
            Phase::Up { drain, .. } if !self.in_flight.is_empty() => *drain = Some(now.plus(DRAIN_TIMEOUT)),
            Phase::Up { .. } => self.close(now, out),
            Phase::Waiting { until } if !self.stopping => *until = now,
            Phase::Opening { .. } | Phase::Greeting { .. } => {
                out.push(Effect::Close);
                self.down(now, Down::Own, out);
            }
            Phase::Waiting { .. } => self.stop(out),
            Phase::Stopped => {}
        }
    }

    /// Says goodbye and closes.
    fn close(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        if let Ok(goodbye) = Disconnect::builder().reason_code(DisconnectReasonCode::NormalDisconnection).build() {
            for event in self.mqtt.checked_send(goodbye) {
                if let Event::RequestSendPacket { packet, .. } = event {
                    out.push(Effect::Write(packet.to_continuous_buffer()));
                }
            }
        }
        out.push(Effect::Close);
        self.down(now, Down::Own, out);
    }

    fn down(&mut self, now: Monotonic, why: Down, out: &mut Vec<Effect>) {
        if why == Down::Tls {
            return self.refuse(now, why, out);
        }
        if let Phase::Up { since, .. } = self.phase
            && now.since(since) >= SETTLED_AFTER
        {
            self.attempt = 0;
        }
        let most = RECONNECT_FIRST.saturating_mul(1 << self.attempt.min(16)).min(RECONNECT_MAX);
        let delay = self.random_up_to(most).max(RECONNECT_MIN);
        self.attempt = self.attempt.saturating_add(1);
        self.wait(now, if why == Down::Own { RECONNECT_MIN } else { delay }, why, out);
    }

    fn refuse(&mut self, now: Monotonic, why: Down, out: &mut Vec<Effect>) {
        let delay = REFUSED_DELAY + self.random_up_to(REFUSED_DELAY);
        self.wait(now, delay, why, out);
    }

    fn wait(&mut self, now: Monotonic, delay: Duration, why: Down, out: &mut Vec<Effect>) {
        self.in_flight.clear();
        self.window = 0;
        self.ping = None;
        self.pong = None;
        self.phase = Phase::Waiting { until: now.plus(delay) };
        out.push(Effect::Down(why));
        if self.stopping {
            self.stop(out);
        }
    }

    fn stop(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Stopped;
        out.push(Effect::Stopped);
    }

    /// SplitMix64: delays need to differ between devices, not to be unpredictable.
    fn random_up_to(&mut self, most: Duration) -> Duration {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(z % micros)
    }
}

fn fresh() -> Connection<role::Client> {
    let mut mqtt =
        Connection::with_options(Version::V5_0, ConnectionOptions::new().maximum_packet_size_recv(PACKET_BYTES_MAX));
    mqtt.set_pingresp_recv_timeout(u64::try_from(PING_TIMEOUT.as_millis()).unwrap_or(u64::MAX));
    mqtt
}
