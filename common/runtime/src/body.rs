//! The body of a call: its size, and the JSON object that it must be.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use domain::text::{object, without_mark};

use crate::response::Rejection;

/// The largest body that is read, in bytes.
pub const BODY_MAX_BYTES: usize = 64 * 1024;

/// Looks at the size alone.
///
/// # Errors
/// [`Rejection::TooLarge`].
pub const fn check_size(body: &[u8]) -> Result<(), Rejection> {
    if body.len() > BODY_MAX_BYTES {
        return Err(Rejection::TooLarge);
    }
    Ok(())
}

/// The fields of a body that must have some.
///
/// # Errors
/// [`Rejection::InvalidJson`] if it is not a JSON object.
pub fn fields(body: &[u8]) -> Result<Map<String, Value>, Rejection> {
    object(body).ok_or(Rejection::InvalidJson)
}

/// Reads what a call asks for. An empty body is an object without fields.
///
/// # Errors
/// [`Rejection::TooLarge`], [`Rejection::InvalidJson`], and [`Rejection::InvalidParameter`] if a field is missing or wrong.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    check_size(body)?;
    let fields = match without_mark(body).trim_ascii() {
        [] => Map::new(),
        body => serde_json::from_slice(body).map_err(|_| Rejection::InvalidJson)?,
    };
    serde_json::from_value(Value::Object(fields)).map_err(|_| Rejection::InvalidParameter)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Asked {
        number: Option<u32>,
    }

    #[test]
    fn an_empty_body_asks_for_nothing_and_a_wrong_one_is_refused_by_what_is_wrong() {
        for body in ["", " ", "\u{feff}", "{}", r#"{"number": null, "x": 1}"#] {
            assert_eq!(read(body.as_bytes()), Ok(Asked { number: None }), "{body}");
        }
        for (body, refusal) in [
            ("[]", Rejection::InvalidJson),
            ("7", Rejection::InvalidJson),
            ("{", Rejection::InvalidJson),
            ("\u{feff}\u{feff}{}", Rejection::InvalidJson),
            (r#"{"number": -1}"#, Rejection::InvalidParameter),
        ] {
            assert_eq!(read::<Asked>(body.as_bytes()), Err(refusal), "{body}");
        }
        let large = " ".repeat(BODY_MAX_BYTES + 1);
        assert_eq!(read::<Asked>(large.as_bytes()), Err(Rejection::TooLarge));
    }
}
