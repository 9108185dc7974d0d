//! The device side: enrolment, sealed buffer, MQTT link.
