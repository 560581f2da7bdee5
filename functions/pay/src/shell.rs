//! What all pages are made of: the document, its headers, the choice of a language.
//!
//! Nothing of a page comes from elsewhere, and its policy allows its own style and script alone, by their hashes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::texts::html::escape;
use domain::texts::{Language, PageHead};
use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");
/// After how many seconds a page is asked for again that can't be shown now.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// A script of a page: it reads and works without.
#[derive(Clone, Copy)]
pub(crate) enum Script {
    /// It stays within its page.
    Still(&'static str),
    /// It asks where its page comes from.
    Asking(&'static str),
}

impl Script {
    const fn text(self) -> &'static str {
        match self {
            Self::Still(text) | Self::Asking(text) => text,
        }
    }
}

/// A page.
pub(crate) struct Shell<'a> {
    pub(crate) language: Language,
    pub(crate) status: StatusCode,
    /// The heading.
    pub(crate) title: &'a str,
    /// What to do.
    pub(crate) lead: &'a str,
    /// What follows the head, as HTML.
    pub(crate) body: String,
    pub(crate) script: Option<Script>,
    /// What the query of its address says beside the language, empty or with `&` at the end.
    pub(crate) query: &'a str,
}

impl Shell<'static> {
    /// A page that only says what to do.
    pub(crate) const fn of_head(language: Language, status: StatusCode, head: PageHead) -> Self {
        Self {
            language,
            status,
            title: head.title,
            lead: head.lead,
            body: String::new(),
            script: None,
            query: "",
        }
    }
}

impl Shell<'_> {
    /// The answer.
    pub(crate) fn answer(self) -> Response<Bytes> {
        let script = self.script.map(Script::text);
        let script = script.map(|text| format!("<script>{text}</script>"));
        let html = format!(
            "<!doctype html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n\
             <body>\n<main>\n<h1>{title}</h1>\n<p>{lead}</p>\n{body}\n</main>\n{languages}\n{script}\n</body>\n</html>\n",
            code = self.language.code(),
            title = escape(self.title),
            lead = escape(self.lead),
            body = self.body,
            languages = languages(self.language, self.query),
            script = script.unwrap_or_default(),
        );
        let mut answer = Response::new(Bytes::from(html));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_LANGUAGE, self.language.code()),
            // It holds what claims a seat.
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (ROBOTS, "noindex, nofollow"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&policy(self.script)) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        answer
    }
}

/// What a page may do: have its own style and script, and nothing else.
fn policy(script: Option<Script>) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let scripts = script.map(|script| format!("script-src 'sha256-{}'; ", hash(script.text())));
    let calls = match script {
        Some(Script::Asking(_)) => "connect-src 'self'; ",
        Some(Script::Still(_)) | None => "",
    };
    format!(
        "default-src 'none'; style-src 'sha256-{}'; {}{calls}img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(STYLE),
        scripts.unwrap_or_default(),
    )
}

/// The choice of a language, each in its own name.
fn languages(chosen: Language, query: &str) -> String {
    let label = chosen.claim_page().languages;
    let mut nav = format!("<nav aria-label=\"{}\">", escape(label));
    for language in Language::ALL {
        let current = match language == chosen {
            true => " aria-current=\"true\"",
            false => "",
        };
        let (code, name) = (language.code(), escape(language.name()));
        let query = escape(query);
        // Writing to a text can't fail.
        let _ = write!(
            nav,
            "<a href=\"?{query}lang={code}\" lang=\"{code}\" hreflang=\"{code}\"{current}>{name}</a>"
        );
    }
    nav + "</nav>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_the_style_and_the_script_of_the_page_and_no_others() {
        for (script, asks) in [
            (None, false),
            (Some(Script::Still("let a = 1;")), false),
            (Some(Script::Asking("fetch(\"x\");")), true),
        ] {
            let shell = Shell {
                language: Language::English,
                status: StatusCode::OK,
                title: "A",
                lead: "B",
                body: String::new(),
                script,
                query: "",
            };
            let answer = shell.answer();
            let policy = answer.headers()["content-security-policy"]
                .to_str()
                .unwrap();
            assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none';"));
            assert_eq!(policy.contains("connect-src 'self';"), asks);
            let html = std::str::from_utf8(answer.body()).unwrap();
            for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
                let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
                let Some(rest) = html.split(&open).nth(1) else {
                    assert!(script.is_none() && !policy.contains(directive));
                    continue;
                };
                let text = rest.split(&close).next().unwrap();
                let hash = STANDARD.encode(Sha256::digest(text));
                assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")));
            }
        }
    }
}
