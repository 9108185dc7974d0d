//! How types of the vocabulary, which has no formats of its own, are written in a snapshot: codes as numbers, quality as its byte, maps with
//! structured keys as lists of pairs.

pub(crate) mod code {
    use obhut_model::Code;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes by reference")]
    pub(crate) fn serialize<S: Serializer>(code: &Code, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u32(code.number())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Code, D::Error> {
        u32::deserialize(d).map(Code::new)
    }
}

pub(crate) mod some_code {
    use obhut_model::Code;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes by reference")]
    pub(crate) fn serialize<S: Serializer>(code: &Option<Code>, s: S) -> Result<S::Ok, S::Error> {
        code.map(Code::number).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Code>, D::Error> {
        Ok(Option::<u32>::deserialize(d)?.map(Code::new))
    }
}

pub(crate) mod codes {
    use obhut_model::Code;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(codes: &[Code], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(codes.iter().map(|code| code.number()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Code>, D::Error> {
        Ok(Vec::<u32>::deserialize(d)?.into_iter().map(Code::new).collect())
    }
}

pub(crate) mod quality {
    use obhut_model::Quality;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes by reference")]
    pub(crate) fn serialize<S: Serializer>(quality: &Quality, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u8(quality.bits())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Quality, D::Error> {
        Quality::from_bits(u8::deserialize(d)?).ok_or_else(|| D::Error::custom("unknown quality flags"))
    }
}

pub(crate) mod decimal {
    use obhut_model::Decimal;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes by reference")]
    pub(crate) fn serialize<S: Serializer>(decimal: &Decimal, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(decimal)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Decimal, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// A map as a list of pairs, for formats whose keys must be texts.
pub(crate) mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(crate) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, K, V, D>(d: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(d)?.into_iter().collect())
    }
}
