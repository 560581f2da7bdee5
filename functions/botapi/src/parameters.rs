//! The parameters of a call, in all the forms that libraries use, together: query, form, JSON, form in parts.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::answer::BotApiRefusal;
use crate::parts::{self, FormPart};

/// The parameters of a call, and its files.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct CallParameters {
    /// By name, as text or as JSON.
    pub(crate) fields: Map<String, Value>,
    /// The files, by the names of their parts.
    pub(crate) files: Vec<FormPart>,
}

impl CallParameters {
    /// Reads them; the body wins where both name one.
    pub(crate) fn read(request: &Request<Bytes>) -> Result<Self, BotApiRefusal> {
        let mut read = Self::default();
        read.take_pairs(request.uri().query().unwrap_or_default().as_bytes());
        let body = request.body();
        if body.is_empty() {
            return Ok(read);
        }
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => {
                let object = serde_json::from_slice::<Map<String, Value>>(body);
                let malformed = |_| BotApiRefusal::new(400, "Bad Request: can't parse JSON object");
                read.fields.extend(object.map_err(malformed)?);
            }
            "application/x-www-form-urlencoded" => read.take_pairs(body),
            "multipart/form-data" => {
                let parts = parts::boundary(kind).and_then(|boundary| parts::read(body, boundary));
                let malformed = || BotApiRefusal::new(400, "Bad Request: can't parse the form");
                read.take_parts(parts.ok_or_else(malformed)?);
            }
            // As at Telegram: a body of another kind holds no parameters.
            _ => {}
        }
        Ok(read)
    }

    fn take_pairs(&mut self, pairs: &[u8]) {
        for (name, value) in form_urlencoded::parse(pairs) {
            let value = Value::String(value.into_owned());
            self.fields.insert(name.into_owned(), value);
        }
    }

    fn take_parts(&mut self, parts: Vec<FormPart>) {
        for part in parts {
            if part.file_name.is_some() {
                self.files.push(part);
            } else {
                let text = String::from_utf8_lossy(&part.content).into_owned();
                self.fields.insert(part.name, Value::String(text));
            }
        }
    }

    /// A whole number, if it is there and is one.
    pub(crate) fn whole_number(&self, name: &str) -> Option<i64> {
        self.fields
            .get(name)
            .and_then(domain::actor::passing::number)
    }

    /// A text, if it is there and is one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        match self.fields.get(name) {
            Some(Value::Bool(is_on)) => *is_on,
            Some(Value::String(text)) => {
                matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1")
            }
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// A list of texts, as JSON or as a text that is JSON; nothing if it is not there.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, BotApiRefusal> {
        let malformed = || BotApiRefusal::new(400, format!("Bad Request: can't parse {name}"));
        let list = match self.fields.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| malformed())?,
            Some(value) => value.clone(),
        };
        match list {
            Value::Null => Ok(None),
            Value::Array(values) => {
                let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Some).ok_or_else(malformed)
            }
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(query: &str, kind: &str, body: &str) -> CallParameters {
        let request = Request::post(format!("/bot1:x/sendMessage?{query}"))
            .header(CONTENT_TYPE, kind)
            .body(Bytes::from(body.to_owned()));
        CallParameters::read(&request.unwrap()).unwrap()
    }

    #[test]
    fn all_forms_say_the_same() {
        let expected = json!({"chat_id": "7", "text": "a b&c"});
        let parts = "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na b&c\r\n--x--";
        for (query, kind, body) in [
            ("chat_id=7&text=a+b%26c", "", ""),
            (
                "chat_id=7",
                "application/x-www-form-urlencoded; charset=UTF-8",
                "text=a+b%26c",
            ),
            (
                "chat_id=7",
                "application/json; charset=utf-8",
                r#"{"text":"a b&c"}"#,
            ),
            (
                "text=lost&chat_id=7",
                "Application/JSON",
                r#"{"text":"a b&c"}"#,
            ),
            ("chat_id=7", "multipart/form-data; boundary=x", parts),
        ] {
            let read = read(query, kind, body);
            assert_eq!(Value::Object(read.fields), expected, "{kind} {body}");
        }
    }

    #[test]
    fn a_part_with_a_file_name_is_a_file() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\n\r\nJPEG\r\n--x--";
        let read = read("", "multipart/form-data; boundary=x", body);
        assert!(read.fields.is_empty());
        assert_eq!(&read.files[0].content[..], b"JPEG");
    }

    #[test]
    fn numbers_switches_and_lists_are_read_from_text_and_from_json() {
        let given = read(
            "a=7&b=true&c=%5B%22message%22%5D&d=x&e=",
            "application/json",
            r#"{"n":7,"t":true,"l":["message"],"o":{}}"#,
        );
        assert_eq!(
            (
                given.whole_number("a"),
                given.whole_number("n"),
                given.whole_number("d")
            ),
            (Some(7), Some(7), None)
        );
        assert!(given.is_on("b") && given.is_on("t") && !given.is_on("d") && !given.is_on("z"));
        let list = Some(vec!["message".to_owned()]);
        assert_eq!(
            (given.texts("c").unwrap(), given.texts("l").unwrap()),
            (list.clone(), list)
        );
        assert_eq!(given.texts("e").unwrap(), None);
        assert!(given.texts("d").is_err() && given.texts("o").is_err());
    }
}
