//! Single values.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::duration;
use crate::Secret;

/// A type that one value of a configuration can have.
///
/// Values from the environment are text; numbers and switches are read from text too.
pub trait FromConfigValue: Sized {
    /// What is expected, for messages: `a duration such as "90s"`.
    const EXPECTED: &'static str;

    /// Whether values must not be shown.
    const SECRET: bool = false;

    /// Reads a value; the error says what is wrong with it beyond its type, or nothing.
    ///
    /// # Errors
    /// If the value is not what is expected.
    fn from_value(value: &Value) -> Result<Self, String>;
}

fn wrong<T>() -> Result<T, String> {
    Err(String::new())
}

impl FromConfigValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &Value) -> Result<Self, String> {
        value.as_str().map_or_else(wrong, |text| Ok(text.to_owned()))
    }
}

impl FromConfigValue for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn from_value(value: &Value) -> Result<Self, String> {
        value.as_str().filter(|text| !text.is_empty()).map_or_else(wrong, |text| Ok(text.into()))
    }
}

impl FromConfigValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_value(value: &Value) -> Result<Self, String> {
        match (value, value.as_str()) {
            (Value::Bool(flag), _) => Ok(*flag),
            (_, Some("true")) => Ok(true),
            (_, Some("false")) => Ok(false),
            _ => wrong(),
        }
    }
}

macro_rules! numbers {
    ($($type:ty, $expected:literal, $read:ident;)*) => {$(
        impl FromConfigValue for $type {
            const EXPECTED: &'static str = $expected;

            fn from_value(value: &Value) -> Result<Self, String> {
                if let Some(text) = value.as_str() {
                    return text.trim().parse().or_else(|_| wrong());
                }
                value.$read().and_then(|number| Self::try_from(number).ok()).map_or_else(wrong, Ok)
            }
        }
    )*};
}

numbers! {
    u16, "a whole number from 0 to 65535", as_u64;
    u32, "a whole number from 0 to 4294967295", as_u64;
    u64, "a whole number, zero or more", as_u64;
    usize, "a whole number, zero or more", as_u64;
    i64, "a whole number", as_i64;
}

impl FromConfigValue for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_value(value: &Value) -> Result<Self, String> {
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|number| number.is_finite()).map_or_else(wrong, Ok)
    }
}

impl FromConfigValue for Duration {
    const EXPECTED: &'static str = "a duration such as \"90s\", \"15m\" or \"1h30m\"";

    fn from_value(value: &Value) -> Result<Self, String> {
        value.as_str().and_then(duration::parse).map_or_else(wrong, Ok)
    }
}

/// The text itself, or `${env:NAME}` or `${file:PATH}` for where it lies. A final line break is cut.
impl FromConfigValue for Secret {
    const EXPECTED: &'static str = "text, \"${env:NAME}\" or \"${file:PATH}\"";
    const SECRET: bool = true;

    fn from_value(value: &Value) -> Result<Self, String> {
        let Some(text) = value.as_str() else { return wrong() };
        let Some(reference) = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')) else {
            return Ok(Self::new(text));
        };
        match reference.split_once(':') {
            Some(("env", name)) => {
                std::env::var(name).map(Self::new).map_err(|_| format!("the variable {name} is not set"))
            }
            Some(("file", path)) => std::fs::read_to_string(path)
                .map(|text| Self::new(text.trim_end_matches(['\n', '\r'])))
                .map_err(|error| format!("the file {path} cannot be read: {error}")),
            _ => wrong(),
        }
    }
}

impl<T: FromConfigValue> FromConfigValue for Vec<T> {
    const EXPECTED: &'static str = "a list";
    const SECRET: bool = T::SECRET;

    fn from_value(value: &Value) -> Result<Self, String> {
        let Some(values) = value.as_array() else { return wrong() };
        let item = |(index, value)| {
            T::from_value(value).map_err(|_: String| format!("item {index} is not {}", T::EXPECTED))
        };
        values.iter().enumerate().map(item).collect()
    }
}
