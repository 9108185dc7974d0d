//! One device's MQTT session, sans I/O: bytes in, bytes out, publishes handed to an [`Intake`], acknowledgements in order once durable.
//!
//! Protocol state is mqtt-protocol-core's, in the server role, for 3.1.1 and 5, behind a guard of ours. This is a door, not a broker: no
//! stored session, no retained or will message, no wildcard, no way from device to device; the only subscription is to one's own commands.
//! It knows no clock, socket or store.
//!
//! What always holds: the client identifier is the certificate's device; a QoS 1 publish is acknowledged in the order received, with success
//! only when its position is durable; after an `Err` the session takes nothing more.
//!
//! Standards: OASIS MQTT 5.0 and 3.1.1; clauses are named where they decide something. Choices: decisions 0070 and 0071.

use crate::guard::{self, Phase, Whole};
use crate::limits::Limits;
use crate::refusal::Refusal;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, Sendable};
use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, GenericPacketTrait, MaximumPacketSize, MaximumQos, Packet, Property, Qos, ReceiveMaximum,
    RetainAvailable, ServerKeepAlive, SessionExpiryInterval, SharedSubscriptionAvailable, SubEntry,
    SubscriptionIdentifierAvailable, WildcardSubscriptionAvailable, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, PubackReasonCode, SubackReasonCode,
    SubackReturnCode, UnsubackReasonCode,
};
use mqtt_protocol_core::mqtt::{Connection, Version, role};
use obhut_model::DeviceId;
use obhut_store::Position;
use obhut_wire::topic::TopicError;
use obhut_wire::{Topic, reason};
use std::collections::VecDeque;
use std::sync::Arc;

/// What becomes of one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Acknowledge when this is durable.
    At(Position),
    /// Shown live, nothing kept.
    Live,
    /// Refused; whether for good or for now, the refusal says.
    Refused(Refusal),
}

/// Where publishes go. Never blocks.
pub trait Intake {
    /// Called once for each publish that passed the protocol and is on the device's own topic, in order. Counts its own refusals.
    fn publish(&mut self, topic: Topic, payload: &[u8]) -> Taken;

    /// Called for every packet that is not a publish. `Err` ends the session.
    ///
    /// # Errors
    /// [`Refusal`] if there are too many.
    fn control(&mut self) -> Result<(), Refusal>;

    /// Something was refused without ending the session.
    fn refused(&mut self, why: Refusal);
}

/// The session is over; what is left in the output is the farewell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The device said goodbye.
    ByDevice,
    /// Refused or ended by this side.
    Refused(Refusal),
    /// The server stops.
    Stopping,
}

/// Why a command was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// No session.
    #[error("the device is not connected")]
    Offline,
    /// It has not subscribed to its commands.
    #[error("the device does not listen for commands")]
    NotListening,
    /// Too many are waiting.
    #[error("too many commands are waiting for the device")]
    Busy,
    /// It is larger than the device takes.
    #[error("the command is too large for the device")]
    TooLarge,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    When(Position),
    Now(u8),
}

/// One session. Boxed parts are the library's; an idle session holds no buffer.
pub struct Session {
    mqtt: Box<Connection<role::Server>>,
    limits: Arc<Limits>,
    device: DeviceId,
    /// Refused at CONNECT with this, if set: the device is not welcome, but is told so in MQTT.
    unwelcome: Option<Refusal>,
    phase: Phase,
    closed: bool,
    publish_bytes_max: u32,
    keep_alive_seconds: u16,
    /// Granted QoS of the subscription to commands.
    commands: Option<Qos>,
    commands_unanswered: u16,
    /// 3.1.1 only: how many publishes the store could not take, which that version can only leave unanswered, and why.
    unanswered: Option<(u16, Refusal)>,
    waiting: VecDeque<(u16, Answer)>,
}

type Step = Result<(), Closed>;

impl Session {
    /// A session for the device named by the certificate. `publish_bytes_max`: largest PUBLISH packet. `unwelcome`: refuse its CONNECT.
    #[must_use]
    pub fn new(device: DeviceId, limits: Arc<Limits>, publish_bytes_max: u32, unwelcome: Option<Refusal>) -> Self {
        let publish_bytes_max = publish_bytes_max.min(limits.packet_bytes_max);
        let options =
            ConnectionOptions::new().maximum_packet_size_recv(publish_bytes_max.max(limits.control_bytes_max));
        let mut mqtt = Box::new(Connection::with_options(Version::Undetermined, options));
        mqtt.set_auto_ping_response(true);
        Self {
            mqtt,
            limits,
            device,
            unwelcome,
            phase: Phase::Connecting,
            closed: false,
            publish_bytes_max,
            keep_alive_seconds: 0,
            commands: None,
            commands_unanswered: 0,
            unanswered: None,
            waiting: VecDeque::new(),
        }
    }

    /// Takes as many whole packets from `input` as there are and may be taken now; writes answers to `out`. Returns how many bytes were used:
    /// keep the rest and give it again, with more behind it, or after [`Session::settle`] made room.
    ///
    /// # Errors
    /// [`Closed`]: send `out`, then close.
    pub fn step(&mut self, input: &[u8], intake: &mut impl Intake, out: &mut Vec<u8>) -> Result<usize, Closed> {
        let mut used = 0;
        while !self.is_full() {
            let rest = input.get(used..).unwrap_or_default();
            if self.closed {
                return Err(Closed::Refused(Refusal::Protocol));
            }
            match guard::next(rest, self.phase, &self.limits, self.publish_bytes_max) {
                Ok(None) => break,
                Ok(Some(whole)) => {
                    self.packet(whole, intake, out)?;
                    used += whole.bytes.len();
                }
                Err(why) => return Err(self.refuse(why, out)),
            }
        }
        Ok(used)
    }

    /// Whether CONNECT was accepted.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase != Phase::Connecting && !self.closed
    }

    /// Whether nothing more is taken until [`Session::settle`] made room. MQTT 5 devices know the limit and are held to it instead.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.phase == Phase::V4 && self.waiting.len() >= usize::from(self.limits.in_flight_max)
    }

    /// Whether the device has subscribed to its commands.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.commands.is_some()
    }

    /// Whether acknowledgements wait for the disk.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Seconds of silence after which the device counts as gone, by its own keep-alive and ours (section 3.1.2.10).
    #[must_use]
    pub fn silence_seconds_max(&self) -> u32 {
        u32::from(self.keep_alive_seconds) * 3 / 2
    }

    /// Writes every acknowledgement that is due, in order. Returns how many messages were acknowledged as durable.
    ///
    /// # Errors
    /// [`Closed`] if the device cannot take them.
    pub fn settle(&mut self, durable: Position, out: &mut Vec<u8>) -> Result<u64, Closed> {
        let mut stored = 0;
        while let Some((packet, answer)) = self.waiting.front().copied() {
            let code = match answer {
                Answer::When(position) if position > durable => break,
                Answer::When(_) => {
                    stored += 1;
                    reason::SUCCESS
                }
                Answer::Now(code) => code,
            };
            self.waiting.pop_front();
            self.acknowledge(packet, code, out)?;
        }
        match self.unanswered {
            // The store takes readings again, and only a new connection makes a 3.1.1 device send what it did not take.
            Some((_, why)) if stored > 0 && self.waiting.is_empty() => Err(self.refuse(why, out)),
            _ => Ok(stored),
        }
    }

    /// The store cannot make anything durable: everything that waits is answered with `why`, or, in 3.1.1, the session ends.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn fail_waiting(&mut self, why: Refusal, out: &mut Vec<u8>) -> Step {
        if self.phase == Phase::V4 && self.waiting.iter().any(|(_, answer)| matches!(answer, Answer::When(_))) {
            return Err(self.refuse(why, out));
        }
        for (_, answer) in &mut self.waiting {
            if matches!(answer, Answer::When(_)) {
                *answer = Answer::Now(why.reason());
            }
        }
        self.settle(Position::default(), out).map(|_| ())
    }

    /// Gives back memory that only a busy session needs.
    pub fn relax(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
    }

    /// Sends a command to the device.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn command(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CommandError> {
        let qos = self.commands.ok_or(CommandError::NotListening)?;
        if self.commands_unanswered >= self.limits.commands_max {
            return Err(CommandError::Busy);
        }
        let identifier = match qos {
            Qos::AtMostOnce => None,
            _ => Some(self.mqtt.acquire_packet_id().map_err(|_| CommandError::Busy)?),
        };
        let topic = Topic::Command.name(&self.device);
        let sent = match self.phase {
            Phase::V4 => v3_1_1::Publish::builder()
                .topic_name(topic)
                .and_then(|publish| publish.qos(qos).packet_id(identifier).payload(payload).build())
                .and_then(|publish| self.send(publish, out)),
            _ => v5_0::Publish::builder()
                .topic_name(topic)
                .and_then(|publish| publish.qos(qos).packet_id(identifier).payload(payload).build())
                .and_then(|publish| self.send(publish, out)),
        };
        match sent {
            Ok(()) => {
                self.commands_unanswered += u16::from(identifier.is_some());
                Ok(())
            }
            Err(MqttError::PacketTooLarge) => Err(CommandError::TooLarge),
            Err(_) => Err(CommandError::Busy),
        }
    }

    /// Ends the session from this side: writes DISCONNECT (MQTT 5) or refuses the CONNECT that has not come.
    pub fn refuse(&mut self, why: Refusal, out: &mut Vec<u8>) -> Closed {
        self.disconnect(why.reason(), out);
        Closed::Refused(why)
    }

    /// Says goodbye because the server stops (0x8B).
    pub fn stop(&mut self, out: &mut Vec<u8>) -> Closed {
        self.disconnect(DisconnectReasonCode::ServerShuttingDown as u8, out);
        Closed::Stopping
    }

    fn disconnect(&mut self, code: u8, out: &mut Vec<u8>) {
        if self.phase == Phase::V5 && !self.closed {
            let code = DisconnectReasonCode::try_from(code).unwrap_or(DisconnectReasonCode::UnspecifiedError);
            if let Ok(packet) = v5_0::Disconnect::builder().reason_code(code).build() {
                // A device that cannot take even this is closed without a word.
                let _ = self.send(packet, out);
            }
        }
        self.closed = true;
    }

    fn packet(&mut self, whole: Whole<'_>, intake: &mut impl Intake, out: &mut Vec<u8>) -> Step {
        if whole.kind != guard::PUBLISH {
            intake.control().map_err(|why| self.refuse(why, out))?;
        }
        let patched = if whole.kind == guard::CONNECT { patch_connect(whole.bytes) } else { None };
        let mut cursor = Cursor::new(patched.as_deref().unwrap_or(whole.bytes));
        let events = self.mqtt.recv(&mut cursor);
        let (mut failed, mut closing) = (None, false);
        for event in events {
            match event {
                Event::NotifyPacketReceived(packet) => self.received(packet, whole.dup, intake, out)?,
                Event::RequestSendPacket { packet, .. } => out.extend_from_slice(&packet.to_continuous_buffer()),
                Event::NotifyError(error) => failed = Some(error),
                Event::RequestClose => closing = true,
                _ => {}
            }
        }
        match failed {
            None if !closing => Ok(()),
            // The library has said goodbye already.
            Some(error) if closing => {
                self.closed = true;
                Err(Closed::Refused(refusal_of(error)))
            }
            Some(MqttError::UnsupportedProtocolVersion) => Err(self.refuse_version(whole.bytes, out)),
            Some(error) => Err(self.refuse(refusal_of(error), out)),
            None => Err(self.refuse(Refusal::Protocol, out)),
        }
    }

    fn received(&mut self, packet: Packet, dup: bool, intake: &mut impl Intake, out: &mut Vec<u8>) -> Step {
        match packet {
            Packet::V5_0Publish(publish) => {
                self.publish(publish.topic_name(), publish.packet_id(), dup, publish.payload().as_slice(), intake, out)
            }
            Packet::V3_1_1Publish(publish) => {
                self.publish(publish.topic_name(), publish.packet_id(), dup, publish.payload().as_slice(), intake, out)
            }
            Packet::V5_0Connect(connect) => self.connect_v5(&connect, out),
            Packet::V3_1_1Connect(connect) => self.connect_v4(&connect, out),
            Packet::V5_0Subscribe(subscribe) => self.subscribe_v5(&subscribe, intake, out),
            Packet::V3_1_1Subscribe(subscribe) => self.subscribe_v4(&subscribe, intake, out),
            Packet::V5_0Unsubscribe(unsubscribe) => {
                let filters = unsubscribe.entries();
                let codes = filters.iter().map(|filter| self.unsubscribe(filter.as_str())).collect();
                let answer = v5_0::Unsuback::builder().packet_id(unsubscribe.packet_id()).reason_codes(codes).build();
                self.answer(answer, out)
            }
            Packet::V3_1_1Unsubscribe(unsubscribe) => {
                for filter in unsubscribe.entries() {
                    self.unsubscribe(filter.as_str());
                }
                let answer = v3_1_1::Unsuback::builder().packet_id(unsubscribe.packet_id()).build();
                self.answer(answer, out)
            }
            Packet::V5_0Puback(_) | Packet::V3_1_1Puback(_) => {
                self.commands_unanswered = self.commands_unanswered.saturating_sub(1);
                Ok(())
            }
            Packet::V5_0Pingreq(_) | Packet::V3_1_1Pingreq(_) => Ok(()),
            Packet::V5_0Disconnect(_) | Packet::V3_1_1Disconnect(_) => {
                self.closed = true;
                Err(Closed::ByDevice)
            }
            _ => Err(self.refuse(Refusal::Protocol, out)),
        }
    }

    fn publish(
        &mut self,
        topic: &str,
        packet: Option<u16>,
        dup: bool,
        payload: &[u8],
        intake: &mut impl Intake,
        out: &mut Vec<u8>,
    ) -> Step {
        if dup && packet.is_some_and(|packet| self.waiting.iter().any(|(waiting, _)| *waiting == packet)) {
            // Sent again while the first waits for the disk: one acknowledgement answers both.
            return Ok(());
        }
        let taken = match Topic::parse(topic, &self.device) {
            Ok(topic @ (Topic::Frame | Topic::Senml)) => intake.publish(topic, payload),
            Ok(Topic::Command) | Err(TopicError::OtherDevice) => {
                return self.wrong_topic(Refusal::Topic, packet, intake, out);
            }
            Err(TopicError::Unknown) => return self.wrong_topic(Refusal::TopicName, packet, intake, out),
        };
        let Some(packet) = packet else { return Ok(()) };
        let answer = match taken {
            Taken::At(position) => Answer::When(position),
            Taken::Live => Answer::Now(reason::NOTHING_KEPT),
            Taken::Refused(why) if self.phase == Phase::V4 && why.is_for_now() && why != Refusal::RateMessages => {
                let (count, _) = *self.unanswered.insert((self.unanswered.map_or(1, |(count, _)| count + 1), why));
                return if count >= self.limits.unanswered_max { Err(self.refuse(why, out)) } else { Ok(()) };
            }
            Taken::Refused(why) => Answer::Now(why.reason()),
        };
        self.waiting.push_back((packet, answer));
        Ok(())
    }

    fn wrong_topic(&mut self, why: Refusal, packet: Option<u16>, intake: &mut impl Intake, out: &mut Vec<u8>) -> Step {
        match packet {
            Some(packet) if self.phase == Phase::V5 => {
                intake.refused(why);
                self.waiting.push_back((packet, Answer::Now(why.reason())));
                Ok(())
            }
            _ => Err(self.refuse(why, out)),
        }
    }

    fn acknowledge(&mut self, packet: u16, code: u8, out: &mut Vec<u8>) -> Step {
        if self.phase == Phase::V4 {
            return self.answer(v3_1_1::Puback::builder().packet_id(packet).build(), out);
        }
        let answer = match PubackReasonCode::try_from(code) {
            Ok(PubackReasonCode::Success) => v5_0::Puback::builder().packet_id(packet).build(),
            Ok(code) => v5_0::Puback::builder().packet_id(packet).reason_code(code).build(),
            Err(_) => v5_0::Puback::builder().packet_id(packet).reason_code(PubackReasonCode::UnspecifiedError).build(),
        };
        self.answer(answer, out)
    }

    fn connect_v5(&mut self, connect: &v5_0::Connect, out: &mut Vec<u8>) -> Step {
        let own = connect.client_id() == self.device.as_str();
        let asks = |what: fn(&Property) -> bool| connect.props().iter().any(what);
        let refused = if connect.user_name_flag() || connect.password_flag() {
            Some(Refusal::Password)
        } else if asks(|property| {
            matches!(property, Property::AuthenticationMethod(_) | Property::AuthenticationData(_))
        }) {
            Some(Refusal::Authentication)
        } else if !own && !connect.client_id().is_empty() {
            Some(Refusal::ClientId)
        } else if connect.will_flag() {
            Some(if connect.will_retain() { Refusal::Retain } else { Refusal::Will })
        } else {
            self.unwelcome
        };
        if let Some(why) = refused {
            let code = ConnectReasonCode::try_from(why.reason()).unwrap_or(ConnectReasonCode::NotAuthorized);
            if let Ok(answer) = v5_0::Connack::builder().reason_code(code).session_present(false).build() {
                let _ = self.send(answer, out);
            }
            self.closed = true;
            return Err(Closed::Refused(why));
        }
        self.phase = Phase::V5;
        self.keep_alive_seconds = self.keep_alive(connect.keep_alive());
        let lowered = self.keep_alive_seconds != connect.keep_alive();
        let expiring = asks(|property| matches!(property, Property::SessionExpiryInterval(_)));
        let properties = self.capabilities(!own, lowered, expiring);
        let answer = properties.and_then(|properties| {
            v5_0::Connack::builder()
                .reason_code(ConnectReasonCode::Success)
                .session_present(false)
                .props(properties)
                .build()
        });
        self.answer(answer, out)
    }

    /// What this door can and cannot do (section 3.2.2.3). Topic Alias Maximum is absent, which means none.
    fn capabilities(&self, assigned: bool, lowered: bool, expiring: bool) -> Result<Vec<Property>, MqttError> {
        let mut properties: Vec<Property> = vec![
            ReceiveMaximum::new(self.limits.in_flight_max.max(1))?.into(),
            MaximumPacketSize::new(self.publish_bytes_max.max(self.limits.control_bytes_max))?.into(),
            MaximumQos::new(1)?.into(),
            RetainAvailable::new(0)?.into(),
            WildcardSubscriptionAvailable::new(0)?.into(),
            SubscriptionIdentifierAvailable::new(0)?.into(),
            SharedSubscriptionAvailable::new(0)?.into(),
        ];
        if assigned {
            properties.push(AssignedClientIdentifier::new(self.device.as_str())?.into());
        }
        if lowered {
            properties.push(ServerKeepAlive::new(self.keep_alive_seconds)?.into());
        }
        if expiring {
            properties.push(SessionExpiryInterval::new(0)?.into());
        }
        Ok(properties)
    }

    fn connect_v4(&mut self, connect: &v3_1_1::Connect, out: &mut Vec<u8>) -> Step {
        let refused = if connect.user_name_flag() || connect.password_flag() {
            Some(Refusal::Password)
        } else if connect.client_id() != self.device.as_str() {
            Some(Refusal::ClientId)
        } else if connect.will_flag() {
            Some(Refusal::Will)
        } else {
            self.unwelcome
        };
        let code = refused.map_or(0, Refusal::return_code);
        let code = ConnectReturnCode::try_from(code).unwrap_or(ConnectReturnCode::NotAuthorized);
        let answer = v3_1_1::Connack::builder().return_code(code).session_present(false).build();
        if let Some(why) = refused {
            if let Ok(answer) = answer {
                let _ = self.send(answer, out);
            }
            self.closed = true;
            return Err(Closed::Refused(why));
        }
        self.phase = Phase::V4;
        self.keep_alive_seconds = self.keep_alive(connect.keep_alive());
        self.answer(answer, out)
    }

    fn keep_alive(&self, asked: u16) -> u16 {
        match asked {
            0 => self.limits.keep_alive_seconds_max,
            asked => asked.min(self.limits.keep_alive_seconds_max),
        }
    }

    fn subscribe_v5(&mut self, subscribe: &v5_0::Subscribe, intake: &mut impl Intake, out: &mut Vec<u8>) -> Step {
        if subscribe.props().iter().any(|property| matches!(property, Property::SubscriptionIdentifier(_))) {
            return Err(self.refuse(Refusal::SubscriptionId, out));
        }
        let mut codes = Vec::with_capacity(subscribe.entries().len());
        for entry in subscribe.entries() {
            codes.push(match self.subscribe(entry) {
                Ok(Qos::AtMostOnce) => SubackReasonCode::GrantedQos0,
                Ok(_) => SubackReasonCode::GrantedQos1,
                Err(why) => {
                    intake.refused(why);
                    SubackReasonCode::try_from(why.reason()).unwrap_or(SubackReasonCode::NotAuthorized)
                }
            });
        }
        let answer = v5_0::Suback::builder().packet_id(subscribe.packet_id()).reason_codes(codes).build();
        self.answer(answer, out)
    }

    fn subscribe_v4(&mut self, subscribe: &v3_1_1::Subscribe, intake: &mut impl Intake, out: &mut Vec<u8>) -> Step {
        let mut codes = Vec::with_capacity(subscribe.entries().len());
        for entry in subscribe.entries() {
            codes.push(match self.subscribe(entry) {
                Ok(Qos::AtMostOnce) => SubackReturnCode::SuccessMaximumQos0,
                Ok(_) => SubackReturnCode::SuccessMaximumQos1,
                Err(why) => {
                    intake.refused(why);
                    SubackReturnCode::Failure
                }
            });
        }
        let answer = v3_1_1::Suback::builder().packet_id(subscribe.packet_id()).return_codes(codes).build();
        self.answer(answer, out)
    }

    fn subscribe(&mut self, entry: &SubEntry) -> Result<Qos, Refusal> {
        let filter = entry.topic_filter();
        if filter.starts_with("$share/") {
            return Err(Refusal::Shared);
        }
        if filter.contains(['+', '#']) {
            return Err(Refusal::Wildcard);
        }
        if Topic::parse(filter, &self.device) != Ok(Topic::Command) {
            return Err(Refusal::Subscription);
        }
        let granted = if entry.sub_opts().qos() == Qos::AtMostOnce { Qos::AtMostOnce } else { Qos::AtLeastOnce };
        self.commands = Some(granted);
        Ok(granted)
    }

    fn unsubscribe(&mut self, filter: &str) -> UnsubackReasonCode {
        if Topic::parse(filter, &self.device) == Ok(Topic::Command) && self.commands.take().is_some() {
            UnsubackReasonCode::Success
        } else {
            UnsubackReasonCode::NoSubscriptionExisted
        }
    }

    /// A version this library cannot even read: 3.1 and older know return code 1, newer ones are answered as MQTT 5 asks (section 3.1.2.2).
    fn refuse_version(&mut self, connect: &[u8], out: &mut Vec<u8>) -> Closed {
        let level = connect.windows(5).find_map(|window| match window {
            [b'M', b'Q', b'T', b'T', level] => Some(*level),
            _ => None,
        });
        let newer = level.is_some_and(|level| level > 5);
        out.extend_from_slice(if newer { &[0x20, 3, 0, 0x84, 0] } else { &[0x20, 2, 0, 1] });
        self.closed = true;
        Closed::Refused(Refusal::Version)
    }

    fn answer<P: Sendable<role::Server, u16>>(&mut self, packet: Result<P, MqttError>, out: &mut Vec<u8>) -> Step {
        match packet.and_then(|packet| self.send(packet, out)) {
            Ok(()) => Ok(()),
            // It cannot be built or does not fit what the device takes: nothing sensible is left to say.
            Err(error) => Err(self.refuse(refusal_of(error), out)),
        }
    }

    fn send<P: Sendable<role::Server, u16>>(&mut self, packet: P, out: &mut Vec<u8>) -> Result<(), MqttError> {
        let mut done = Ok(());
        for event in self.mqtt.checked_send(packet) {
            match event {
                Event::RequestSendPacket { packet, .. } => out.extend_from_slice(&packet.to_continuous_buffer()),
                Event::NotifyError(error) => done = Err(error),
                _ => {}
            }
        }
        done
    }
}

// SECURITY: without this a device could end its task by a panic in the library; see [`crate::guard`].
fn patch_connect(packet: &[u8]) -> Option<Vec<u8>> {
    let at = guard::zero_alias_maximum(packet)?;
    let mut patched = packet.to_vec();
    *patched.get_mut(at)? = 1;
    Some(patched)
}

fn refusal_of(error: MqttError) -> Refusal {
    match error {
        MqttError::PacketTooLarge => Refusal::PacketSize,
        MqttError::ProtocolError | MqttError::PacketNotAllowedToSend => Refusal::Protocol,
        MqttError::ReceiveMaximumExceeded => Refusal::ReceiveMaximum,
        MqttError::TopicAliasInvalid => Refusal::TopicAlias,
        MqttError::TopicNameInvalid | MqttError::TopicFilterInvalid => Refusal::TopicName,
        MqttError::UnsupportedProtocolVersion => Refusal::Version,
        MqttError::ClientIdentifierNotValid => Refusal::ClientId,
        MqttError::BadUserNameOrPassword => Refusal::Password,
        MqttError::BadAuthenticationMethod => Refusal::Authentication,
        _ => Refusal::Malformed,
    }
}
