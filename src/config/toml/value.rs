//! Values of `vipd.toml` that are more than a number, a text or a switch.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

/// A value with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Range<usize>,
}

impl<T> std::ops::Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(from)?;
        let place = spanned.span();
        let value = spanned.into_inner();
        Ok(Self { value, place })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Tables by name, in the order of the file.
#[derive(Debug, Clone)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Tables<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Tables<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with a name, such as `[instance.web]`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut tables = Vec::new();
                while let Some(name) = map.next_key::<At<String>>()? {
                    tables.push((name, map.next_value()?));
                }
                tables.sort_by_key(|(name, _)| name.place.start);
                Ok(Named(tables))
            }
        }
        from.deserialize_map(Tables(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": inner })
    }
}

/// A whole number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(pub(super) i64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, without quotes")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number))
            }
        }
        from.deserialize_i64(Whole)
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

/// A version by its number, or both.
#[derive(Debug, Clone, Copy)]
pub(super) enum Versions {
    One(i64),
    Both,
}

impl Versions {
    /// Whether it is both.
    pub(super) const fn is_both(self) -> bool {
        matches!(self, Self::Both)
    }

    /// The number of the newest that is spoken.
    pub(super) fn newest(self) -> String {
        match self {
            Self::One(number) => number.to_string(),
            Self::Both => "3".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Versions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("2, 3 or \"both\"")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Versions, E> {
                Ok(Versions::One(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Versions, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                (text == "both").then_some(Versions::Both).ok_or_else(wrong)
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for Versions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Versions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": [2, 3, "both"] })
    }
}

/// A length of time in millionths of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) u64);

/// The units of a time, in millionths of a second. `ms` and `us` stand before `s`.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1_000),
    ("us", 1),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
];

impl Time {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
            return None;
        }
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = fraction.parse::<u64>().ok()?.checked_mul(unit)?;
        let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
        (part % scale == 0).then_some(())?;
        whole.checked_add(part / scale).map(Self)
    }

    /// In seconds, as keepalived writes it.
    pub(super) fn seconds(self) -> String {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let text = format!("{whole}.{rest:06}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// The shortest way to write it.
    pub(super) fn text(self) -> String {
        match self.0 {
            micros if micros % 1_000_000 == 0 => format!("{}s", micros / 1_000_000),
            micros if micros % 1_000 == 0 => format!("{}ms", micros / 1_000),
            micros => format!("{micros}us"),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with its unit, such as \"1s\" or \"100ms\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                Time::parse(text).ok_or_else(wrong)
            }
        }
        from.deserialize_str(Text)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]{1,6})?(us|ms|s|m|h)$",
            "description": "A length of time with its unit: us, ms, s, m or h.",
            "examples": ["1s", "100ms"]
        })
    }
}

/// A text, or a table that says more.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(super) enum TextOr<T> {
    Text(String),
    Table(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = TextOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, or a table in braces")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TextOr<T>, E> {
                Ok(TextOr::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextOr<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Table)
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

/// True or false, or a table that says more than true.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(super) enum SwitchOr<T> {
    Switch(bool),
    Table(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for SwitchOr<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = SwitchOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a table in braces")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<SwitchOr<T>, E> {
                Ok(SwitchOr::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SwitchOr<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(SwitchOr::Table)
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

/// A text, or a list of them.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = OneOrMore;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMore, E> {
        Ok(OneOrMore::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrMore, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMore::More)
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Texts)
    }
}

/// A program: a line that is split at blanks, or its words, or a table with `command` and
/// `user`.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Program {
    Words(OneOrMore),
    As(ProgramAs),
}

/// A program with the user that runs it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramAs {
    /// The program and its arguments.
    pub(super) command: OneOrMore,
    /// `USER` or `USER:GROUP`; `script_user` of `[global]` when absent.
    pub(super) user: Option<String>,
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        texts_or_table(from, Self::Words, Self::As)
    }
}

/// A text, a list of texts or a table, and what to make of it.
pub(super) fn texts_or_table<'de, T, V, D>(
    from: D,
    texts: fn(OneOrMore) -> V,
    table: fn(T) -> V,
) -> Result<V, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Any<T, V>(fn(OneOrMore) -> V, fn(T) -> V);
    impl<'de, T: Deserialize<'de>, V> Visitor<'de> for Any<T, V> {
        type Value = V;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a command in quotes, a list of its words, or a table in braces")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<V, E> {
            Texts.visit_str(text).map(self.0)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V, A::Error> {
            Texts.visit_seq(list).map(self.0)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(self.1)
        }
    }
    from.deserialize_any(Any(texts, table))
}

/// A password or key, or where it is kept.
pub(super) type Secret = TextOr<SecretIn>;

/// Where a password or key is kept; one of the three.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretIn {
    /// Name of an environment variable.
    pub(super) env: Option<String>,
    /// Path of a file; blanks and line breaks at its end do not count.
    pub(super) file: Option<String>,
    /// Name of a systemd credential: a file in `$CREDENTIALS_DIRECTORY`.
    pub(super) credential: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        let micros = |text| Time::parse(text).map(|t| t.0);
        assert_eq!(micros("1s"), Some(1_000_000));
        assert_eq!(micros("100ms"), Some(100_000));
        assert_eq!(micros("1.5s"), Some(1_500_000));
        assert_eq!(micros("0.25ms"), Some(250));
        assert_eq!(micros("2m"), Some(120_000_000));
        for bad in [
            "",
            "1",
            "s",
            "1 s",
            "-1s",
            "1.s",
            ".5s",
            "0.0000001s",
            "0.5us",
            "99999999999999999999s",
        ] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_is_written_with_the_largest_unit_that_fits() {
        for text in ["1s", "1500ms", "10ms", "1us", "0s"] {
            assert_eq!(Time::parse(text).map(Time::text).as_deref(), Some(text));
        }
        assert_eq!(Time(1_500_000).seconds(), "1.5");
        assert_eq!(Time(0).seconds(), "0");
    }
}
