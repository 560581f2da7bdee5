//! What stands behind `/start`: the payload of the link by which a person came.

use std::fmt;

/// The most characters of a payload (Telegram's deep links).
const PAYLOAD_CHARACTERS: usize = 64;

/// A payload of `/start`. Whether its token or code is good is not known yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StartPayload<'a> {
    /// None: the person pressed start, or their app lost it.
    Nothing,
    /// `c_…`: the token of a claim link, a secret of the payer.
    Claim(&'a str),
    /// `o_…`: the same of an order.
    OrderClaim(&'a str),
    /// `p_<product>` or `p_<product>_<code>`.
    Product {
        /// The id of the product.
        product: &'a str,
        /// The code of who recommended it, or of a coupon.
        code: Option<&'a str>,
    },
    /// `r_…`: the code of who recommended us.
    Referral(&'a str),
    /// `s_…`: the name of an advertisement or a page.
    Source(&'a str),
    /// Anything else.
    Unknown(&'a str),
}

impl<'a> StartPayload<'a> {
    /// Reads the arguments of `/start`. A person who typed on behind a payload still has it.
    #[must_use]
    pub fn read(arguments: &'a str) -> Self {
        let Some(payload) = arguments.split_whitespace().next() else {
            return Self::Nothing;
        };
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
        if payload.len() > PAYLOAD_CHARACTERS || !payload.bytes().all(is_allowed) {
            return Self::Unknown(payload);
        }
        match payload.split_once('_') {
            Some((_, "")) => Self::Unknown(payload),
            Some(("c", token)) => Self::Claim(token),
            Some(("o", token)) => Self::OrderClaim(token),
            Some(("r", code)) => Self::Referral(code),
            Some(("s", name)) => Self::Source(name),
            // The id of a product has no underscore.
            Some(("p", rest)) => match rest.split_once('_') {
                Some(("", _)) => Self::Unknown(payload),
                Some((product, code)) => Self::Product {
                    product,
                    code: (!code.is_empty()).then_some(code),
                },
                None => Self::Product {
                    product: rest,
                    code: None,
                },
            },
            _ => Self::Unknown(payload),
        }
    }
}

/// Without what a person wrote or was given: a token must not reach a log.
impl fmt::Debug for StartPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Claim(_) => "Claim(…)",
            Self::OrderClaim(_) => "OrderClaim(…)",
            Self::Product { .. } => "Product(…)",
            Self::Referral(_) => "Referral(…)",
            Self::Source(_) => "Source(…)",
            Self::Unknown(_) => "Unknown(…)",
        })
    }
}
