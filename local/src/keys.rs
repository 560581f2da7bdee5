//! The secrets that the local stack makes up when none are given: they lie in the data folder, for its owner alone, and are
//! the same after a restart.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use domain::text::list;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The file in the data folder.
const FILE: &str = "keys.json";

/// Secrets made up on this machine.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// A shop's key, for `API_KEYS`.
    pub api_key: String,
    /// For `TELEGRAM_WEBHOOK_SECRET`.
    pub webhook_secret: String,
    /// An operator's key, for `ADMIN_KEYS`; a file of an earlier version has none.
    #[serde(default)]
    pub admin_key: String,
    /// For `CLAIM_KEY`; a file of an earlier version has none.
    #[serde(default)]
    pub claim_key: String,
}

impl Keys {
    /// New ones, from the operating system's random numbers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            api_key: format!("shop_{}", random()),
            webhook_secret: random(),
            admin_key: new_admin_key(),
            claim_key: random(),
        }
    }

    /// Those of the data folder; makes them up and writes them if there are none.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub fn of_data_dir(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(text) => {
                let mut keys: Self = serde_json::from_slice(&text).with_context(|| {
                    format!(
                        "{} is no keys file; delete it to get new keys",
                        path.display()
                    )
                })?;
                if keys.admin_key.is_empty() || keys.claim_key.is_empty() {
                    let new = Self::new();
                    for (kept, new) in [
                        (&mut keys.admin_key, new.admin_key),
                        (&mut keys.claim_key, new.claim_key),
                    ] {
                        if kept.is_empty() {
                            *kept = new;
                        }
                    }
                    keys.write(&path)
                        .with_context(|| format!("writing {}", path.display()))?;
                }
                Ok(keys)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let keys = Self::new();
                keys.write(&path)
                    .with_context(|| format!("writing {}", path.display()))?;
                Ok(keys)
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Those that lie in the folder, if there are any; changes nothing.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn known(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is not a keys file", path.display()))
                .map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// The file in a data folder.
    #[must_use]
    pub fn file(folder: &Path) -> std::path::PathBuf {
        folder.join(FILE)
    }

    /// Writes a whole file or none, so that a crash leaves no half of one.
    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().context("a file without folder")?;
        // Only its owner can read a temporary file.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        // Keys that a power cut took back would lock out who has been given them.
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(folder)?.sync_all()?;
        Ok(())
    }
}

fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

fn new_admin_key() -> String {
    format!("admin_{}", random())
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts keys that were made up into an environment that lacks them. That of claim links only where a chat is claimed: in others a
/// bot that talks with people is asked for by setting one.
pub(crate) fn fill_in_keys(env: &mut HashMap<String, String>, keys: Keys) {
    let delivery = env.get("CHAT_DELIVERY");
    let is_selling = env
        .get("PAYMENTS_MODE")
        .is_some_and(|mode| !mode.trim().is_empty());
    // The pages of orders are known by it, too.
    let claim_key = match is_selling || delivery.is_some_and(|text| text.contains("claim")) {
        true => keys.claim_key,
        false => String::new(),
    };
    for (name, value) in [
        ("API_KEYS", keys.api_key),
        ("CLAIM_KEY", claim_key),
        ("ADMIN_KEYS", format!("operator:{}", keys.admin_key)),
        (
            "TELEGRAM_WEBHOOK_SECRET",
            webhook_secrets(&keys.webhook_secret, env),
        ),
    ] {
        let given = env.entry(name.to_owned()).or_default();
        if given.trim().is_empty() {
            *given = value;
        }
    }
}

/// The first operator's key in an environment.
pub(crate) fn admin_key(env: &HashMap<String, String>) -> &str {
    let first = env.get("ADMIN_KEYS").and_then(|keys| list(keys).next());
    let key = first.and_then(|pair| pair.split_once(':'));
    key.map_or("", |(_, key)| key.trim())
}

/// A secret for each bot, made of ours: Telegram repeats it with each update, and it tells the bots apart.
fn webhook_secrets(ours: &str, env: &HashMap<String, String>) -> String {
    let tokens = env.get("TELEGRAM_BOT_TOKEN").map_or("", String::as_str);
    let secrets: Vec<String> = list(tokens)
        .enumerate()
        .map(|(bot, _)| match bot {
            0 => ours.to_owned(),
            _ => format!("{ours}_{bot}"),
        })
        .collect();
    secrets.join(",")
}
