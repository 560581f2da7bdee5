//! Lists that come in pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::SqsError;
use super::params::Params;

/// One page of a list in its order, and the token of the next page. Without `MaxResults`, a page has up to 1000.
pub(super) fn page(
    urls: Vec<String>,
    params: &Params,
) -> Result<(Vec<String>, Option<String>), SqsError> {
    let asked = params.integer_within("MaxResults", 1, 1000)?;
    let size = usize::try_from(asked.unwrap_or(1000)).unwrap_or(1000);
    let after = match params.text("NextToken")? {
        None => None,
        Some(token) => Some(
            URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| SqsError::invalid("Invalid or expired next token."))?,
        ),
    };
    let mut rest = urls
        .into_iter()
        .skip_while(|url| after.as_ref().is_some_and(|after| url <= after));
    let page: Vec<String> = rest.by_ref().take(size).collect();
    let next = rest
        .next()
        .and(page.last())
        .filter(|_| asked.is_some())
        .map(|last| URL_SAFE_NO_PAD.encode(last));
    Ok((page, next))
}
