//! The device door: TLS, MQTT, admission.
