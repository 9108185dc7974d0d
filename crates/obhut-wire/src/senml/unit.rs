//! Units: a code's own UCUM unit, or a spelling of the same unit that SenML devices use. Nothing is converted.

/// `(UCUM unit of the code, accepted other spelling, source)`.
///
/// Left out on purpose: `%RH` (relative humidity is another quantity), `/` for per cent (a ratio is a hundredth of it), `K` (would need
/// conversion), `Hz` and `1/s` for rates per minute (likewise).
pub const ALIASES: &[(&str, &str, &str)] = &[
    ("/min", "beat/min", "RFC 8428, section 12.1: heart rate in beats per minute"),
    ("/min", "1/min", "RFC 8428, section 12.1: rate per minute; also UCUM, where a leading 1 changes nothing"),
    ("/min", "{beats}/min", "UCUM section 2.4: an annotation in braces changes nothing; HL7 FHIR examples"),
    ("/min", "{breaths}/min", "UCUM section 2.4, as above"),
    ("mm[Hg]", "mmHg", "the printed form of the UCUM unit; IEEE 11073-10101 MDC_DIM_MMHG"),
    ("%", "/100", "RFC 8798, section 3: secondary unit, one hundredth"),
    ("1", "/", "RFC 8428, section 12.1: dimensionless ratio"),
    ("mL/h", "ml/h", "UCUM: `l` and `L` are both the litre"),
    ("mL", "ml", "UCUM: `l` and `L` are both the litre"),
];

/// Whether `unit` says the same as the UCUM unit `own`.
pub(super) fn same(own: &str, unit: &str) -> bool {
    own == unit || ALIASES.iter().any(|(ucum, alias, _)| *alias == unit && *ucum == own)
}
