//! What is known about how good a value is. Unknown is never normal: a flag travels with the value to the screen.

/// Flags of one value or one waveform block. The numbers are part of the wire and storage formats and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Quality(u8);

impl Quality {
    /// Nothing is known to be wrong.
    pub const GOOD: Self = Self(0);
    /// The device doubts the value (IEEE 11073-10201 `questionable-data`).
    pub const QUESTIONABLE: Self = Self(1);
    /// The device says the value is wrong (`invalid`); it is kept as "no value" with this reason.
    pub const INVALID: Self = Self(1 << 1);
    /// The sensor is off or disconnected (`msmt-disconnected`).
    pub const SENSOR_OFF: Self = Self(1 << 2);
    /// The device is calibrating or zeroing (`calibration-ongoing`).
    pub const CALIBRATING: Self = Self(1 << 3);
    /// A test or demonstration signal (`test-data`, `demo-data`).
    pub const TEST: Self = Self(1 << 4);
    /// The device's clock could not be trusted; the time is the server's.
    pub const CLOCK_SUSPECT: Self = Self(1 << 5);
    /// Sent from the device's buffer after the link had been down.
    pub const LATE: Self = Self(1 << 6);

    /// All flags this version knows.
    pub const KNOWN: u8 = 0x7f;

    /// From the stored byte; `None` if it has a bit this version does not know.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::KNOWN == 0 { Some(Self(bits)) } else { None }
    }

    /// The stored byte.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Both sets of flags.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every flag of `other` is set here.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no flag is set that casts doubt on the value itself; lateness and the device's clock do not.
    #[must_use]
    pub const fn is_trusted(self) -> bool {
        self.0 & (1 | 1 << 1 | 1 << 2 | 1 << 3) == 0
    }
}
