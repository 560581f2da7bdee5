//! Errors, with Stripe's words, codes and statuses.

use serde_json::{Map, Value, json};

/// An error of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct StripeRefusal {
    /// The HTTP status.
    pub status: u16,
    /// `invalid_request_error`, `card_error`, `idempotency_error`, or `api_error`.
    pub kind: &'static str,
    /// The machine's word for it, if it has one.
    pub code: Option<String>,
    /// The sentence.
    pub message: String,
    /// The parameter that is wrong.
    pub param: Option<String>,
    /// If the error came before the endpoint began to execute: it is not kept under the idempotency key.
    pub(crate) is_validation: bool,
}

impl StripeRefusal {
    /// An error of the given status and type.
    #[must_use]
    pub fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code: None,
            message: message.into(),
            param: None,
            is_validation: false,
        }
    }

    /// A request that Stripe will never take: 400.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// With this code.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }

    /// About this parameter.
    #[must_use]
    pub fn param(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    pub(crate) fn validation(mut self) -> Self {
        self.is_validation = true;
        self
    }

    pub(crate) fn unknown_parameter(name: &str) -> Self {
        Self::invalid(format!("Received unknown parameter: {name}"))
            .code("parameter_unknown")
            .param(name)
            .validation()
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::invalid(format!("Missing required param: {name}."))
            .code("parameter_missing")
            .param(name)
            .validation()
    }

    pub(crate) fn exclusive(names: &str) -> Self {
        Self::invalid(format!(
            "You may only specify one of these parameters: {names}."
        ))
    }

    pub(crate) fn not_simulated(what: &str) -> Self {
        Self::invalid(format!("simulator: {what} is not simulated")).validation()
    }

    /// No object of that id: 404 if the path names it, 400 if a parameter does.
    pub(crate) fn no_such(object: &str, id: &str, param: &str) -> Self {
        Self::new(
            404,
            "invalid_request_error",
            format!("No such {object}: '{id}'"),
        )
        .code("resource_missing")
        .param(param)
    }

    pub(crate) fn in_parameter(mut self) -> Self {
        self.status = 400;
        self
    }

    pub(crate) fn body(&self, request_id: &str) -> Value {
        let mut error = Map::new();
        error.insert("type".into(), json!(self.kind));
        error.insert("message".into(), json!(self.message));
        if let Some(code) = &self.code {
            let doc = code.replace('_', "-");
            error.insert("code".into(), json!(code));
            error.insert(
                "doc_url".into(),
                json!(format!("https://stripe.com/docs/error-codes/{doc}")),
            );
        }
        if let Some(param) = &self.param {
            error.insert("param".into(), json!(param));
        }
        error.insert(
            "request_log_url".into(),
            json!(format!(
                "https://dashboard.stripe.com/logs/{request_id}?t=0"
            )),
        );
        json!({"error": error})
    }
}
