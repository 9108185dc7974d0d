//! Decimal numbers as devices and charters write them: `mantissa × 10^exponent`, exact.

use std::fmt;
use std::str::FromStr;

/// `mantissa × 10^exponent`, exponent in `-9..=9`. Exact: 0.1 is 0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i32,
    exponent: i8,
}

/// Why a text or pair of numbers is not a [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits with at most one point.
    #[error("not a decimal number")]
    Syntax,
    /// Too many digits, or too far from one.
    #[error("a decimal number has at most 9 digits and an exponent of -9 to 9")]
    Range,
}

impl Decimal {
    /// Largest exponent either way.
    pub const EXPONENT_MAX: i8 = 9;
    /// One.
    pub const ONE: Self = Self { mantissa: 1, exponent: 0 };

    /// # Errors
    /// [`DecimalError::Range`] if the exponent is outside `-9..=9`.
    pub const fn new(mantissa: i32, exponent: i8) -> Result<Self, DecimalError> {
        if exponent < -Self::EXPONENT_MAX || exponent > Self::EXPONENT_MAX {
            return Err(DecimalError::Range);
        }
        Ok(Self { mantissa, exponent })
    }

    /// The digits.
    #[must_use]
    pub const fn mantissa(self) -> i32 {
        self.mantissa
    }

    /// The power of ten.
    #[must_use]
    pub const fn exponent(self) -> i8 {
        self.exponent
    }

    /// The nearest float.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // Dividing by an exact power of ten rounds once; multiplying by an inexact one would round twice.
        let power = 10f64.powi(i32::from(self.exponent).abs());
        if self.exponent < 0 { f64::from(self.mantissa) / power } else { f64::from(self.mantissa) * power }
    }

    /// How many whole steps of `step` are nearest to this number, ties away from zero; `None` if `step` is not positive or the count does
    /// not fit.
    #[must_use]
    pub fn in_steps_of(self, step: Self) -> Option<i32> {
        if step.mantissa <= 0 {
            return None;
        }
        let shift = i32::from(self.exponent) - i32::from(step.exponent);
        let power = 10i128.checked_pow(shift.unsigned_abs())?;
        let (over, under) = if shift >= 0 {
            (i128::from(self.mantissa) * power, i128::from(step.mantissa))
        } else {
            (i128::from(self.mantissa), i128::from(step.mantissa) * power)
        };
        let half = under / 2;
        let rounded = if over >= 0 { (over + half) / under } else { (over - half) / under };
        i32::try_from(rounded).ok()
    }

    /// `count` steps of this size; `None` if the product does not fit.
    #[must_use]
    pub fn times(self, count: i32) -> Option<Self> {
        self.mantissa.checked_mul(count).map(|mantissa| Self { mantissa, exponent: self.exponent })
    }

    /// Digits after the point that print this number exactly.
    #[must_use]
    pub fn places(self) -> usize {
        usize::from(self.exponent.min(0).unsigned_abs())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exponent >= 0 {
            return write!(f, "{}", i64::from(self.mantissa) * 10i64.pow(u32::from(self.exponent.unsigned_abs())));
        }
        let scale = 10u64.pow(u32::from(self.exponent.unsigned_abs()));
        let digits = u64::from(self.mantissa.unsigned_abs());
        let sign = if self.mantissa < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:0width$}", digits / scale, digits % scale, width = self.places())
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
            return Err(DecimalError::Syntax);
        }
        let mut mantissa: i32 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            mantissa = mantissa
                .checked_mul(10)
                .and_then(|m| m.checked_add(i32::from(digit - b'0')))
                .ok_or(DecimalError::Range)?;
        }
        let exponent = i8::try_from(fraction.len()).map_err(|_| DecimalError::Range)?;
        Self::new(if negative { -mantissa } else { mantissa }, -exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_round_trips() {
        for text in ["0", "1", "-1", "0.1", "36.7", "-0.05", "100", "0.000000001"] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        for text in ["", ".", "1.", ".5", "1e3", "--1", "1.2.3", "99999999999"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn steps_round_to_the_nearest() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(d("36.74").in_steps_of(d("0.1")), Some(367));
        assert_eq!(d("36.75").in_steps_of(d("0.1")), Some(368));
        assert_eq!(d("-0.25").in_steps_of(d("0.1")), Some(-3));
        assert_eq!(d("97").in_steps_of(d("5")), Some(19));
        assert_eq!(d("1").in_steps_of(d("0")), None);
    }

    proptest! {
        #[test]
        fn any_decimal_prints_and_parses(mantissa in -999_999_999i32..=999_999_999, exponent in -9i8..=0) {
            let decimal = Decimal::new(mantissa, exponent).unwrap();
            prop_assert_eq!(decimal.to_string().parse::<Decimal>().unwrap().to_f64(), decimal.to_f64());
        }
    }
}
