//! What a call brings along: the fields of its body and of its query, checked.

use serde_json::{Map, Value};

use super::coin::Coin;
use super::decimal::Decimal;
use super::refusal::Refusal;

/// The longest text of a field.
const LONGEST_TEXT: usize = 1_000;

/// The fields of a JSON body, or of a query as texts.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of_body(body: &Value) -> Result<Self, Refusal> {
        let fields = body.as_object().cloned();
        Ok(Self(fields.ok_or_else(|| {
            Refusal::bad_request("the body must be a JSON object")
        })?))
    }

    pub(super) fn of_query(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let pairs = pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())));
        Self(pairs.collect())
    }

    /// Refuses fields that there aren't, which the service would ignore or refuse; a slip can't pass.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(Refusal::bad_request(format!(
                "simulator: {name} is not allowed"
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text; a number is one too.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let text = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(Refusal::bad_request(format!("{name} must be a string"))),
        };
        if text.chars().count() > LONGEST_TEXT {
            return Err(Refusal::bad_request(format!("{name} is too long")));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        let text = self.text(name)?;
        text.ok_or_else(|| Refusal::bad_request(format!("{name} is required")))
    }

    pub(super) fn url(&self, name: &str) -> Result<Option<String>, Refusal> {
        let url = self.text(name)?;
        let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if url.as_ref().is_some_and(|url| !is_url(url)) {
            return Err(Refusal::bad_request(format!("{name} must be a valid uri")));
        }
        Ok(url)
    }

    /// An amount above zero, as a number or as text.
    pub(super) fn amount(&self, name: &str) -> Result<Decimal, Refusal> {
        let amount = Decimal::parse(&self.required(name)?).filter(|amount| !amount.is_zero());
        amount.ok_or_else(|| Refusal::bad_request(format!("{name} must be a positive number")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Refusal::bad_request(format!("{name} must be a boolean"))),
        }
    }

    pub(super) fn number(&self, name: &str, or: usize) -> Result<usize, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(or);
        };
        let number = text.parse();
        number.map_err(|_| Refusal::bad_request(format!("{name} must be a number")))
    }

    pub(super) fn coin(&self, name: &str) -> Result<&'static Coin, Refusal> {
        coin(&self.required(name)?)
    }
}

/// The coin of this ticker.
pub(super) fn coin(code: &str) -> Result<&'static Coin, Refusal> {
    Coin::find(code).ok_or_else(|| Refusal::bad_request(format!("Currency {code} was not found")))
}
