//! What is measured: ISO/IEEE 11073-10101 (MDC) codes with their LOINC and UCUM counterparts.
//!
//! The table is data about the world, not policy: a code that stands here may still be undeclared in a charter and is then refused.
//! Public tables disagree in places; each row names its source. Sources:
//! **VS** HL7 FHIR R4 vital-signs profiles · **PoCD** HL7 Point-of-Care Device IG 1.0.0-ballot · **SDPi** IHE SDPi 1.x examples ·
//! **MII** Medizininformatik-Initiative ICU module · **N** ISO/IEEE 11073-10101:2020 nomenclature as quoted in public tables, one source only.

use std::fmt;

/// A 32-bit MDC code: `partition × 65536 + term`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u32);

/// Numeric or waveform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Single numbers.
    Numeric,
    /// Evenly spaced samples.
    Waveform,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// Its reference identifier, `MDC_…`.
    pub reference_id: &'static str,
    /// Numeric or waveform.
    pub kind: Kind,
    /// LOINC code, if one is agreed.
    pub loinc: Option<&'static str>,
    /// Unit, UCUM case-sensitive.
    pub ucum: &'static str,
    /// The unit as a nurse reads it.
    pub unit_shown: &'static str,
    /// Short label on a monitor, the same in German and English.
    pub label: &'static str,
    /// Full name, English.
    pub name_en: &'static str,
    /// Full name, German.
    pub name_de: &'static str,
    /// Where the mapping was read.
    pub source: &'static str,
}

impl Code {
    /// From the number; any number is a code, whether this table knows it or not.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// What the table says, if it knows the code.
    #[must_use]
    pub fn info(self) -> Option<&'static CodeInfo> {
        TABLE.binary_search_by_key(&self, |row| row.code).ok().and_then(|at| TABLE.get(at))
    }

    /// Looks a reference identifier up, `MDC_…`, exactly.
    #[must_use]
    pub fn by_reference_id(reference_id: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.reference_id == reference_id).map(|row| row.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(info) => f.write_str(info.reference_id),
            None => write!(f, "MDC {}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

macro_rules! table {
    ($($name:ident = $number:literal $reference:literal $kind:ident $loinc:expr, $ucum:literal $shown:literal $label:literal $en:literal $de:literal $source:literal;)*) => {
        impl Code {
            $(
                #[doc = concat!("`", $reference, "`: ", $en, ".")]
                pub const $name: Self = Self($number);
            )*
        }

        /// All codes known here, by number.
        pub static TABLE: &[CodeInfo] = &[
            $(CodeInfo {
                code: Code($number), reference_id: $reference, kind: Kind::$kind, loinc: $loinc, ucum: $ucum, unit_shown: $shown,
                label: $label, name_en: $en, name_de: $de, source: $source,
            },)*
        ];
    };
}

table! {
    ECG_LEAD_UNKNOWN = 131328 "MDC_ECG_ELEC_POTL" Waveform None, "mV" "mV" "ECG" "ECG, lead not stated" "EKG, Ableitung nicht angegeben" "PoCD";
    ECG_LEAD_I = 131329 "MDC_ECG_ELEC_POTL_I" Waveform None, "mV" "mV" "I" "ECG lead I" "EKG Ableitung I" "PoCD";
    ECG_LEAD_II = 131330 "MDC_ECG_ELEC_POTL_II" Waveform None, "mV" "mV" "II" "ECG lead II" "EKG Ableitung II" "PoCD";
    ECG_LEAD_V1 = 131331 "MDC_ECG_ELEC_POTL_V1" Waveform None, "mV" "mV" "V1" "ECG lead V1" "EKG Ableitung V1" "PoCD";
    ECG_LEAD_V2 = 131332 "MDC_ECG_ELEC_POTL_V2" Waveform None, "mV" "mV" "V2" "ECG lead V2" "EKG Ableitung V2" "PoCD";
    ECG_LEAD_V3 = 131333 "MDC_ECG_ELEC_POTL_V3" Waveform None, "mV" "mV" "V3" "ECG lead V3" "EKG Ableitung V3" "PoCD";
    ECG_LEAD_V4 = 131334 "MDC_ECG_ELEC_POTL_V4" Waveform None, "mV" "mV" "V4" "ECG lead V4" "EKG Ableitung V4" "PoCD";
    ECG_LEAD_V5 = 131335 "MDC_ECG_ELEC_POTL_V5" Waveform None, "mV" "mV" "V5" "ECG lead V5" "EKG Ableitung V5" "PoCD";
    ECG_LEAD_V6 = 131336 "MDC_ECG_ELEC_POTL_V6" Waveform None, "mV" "mV" "V6" "ECG lead V6" "EKG Ableitung V6" "PoCD";
    ECG_LEAD_III = 131389 "MDC_ECG_ELEC_POTL_III" Waveform None, "mV" "mV" "III" "ECG lead III" "EKG Ableitung III" "PoCD";
    ECG_LEAD_AVR = 131390 "MDC_ECG_ELEC_POTL_AVR" Waveform None, "mV" "mV" "aVR" "ECG lead aVR" "EKG Ableitung aVR" "PoCD";
    ECG_LEAD_AVL = 131391 "MDC_ECG_ELEC_POTL_AVL" Waveform None, "mV" "mV" "aVL" "ECG lead aVL" "EKG Ableitung aVL" "PoCD";
    ECG_LEAD_AVF = 131392 "MDC_ECG_ELEC_POTL_AVF" Waveform None, "mV" "mV" "aVF" "ECG lead aVF" "EKG Ableitung aVF" "PoCD";
    ECG_HEART_RATE = 147842 "MDC_ECG_HEART_RATE" Numeric Some("8867-4"), "/min" "/min" "HR" "heart rate" "Herzfrequenz" "VS, PoCD";
    PULS_RATE = 149514 "MDC_PULS_RATE" Numeric Some("8867-4"), "/min" "/min" "PR" "pulse rate" "Pulsfrequenz" "PoCD";
    PULS_OXIM_PULS_RATE = 149530 "MDC_PULS_OXIM_PULS_RATE" Numeric Some("8889-8"), "/min" "/min" "PR" "pulse rate by oximeter" "Pulsfrequenz, oximetrisch" "N";
    PRESS_BLD_SYS = 150017 "MDC_PRESS_BLD_SYS" Numeric Some("8480-6"), "mm[Hg]" "mmHg" "BP sys" "systolic pressure" "systolischer Druck" "VS, PoCD";
    PRESS_BLD_DIA = 150018 "MDC_PRESS_BLD_DIA" Numeric Some("8462-4"), "mm[Hg]" "mmHg" "BP dia" "diastolic pressure" "diastolischer Druck" "VS, PoCD";
    PRESS_BLD_MEAN = 150019 "MDC_PRESS_BLD_MEAN" Numeric Some("8478-0"), "mm[Hg]" "mmHg" "BP mean" "mean pressure" "Mitteldruck" "VS, PoCD";
    PRESS_BLD_NONINV_SYS = 150021 "MDC_PRESS_BLD_NONINV_SYS" Numeric Some("8480-6"), "mm[Hg]" "mmHg" "NIBP sys" "cuff pressure, systolic" "Manschettendruck, systolisch" "VS, PoCD";
    PRESS_BLD_NONINV_DIA = 150022 "MDC_PRESS_BLD_NONINV_DIA" Numeric Some("8462-4"), "mm[Hg]" "mmHg" "NIBP dia" "cuff pressure, diastolic" "Manschettendruck, diastolisch" "VS, PoCD";
    PRESS_BLD_NONINV_MEAN = 150023 "MDC_PRESS_BLD_NONINV_MEAN" Numeric Some("8478-0"), "mm[Hg]" "mmHg" "NIBP mean" "cuff pressure, mean" "Manschettendruck, Mittel" "VS, PoCD";
    PRESS_BLD_ART_ABP = 150036 "MDC_PRESS_BLD_ART_ABP" Waveform None, "mm[Hg]" "mmHg" "ABP" "arterial pressure" "arterieller Druck" "PoCD";
    PRESS_BLD_ART_ABP_SYS = 150037 "MDC_PRESS_BLD_ART_ABP_SYS" Numeric Some("8480-6"), "mm[Hg]" "mmHg" "ABP sys" "arterial pressure, systolic" "arterieller Druck, systolisch" "PoCD, MII";
    PRESS_BLD_ART_ABP_DIA = 150038 "MDC_PRESS_BLD_ART_ABP_DIA" Numeric Some("8462-4"), "mm[Hg]" "mmHg" "ABP dia" "arterial pressure, diastolic" "arterieller Druck, diastolisch" "PoCD, MII";
    PRESS_BLD_ART_ABP_MEAN = 150039 "MDC_PRESS_BLD_ART_ABP_MEAN" Numeric Some("8478-0"), "mm[Hg]" "mmHg" "ABP mean" "arterial pressure, mean" "arterieller Druck, Mittel" "PoCD, MII";
    PRESS_BLD_VEN_CENT = 150084 "MDC_PRESS_BLD_VEN_CENT" Waveform Some("60985-9"), "mm[Hg]" "mmHg" "CVP" "central venous pressure" "zentralvenöser Druck" "PoCD";
    PRESS_BLD_VEN_CENT_MEAN = 150087 "MDC_PRESS_BLD_VEN_CENT_MEAN" Numeric Some("60985-9"), "mm[Hg]" "mmHg" "CVP mean" "central venous pressure, mean" "zentralvenöser Druck, Mittel" "N";
    TEMP = 150344 "MDC_TEMP" Numeric Some("8310-5"), "Cel" "°C" "Temp" "temperature" "Temperatur" "N";
    TEMP_BODY = 150364 "MDC_TEMP_BODY" Numeric Some("8310-5"), "Cel" "°C" "Temp" "body temperature" "Körpertemperatur" "VS, PoCD";
    TEMP_CORE = 150368 "MDC_TEMP_CORE" Numeric Some("8329-5"), "Cel" "°C" "T core" "core temperature" "Kerntemperatur" "PoCD";
    PULS_OXIM_PLETH = 150452 "MDC_PULS_OXIM_PLETH" Waveform None, "1" "·" "Pleth" "plethysmogram" "Plethysmogramm" "PoCD";
    PULS_OXIM_SAT_O2 = 150456 "MDC_PULS_OXIM_SAT_O2" Numeric Some("2708-6"), "%" "%" "SpO2" "oxygen saturation by pulse oximetry" "Sauerstoffsättigung, pulsoxymetrisch" "VS, PoCD";
    BLD_PERF_INDEX = 150488 "MDC_BLD_PERF_INDEX" Numeric Some("61006-3"), "%" "%" "PI" "perfusion index" "Perfusionsindex" "N";
    RESP = 151552 "MDC_RESP" Waveform None, "Ohm" "Ω" "Resp" "respiration by impedance" "Atmung, Impedanz" "PoCD";
    RESP_RATE = 151562 "MDC_RESP_RATE" Numeric Some("9279-1"), "/min" "/min" "RR" "respiration rate" "Atemfrequenz" "VS, PoCD";
    TTHOR_RESP_RATE = 151578 "MDC_TTHOR_RESP_RATE" Numeric Some("9279-1"), "/min" "/min" "RR" "respiration rate by impedance" "Atemfrequenz, Impedanz" "N";
    CO2_RESP_RATE = 151594 "MDC_CO2_RESP_RATE" Numeric Some("9279-1"), "/min" "/min" "RR CO2" "respiration rate by capnography" "Atemfrequenz, Kapnografie" "PoCD";
    CONC_AWAY_CO2 = 151700 "MDC_CONC_AWAY_CO2" Waveform None, "mm[Hg]" "mmHg" "CO2" "airway carbon dioxide" "CO2 in der Atemluft" "SDPi";
    CONC_AWAY_CO2_ET = 151708 "MDC_CONC_AWAY_CO2_ET" Numeric Some("19891-1"), "mm[Hg]" "mmHg" "etCO2" "end-tidal carbon dioxide" "endtidales CO2" "SDPi";
    PRESS_INTRA_CRAN = 153608 "MDC_PRESS_INTRA_CRAN" Numeric Some("60956-0"), "mm[Hg]" "mmHg" "ICP" "intracranial pressure" "intrakranieller Druck" "MII";
    FLOW_FLUID_PUMP = 157784 "MDC_FLOW_FLUID_PUMP" Numeric None, "mL/h" "mL/h" "Rate" "infusion rate" "Infusionsrate" "SDPi";
    VOL_FLUID_TBI_REMAIN = 157872 "MDC_VOL_FLUID_TBI_REMAIN" Numeric None, "mL" "mL" "Remain" "volume left to infuse" "verbleibendes Infusionsvolumen" "N";
    VOL_FLUID_TBI = 157884 "MDC_VOL_FLUID_TBI" Numeric None, "mL" "mL" "VTBI" "volume to be infused" "zu infundierendes Volumen" "N";
    TIME_PD_REMAIN = 157916 "MDC_TIME_PD_REMAIN" Numeric None, "s" "s" "Time left" "time left of infusion" "verbleibende Infusionszeit" "N";
    EVT_ECG_ASYSTOLE = 199684 "MDC_EVT_ECG_ASYSTOLE" Numeric None, "1" "·" "Asystole" "asystole, the monitor's own event: 1 present, 0 over" "Asystolie, Ereignis des Monitors: 1 besteht, 0 vorbei" "DICOM PS3.16 CID 3038 (3:3076)";
    BED_MOVEMENT = 67170305 "OBHUT_BED_MOVEMENT" Numeric None, "%" "%" "Move" "movement in bed, share of the last period" "Bewegung im Bett, Anteil der letzten Periode" "private partition 1024, term 61441; no agreed MDC term";
    BED_OCCUPIED = 67170306 "OBHUT_BED_OCCUPIED" Numeric None, "1" "·" "In bed" "bed occupied, 0 or 1" "Bett belegt, 0 oder 1" "private partition 1024, term 61442; no agreed MDC term";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_unique() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        let mut names: Vec<_> = TABLE.iter().map(|row| row.reference_id).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn a_code_is_partition_and_term() {
        assert_eq!(Code::ECG_HEART_RATE.number(), 2 * 65536 + 16770);
        assert_eq!(Code::by_reference_id("MDC_ECG_HEART_RATE"), Some(Code::ECG_HEART_RATE));
        assert_eq!(Code::by_reference_id("mdc_ecg_heart_rate"), None);
        assert_eq!(Code::BED_MOVEMENT.number(), 1024 * 65536 + 61441);
    }
}
