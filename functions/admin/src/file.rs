//! Answers that are files, and texts in them that no spreadsheet takes for a formula.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK};
use http::{HeaderValue, Response};

/// The type of a file of CSV.
pub(crate) const CSV: &str = "text/csv; charset=utf-8";

/// A file; the header `Link` leads to the next page, by its query.
pub(crate) fn answer(
    content_type: &'static str,
    text: String,
    next: Option<String>,
) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(text));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Percent-encoded: no header refuses it.
    let link = next.map(|query| HeaderValue::try_from(format!("<?{query}>; rel=\"next\"")));
    if let Some(Ok(link)) = link {
        headers.insert(LINK, link);
    }
    answer
}

/// A text as a field of CSV by RFC 4180, which no spreadsheet takes for a formula: a sign that begins one gets an apostrophe. A
/// spreadsheet of another country parts a line at other signs than the comma, so that a formula may begin behind each of them.
pub(crate) fn field(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":_-.".contains(c);
    if text.chars().all(is_plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return text.to_owned();
    }
    let (mut guarded, mut is_start) = (String::new(), true);
    for c in text.chars() {
        if is_start && "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c) {
            guarded.push('\'');
        }
        guarded.push(c);
        let is_parting = ",;|\t\r\n".contains(c);
        is_start = is_parting || (is_start && (c.is_whitespace() || "\"'".contains(c)));
    }
    format!("\"{}\"", guarded.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_never_a_formula_and_an_account_at_a_bank_stays_as_it_is() {
        for (text, written) in [
            ("owner:o1", "owner:o1"),
            ("DE89 3704 0044, O. Owner", "\"DE89 3704 0044, O. Owner\""),
            ("O. Owner-Smith", "\"O. Owner-Smith\""),
            ("=2+\",\"", "\"'=2+\"\",\"\"\""),
            ("+1", "\"'+1\""),
            (" @A1", "\" '@A1\""),
            ("\u{ff1d}A1", "\"'\u{ff1d}A1\""),
            ("DE1;=A1", "\"DE1;'=A1\""),
            ("DE1, \"-A1", "\"DE1, \"\"'-A1\""),
            ("a\n=A1", "\"a\n'=A1\""),
            ("", "\"\""),
        ] {
            assert_eq!(field(text), written, "{text}");
        }
    }
}
