//! The token of an order's page: who has it is the order's buyer, or was shown the page by them. People paste the ids of orders
//! into chats, so the id alone opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::super::id::{InviteLink, OrderId};
use super::{ClaimKeys, ClaimToken, Key, PREFIX, SIGNATURE, payload_in};

/// The kind in the signature.
const PAGE: &str = "page_";

impl ClaimKeys {
    /// The token of an order's page, which its buyer has and nobody who knows the order's id alone; nothing without a key.
    #[must_use]
    pub fn sign_page(&self, order: OrderId) -> Option<String> {
        let key = self.0.first()?;
        let signature = of_page(key, order).finalize().into_bytes();
        Some(URL_SAFE_NO_PAD.encode(&signature[..SIGNATURE]))
    }

    /// Whether a token is that of the order's page, by any of the keys.
    #[must_use]
    pub fn opens_page(&self, order: OrderId, token: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        signature.len() == SIGNATURE
            && self.0.iter().any(|key| {
                of_page(key, order)
                    .verify_truncated_left(&signature)
                    .is_ok()
            })
    }
}

/// The address at which people reach us: where the pages of claim links are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Reads an `https` address with or without a path; on the machine itself `http` will do. `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let (scheme, rest) = text.split_once("://")?;
        let host = rest.split('/').next().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(address) => address.split_once(']')?.0,
            None => host.split(':').next().unwrap_or_default(),
        };
        let is_here = ["localhost", "127.0.0.1", "::1"].contains(&name);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
        let is_url = scheme == "https" || (scheme == "http" && is_here);
        (is_url && !name.is_empty() && rest.chars().all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// The page of a claim link, which leads to whatever bot is the front bot by then; nothing if `link` is none.
    #[must_use]
    pub fn claim_page(&self, link: &InviteLink) -> Option<InviteLink> {
        let token = payload_in(link.expose())?.strip_prefix(PREFIX)?.to_owned();
        Some(self.page_of_claim(&ClaimToken {
            kind: PREFIX,
            token,
        }))
    }

    /// The page of the claim link of this token.
    #[must_use]
    pub fn page_of_claim(&self, token: &ClaimToken) -> InviteLink {
        InviteLink::new(format!("{}/c/{}", self.0, token.in_page()))
    }

    /// The page on which the buyer of an order sees where it stands, by its token.
    #[must_use]
    pub fn order_page(&self, order: OrderId, token: &str) -> InviteLink {
        InviteLink::new(format!("{}/pay/{order}?t={token}", self.0))
    }

    /// Where a provider reports payments.
    #[must_use]
    pub fn payments(&self, provider: &str) -> String {
        format!("{}/v1/payments/{provider}", self.0)
    }

    /// Where a program asks where an order stands.
    #[must_use]
    pub fn order_status(&self, order: OrderId, token: &str) -> InviteLink {
        let url = &self.0;
        InviteLink::new(format!(
            "{url}/v1/payment-status?order_id={order}&t={token}"
        ))
    }
}

fn of_page(key: &Key, order: OrderId) -> Hmac<Sha256> {
    key.mac
        .clone()
        .chain_update(PAGE)
        .chain_update(order.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_the_page_of_its_order_alone_by_an_old_key_too() {
        let (old, new) = ("o".repeat(32), "n".repeat(32));
        let order = OrderId::from_random([1; 16]);
        let keys = ClaimKeys::parse(&old).unwrap();
        let token = keys.sign_page(order).unwrap();
        assert!(keys.opens_page(order, &token));
        let rotated = ClaimKeys::parse(&format!("{new},{old}")).unwrap();
        assert!(rotated.opens_page(order, &token));
        assert!(!rotated.opens_page(OrderId::from_random([2; 16]), &token));
        let other = ClaimKeys::parse(&new).unwrap();
        assert!(!other.opens_page(order, &token));
        for wrong in ["", "AAAA", &token[1..], &format!("{token}AAAA"), "\u{e4}"] {
            assert!(!rotated.opens_page(order, wrong), "{wrong}");
        }
        assert_eq!(ClaimKeys::none().sign_page(order), None);
    }
}
