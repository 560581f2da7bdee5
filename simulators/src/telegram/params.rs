//! The parameters of a request: query string, form, and JSON body, merged into one map as text or JSON values.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Reads the query and the body; the body wins where both name a parameter.
pub(crate) fn read(
    query: Option<&str>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Map<String, Value>, Refusal> {
    let mut params = Map::new();
    params.extend(pairs(query.unwrap_or_default()));
    if body.is_empty() {
        return Ok(params);
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_lowercase()
        .as_str()
    {
        "application/json" => {
            let object: Map<String, Value> = serde_json::from_slice(body)
                .map_err(|_| Refusal::bad_request("can't parse JSON object"))?;
            params.extend(object);
        }
        "application/x-www-form-urlencoded" => params.extend(pairs(&String::from_utf8_lossy(body))),
        "multipart/form-data" => {
            return Err(Refusal::bad_request(
                "simulator: multipart bodies are not simulated",
            ));
        }
        // Telegram takes no parameters from a body of any other type: they would be missing in silence.
        other => {
            return Err(Refusal::bad_request(format!(
                "simulator: unsupported content type {other:?}"
            )));
        }
    }
    Ok(params)
}

fn pairs(encoded: &str) -> impl Iterator<Item = (String, Value)> {
    encoded
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), Value::String(decode(value)))
        })
}

fn decode(encoded: &str) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
