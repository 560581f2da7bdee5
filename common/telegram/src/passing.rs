//! Calls that are passed on for others: the answer comes back as Telegram gave it.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use domain::actor::seal::FileSealer;
use domain::fault::{Fault, Refusal, classify};
use runtime::http::{Answer, Outgoing};
use runtime::transport::CallError;
use runtime::{secrets, trace};

use super::{Telegram, TelegramError};

/// The longest wait for a call with a file.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(50);
/// The largest answer of a method, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;
/// The largest file, in bytes: Telegram gives bots no larger ones (Bot API, `getFile`).
const FILE_MAX_BYTES: usize = 20 * 1024 * 1024;

/// The parameters of a call that is passed on.
pub enum PassedBody {
    /// As JSON.
    Json(Vec<u8>),
    /// As a form with files, in parts.
    Parts {
        /// The content type, which names the boundary.
        content_type: String,
        /// The parts.
        body: Vec<u8>,
    },
}

/// What Telegram answered.
#[derive(Debug)]
pub struct PassedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The result as Telegram wrote it; nothing if it refused.
    pub result: Option<Box<RawValue>>,
    /// Telegram's words, if it refused.
    pub description: Option<String>,
    /// The wait that it asked for, if it did.
    pub retry_after: Option<Duration>,
    /// The id of the supergroup that the chat has become.
    pub migrated_to: Option<i64>,
}

#[derive(Deserialize)]
struct AnswerFields {
    ok: bool,
    result: Option<Box<RawValue>>,
    description: Option<String>,
    parameters: Option<AnswerParameters>,
}

#[derive(Default, Deserialize)]
struct AnswerParameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Telegram {
    /// What the paths of the bot's files are sealed with for actors.
    #[must_use]
    pub fn file_sealer(&self) -> Option<FileSealer> {
        FileSealer::new(self.token.expose_secret())
    }

    /// Passes a call on. A refusal of Telegram's is an answer.
    ///
    /// # Errors
    /// [`TelegramError`] if there is no answer of the Bot API; by its [`Fault`] the effect may have happened. A 401 is one,
    /// too: our token is refused, which is no caller's fault.
    pub async fn pass_on(
        &self,
        method: &'static str,
        body: PassedBody,
    ) -> Result<PassedAnswer, TelegramError> {
        let (content_type, body, timeout) = match body {
            PassedBody::Json(body) => ("application/json".to_owned(), body, super::CALL_TIMEOUT),
            PassedBody::Parts { content_type, body } => (content_type, body, UPLOAD_TIMEOUT),
        };
        let content_type = HeaderValue::try_from(content_type);
        let content_type = content_type.map_err(|error| TelegramError::Unreachable {
            method,
            source: Box::new(error),
        })?;
        let url = format!("{}/bot{}/{method}", self.base, self.token.expose_secret());
        let call = self.http.send(Outgoing {
            method: Method::POST,
            url: &url,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
            body,
            timeout,
            answer_max_bytes: ANSWER_MAX_BYTES,
        });
        let answer = trace::call("Telegram", method, call, |answer| answer.status);
        let answer = answer.await.map_err(|error| failed(method, error))?;
        read(method, &answer)
    }

    /// The file at `path`, a path that `getFile` answered; nothing if Telegram does not have it.
    ///
    /// # Errors
    /// [`TelegramError`] if it does not come.
    pub async fn file(&self, path: &str) -> Result<Option<Bytes>, TelegramError> {
        let method = "file";
        let url = format!(
            "{}/file/bot{}/{path}",
            self.base,
            self.token.expose_secret()
        );
        let call = self.http.send(Outgoing {
            method: Method::GET,
            url: &url,
            headers: HeaderMap::new(),
            body: Vec::new(),
            timeout: UPLOAD_TIMEOUT,
            answer_max_bytes: FILE_MAX_BYTES,
        });
        let answer = trace::call("Telegram", method, call, |answer| answer.status);
        let answer = answer.await.map_err(|error| failed(method, error))?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            400 | 404 | 410 => Ok(None),
            status => Err(TelegramError::Garbled { method, status }),
        }
    }
}

fn failed(method: &'static str, error: CallError) -> TelegramError {
    match error {
        CallError::NotSent(source) => TelegramError::Unreachable { method, source },
        CallError::NoAnswer(source) => TelegramError::NoAnswer { method, source },
        CallError::TooLarge { status } => TelegramError::Garbled { method, status },
    }
}

fn read(method: &'static str, answer: &Answer) -> Result<PassedAnswer, TelegramError> {
    let status = answer.status;
    let retry_after = answer.retry_after();
    if status == 401 {
        secrets::refused();
        return Err(TelegramError::Garbled { method, status });
    }
    let fields = match serde_json::from_slice::<AnswerFields>(&answer.body) {
        Ok(fields) => fields,
        // A proxy before Telegram speaks HTML; its 429 is a rate limit all the same.
        Err(_) if status == 429 => AnswerFields {
            ok: false,
            result: None,
            description: Some("Too Many Requests".to_owned()),
            parameters: None,
        },
        Err(_) => return Err(TelegramError::Garbled { method, status }),
    };
    let parameters = fields.parameters.unwrap_or_default();
    let description = fields.description.unwrap_or_default();
    let fault = classify(Refusal {
        status,
        description: &description,
        retry_after: parameters.retry_after.or(retry_after),
        migrate_to_chat_id: parameters.migrate_to_chat_id,
    });
    let retry_after = match fault {
        Fault::RateLimited { after } if !fields.ok => Some(after),
        _ => None,
    };
    Ok(PassedAnswer {
        status,
        result: fields.result.filter(|_| fields.ok),
        description: (!fields.ok).then_some(description),
        retry_after,
        migrated_to: parameters.migrate_to_chat_id,
    })
}
