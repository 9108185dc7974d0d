//! The four words a device may say to the door. A topic has exactly the form `obhut/<device>/<kind>`; nothing else exists.

use obhut_model::DeviceId;

/// First level of every topic.
pub const ROOT: &str = "obhut";

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// CBOR frames, published by the device.
    Frame,
    /// SenML JSON, published by the device.
    Senml,
    /// Commands to the device, subscribed by it.
    Command,
}

/// Why a topic name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not of the form `obhut/<device>/<kind>`, or a kind nobody knows.
    #[error("the topic is not `obhut/<device>/frame`, `/senml` or `/command`")]
    Unknown,
    /// Well-formed, but another device's.
    #[error("the topic belongs to another device")]
    OtherDevice,
}

impl Topic {
    /// The last level.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Senml => "senml",
            Self::Command => "command",
        }
    }

    /// The whole name for `device`.
    #[must_use]
    pub fn name(self, device: &DeviceId) -> String {
        format!("{ROOT}/{device}/{}", self.kind())
    }

    /// Reads a topic name or filter as `device` may use it. Wildcards are ordinary characters here and never match.
    ///
    /// # Errors
    /// [`TopicError`]; nothing is decided about publishing or subscribing.
    pub fn parse(name: &str, device: &DeviceId) -> Result<Self, TopicError> {
        let rest = name.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/')).ok_or(TopicError::Unknown)?;
        let (owner, kind) = rest.split_once('/').ok_or(TopicError::Unknown)?;
        let topic = match kind {
            "frame" => Self::Frame,
            "senml" => Self::Senml,
            "command" => Self::Command,
            _ => return Err(TopicError::Unknown),
        };
        if owner == device.as_str() { Ok(topic) } else { Err(TopicError::OtherDevice) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_devices_own_topics_are_read() {
        let device = DeviceId::new("mon-01").unwrap();
        for topic in [Topic::Frame, Topic::Senml, Topic::Command] {
            assert_eq!(Topic::parse(&topic.name(&device), &device), Ok(topic));
        }
        for (name, expected) in [
            ("obhut/mon-02/frame", TopicError::OtherDevice),
            ("obhut/+/frame", TopicError::OtherDevice),
            ("obhut//frame", TopicError::OtherDevice),
            ("obhut/mon-01/frame/", TopicError::Unknown),
            ("obhut/mon-01/frame/x", TopicError::Unknown),
            ("obhut/mon-01/#", TopicError::Unknown),
            ("/obhut/mon-01/frame", TopicError::Unknown),
            ("obhutx/mon-01/frame", TopicError::Unknown),
            ("obhut", TopicError::Unknown),
            ("#", TopicError::Unknown),
            ("", TopicError::Unknown),
        ] {
            assert_eq!(Topic::parse(name, &device), Err(expected), "{name}");
        }
    }
}
