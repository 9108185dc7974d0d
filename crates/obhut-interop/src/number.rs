//! Numbers as text, exact.

use obhut_model::Decimal;

/// `step × count`, digit by digit; never rounded and never a float.
#[must_use]
pub fn exact(step: Decimal, count: i32) -> String {
    // 32 bits times 32 bits always fit 64; times a power of ten up to nine, 128.
    let mantissa = i128::from(step.mantissa()) * i128::from(count);
    let exponent = step.exponent();
    if exponent >= 0 {
        return (mantissa * 10i128.pow(u32::from(exponent.unsigned_abs()))).to_string();
    }
    let places = usize::from(exponent.unsigned_abs());
    let scale = 10u128.pow(u32::from(exponent.unsigned_abs()));
    let digits = mantissa.unsigned_abs();
    let sign = if mantissa < 0 { "-" } else { "" };
    format!("{sign}{}.{:0places$}", digits / scale, digits % scale)
}

/// Microseconds as milliseconds, exact.
#[must_use]
pub(crate) fn millis(micros: i64) -> String {
    let (whole, part) = (micros / 1_000, micros % 1_000);
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:03}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_product_is_rounded() {
        let check = |step: &str, count: i32, expected: &str| assert_eq!(exact(step.parse().unwrap(), count), expected);
        check("0.1", 367, "36.7");
        check("0.1", -5, "-0.5");
        check("1", 0, "0");
        check("0.00005", -7, "-0.00035");
        check("0.999999999", i32::MIN, "-2147483645.852516352");
        assert_eq!(exact(Decimal::new(5, 2).unwrap(), 3), "1500");
        assert_eq!(millis(1_000_000), "1000");
        assert_eq!(millis(16_667), "16.667");
        assert_eq!(millis(2), "0.002");
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_vocabulary_where_that_fits(mantissa in 1i32..1000, exponent in -9i8..=9, count in -100_000i32..=100_000) {
            let step = Decimal::new(mantissa, exponent).unwrap();
            prop_assert_eq!(exact(step, count), step.times(count).unwrap().to_string());
        }
    }
}
