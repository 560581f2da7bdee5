//! Files that people sent: `getFile` answers a sealed path, and `/file/bot<key>/<path>` serves it.

use domain::actor::MethodRule;
use domain::actor::passing::pass;
use runtime::telemetry::chain;
use serde_json::Value;
use tracing::error;

use crate::ActorCall;
use crate::answer::{BotApiAnswer, BotApiRefusal};
use crate::send::refused;

impl ActorCall<'_> {
    pub(crate) async fn file_path(
        mut self,
        rule: &'static MethodRule,
    ) -> Result<BotApiAnswer, BotApiRefusal> {
        let fields = std::mem::take(&mut self.parameters.fields);
        let call = pass(rule, fields)?;
        let answer = self.pass_on(rule, &call).await?;
        let Some(result) = &answer.result else {
            return Err(refused(&answer));
        };
        let mut file: Value = serde_json::from_str(result.get()).unwrap_or_default();
        let sealer = self.app.sealer.as_ref();
        let sealed = file["file_path"].as_str().and_then(|path| {
            let now = self.app.clock.now();
            Some(sealer?.seal(&self.actor.mark(), path, now))
        });
        match (sealed, file.as_object_mut()) {
            (Some(sealed), Some(fields)) => {
                fields.insert("file_path".to_owned(), sealed.into());
            }
            (None, Some(fields)) => {
                fields.remove("file_path");
            }
            _ => return Err(BotApiRefusal::new(502, "Bad Gateway")),
        }
        Ok(BotApiAnswer::Result(file))
    }

    /// The file at a sealed path, in which a slash may be written as `%2F`.
    pub(crate) async fn file(self, sealed: &str) -> Result<BotApiAnswer, BotApiRefusal> {
        let sealed = sealed.replace("%2F", "/").replace("%2f", "/");
        let not_found = || BotApiRefusal::new(404, "Not Found");
        let sealer = self.app.sealer.as_ref().ok_or_else(not_found)?;
        let path = sealer
            .open(&self.actor.mark(), &sealed, self.app.clock.now())
            .ok_or_else(not_found)?;
        match self.telegram.file(path).await {
            Ok(Some(bytes)) => Ok(BotApiAnswer::File(bytes)),
            Ok(None) => Err(not_found()),
            Err(failure) => {
                error!(actor.name = %self.actor.name, fault = failure.fault().as_str(),
                    "a file does not come from Telegram: {}", chain(&failure));
                Err(BotApiRefusal::new(502, "Bad Gateway"))
            }
        }
    }
}
