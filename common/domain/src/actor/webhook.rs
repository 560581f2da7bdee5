//! Where an actor's updates are sent that does not ask for them, as `setWebhook` takes it.

use std::fmt;

/// How many updates are under way at once if nothing else is asked for (Bot API, `setWebhook`).
const CONNECTIONS: u32 = 40;
/// The most that may be asked for.
const CONNECTIONS_MAX: u32 = 100;
/// The longest URL, in bytes.
const URL_MAX: usize = 2048;
/// The longest secret.
const SECRET_MAX: usize = 256;

/// An actor's webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct ActorWebhook {
    /// Where updates go.
    pub url: String,
    /// What is shown there, in `X-Telegram-Bot-Api-Secret-Token`.
    pub secret: Option<String>,
    /// How many updates are under way at once, at most.
    pub max_connections: u32,
}

/// Without the secret; the URL may hold one as well.
impl fmt::Debug for ActorWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorWebhook(…, {} at once)", self.max_connections)
    }
}

/// Why a webhook is refused, in Telegram's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookRefusal {
    /// The URL is none of https.
    Url,
    /// The secret is too long, or has other characters.
    Secret,
    /// So many connections can't be had.
    Connections,
}

impl WebhookRefusal {
    /// The description of the answer.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Url => "Bad Request: bad webhook: An HTTPS URL must be provided for webhook",
            Self::Secret => "Bad Request: secret token contains unallowed characters",
            Self::Connections => "Bad Request: bad webhook: max_connections must be from 1 to 100",
        }
    }
}

impl ActorWebhook {
    /// The webhook that is asked for. `takes_http` is whether a plain `http` URL is taken, as on one machine.
    ///
    /// # Errors
    /// [`WebhookRefusal`]. Where a URL leads is judged when it is called.
    pub fn ask(
        url: &str,
        secret: Option<&str>,
        max_connections: Option<i64>,
        takes_http: bool,
    ) -> Result<Self, WebhookRefusal> {
        let rest = url.strip_prefix("https://");
        let rest = rest.or_else(|| url.strip_prefix("http://").filter(|_| takes_http));
        let is_url = url.len() <= URL_MAX
            && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && url.chars().all(|c| c.is_ascii_graphic());
        if !is_url {
            return Err(WebhookRefusal::Url);
        }
        let secret = secret.filter(|secret| !secret.is_empty());
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if secret.is_some_and(|secret| secret.len() > SECRET_MAX || !secret.chars().all(is_part)) {
            return Err(WebhookRefusal::Secret);
        }
        let asked = max_connections.unwrap_or(i64::from(CONNECTIONS));
        let max_connections = u32::try_from(asked)
            .ok()
            .filter(|number| (1..=CONNECTIONS_MAX).contains(number))
            .ok_or(WebhookRefusal::Connections)?;
        Ok(Self {
            url: url.to_owned(),
            secret: secret.map(str::to_owned),
            max_connections,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_taken_as_telegram_takes_it() {
        let ask = |url, secret, connections| ActorWebhook::ask(url, secret, connections, false);
        let taken = ask("https://crm.example/hook?x=1", Some("s_-1"), None).unwrap();
        assert_eq!(taken.max_connections, 40);
        assert_eq!(taken.secret.as_deref(), Some("s_-1"));
        assert_eq!(ask("https://a", Some(""), Some(100)).unwrap().secret, None);
        for url in [
            "",
            "crm.example",
            "http://crm.example",
            "https://",
            "https:///x",
            "https://a b",
            "ftp://a",
        ] {
            assert_eq!(ask(url, None, None), Err(WebhookRefusal::Url), "{url}");
        }
        assert!(ActorWebhook::ask("http://127.0.0.1:1/x", None, None, true).is_ok());
        let long = "s".repeat(257);
        for secret in ["a b", "é", long.as_str()] {
            assert_eq!(
                ask("https://a", Some(secret), None),
                Err(WebhookRefusal::Secret)
            );
        }
        for connections in [0, -1, 101, i64::MAX] {
            let refused = ask("https://a", None, Some(connections));
            assert_eq!(refused, Err(WebhookRefusal::Connections));
        }
    }
}
