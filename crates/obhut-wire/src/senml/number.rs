//! JSON numbers as exact decimals. The grammar has been checked by the JSON reader; here digits become a mantissa and an exponent.

use crate::limits::{SENML_RELATIVE_SECONDS_MAX, TIME_MICROS_MAX};
use obhut_model::Decimal;

/// Most significant digits kept; eighteen always fit an `i64`.
const DIGITS_MAX: u32 = 18;
/// Exponents beyond this are equally absurd either way.
const EXPONENT_CAP: i32 = 10_000;

/// `mantissa × 10^exponent`, without trailing zeros in the mantissa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    mantissa: i64,
    exponent: i32,
    /// Whether digits other than zero did not fit and are missing at the end.
    cut: bool,
}

impl Number {
    pub(super) const ZERO: Self = Self { mantissa: 0, exponent: 0, cut: false };

    /// Reads a JSON number; `None` for any other JSON text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, mut left) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, bytes),
        };
        if !left.first()?.is_ascii_digit() {
            return None;
        }
        let mut digits = Digits::default();
        let mut after_point = false;
        while let [byte, rest @ ..] = left {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0', after_point),
                b'.' if !after_point => after_point = true,
                b'e' | b'E' => {
                    digits.exponent = digits.exponent.saturating_add(exponent(rest)?);
                    break;
                }
                _ => return None,
            }
            left = rest;
        }
        let mantissa = if negative { -digits.mantissa } else { digits.mantissa };
        let exponent = if mantissa == 0 { 0 } else { digits.exponent };
        Some(Self { mantissa, exponent, cut: digits.cut })
    }

    /// The sum, or `None` if it cannot be kept exactly.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        if other.mantissa == 0 && !other.cut {
            return Some(self);
        }
        if self.mantissa == 0 && !self.cut {
            return Some(other);
        }
        if self.cut || other.cut {
            return None;
        }
        let exponent = self.exponent.min(other.exponent);
        let raised = |n: Self| {
            10i64.checked_pow(u32::try_from(n.exponent.checked_sub(exponent)?).ok()?)?.checked_mul(n.mantissa)
        };
        let mut sum = raised(self)?.checked_add(raised(other)?)?;
        let mut exponent = exponent;
        while sum != 0 && sum % 10 == 0 {
            sum /= 10;
            exponent += 1;
        }
        Some(Self { mantissa: sum, exponent: if sum == 0 { 0 } else { exponent }, cut: false })
    }

    /// The same number as a [`Decimal`] with the exponent nearest to zero, or `None` if that would lose a digit.
    pub(super) fn to_decimal(self) -> Option<Decimal> {
        if self.cut {
            return None;
        }
        let mut mantissa = i32::try_from(self.mantissa).ok()?;
        let mut exponent = self.exponent;
        while exponent > 0 {
            let Some(more) = mantissa.checked_mul(10) else { break };
            mantissa = more;
            exponent -= 1;
        }
        Decimal::new(mantissa, i8::try_from(exponent).ok()?).ok()
    }

    /// These seconds as microseconds, rounded to the nearest, ties away from zero; `None` beyond any time a payload may name.
    pub(super) fn to_micros(self) -> Option<i64> {
        let shift = self.exponent.saturating_add(6);
        let micros = if shift >= 0 {
            10i64.checked_pow(u32::try_from(shift).ok()?)?.checked_mul(self.mantissa)?
        } else {
            match 10i64.checked_pow(shift.unsigned_abs()) {
                Some(power) => (self.mantissa + self.mantissa.signum() * (power / 2)) / power,
                None => 0,
            }
        };
        (-TIME_MICROS_MAX..=TIME_MICROS_MAX).contains(&micros).then_some(micros)
    }
}

/// Whether a time of this many microseconds counts from now (RFC 8428, section 4.5.3).
pub(super) const fn is_relative(micros: i64) -> bool {
    micros < SENML_RELATIVE_SECONDS_MAX * 1_000_000
}

#[derive(Default)]
struct Digits {
    mantissa: i64,
    exponent: i32,
    count: u32,
    zeros: u32,
    cut: bool,
}

impl Digits {
    /// Takes one digit. Zeros wait until a digit other than zero follows, so that trailing ones never fill the mantissa.
    fn push(&mut self, digit: u8, after_point: bool) {
        self.exponent -= i32::from(after_point);
        if digit == 0 {
            if self.mantissa != 0 || self.cut {
                self.zeros += 1;
                self.exponent += 1;
            } else if after_point {
                // Leading zeros after the point only move the point.
            }
            return;
        }
        let needed = self.zeros + 1;
        if self.count + needed > DIGITS_MAX {
            self.cut = true;
            self.zeros += 1;
            self.exponent += 1;
            return;
        }
        for _ in 0..self.zeros {
            self.mantissa *= 10;
        }
        self.exponent -= i32::try_from(self.zeros).unwrap_or(0);
        self.mantissa = self.mantissa * 10 + i64::from(digit);
        self.count += needed;
        self.zeros = 0;
    }
}

/// The number after `e`, capped.
fn exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i32;
    for byte in digits {
        let digit = byte.is_ascii_digit().then(|| i32::from(byte - b'0'))?;
        value = (value * 10 + digit).min(EXPONENT_CAP);
    }
    Some(if negative { -value } else { value })
}
