//! The token of an order's page: who has it is the order's buyer, or was shown the page by them. People paste the ids of orders
//! into chats, so the id alone opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::super::id::OrderId;
use super::{ClaimKeys, Key, SIGNATURE};

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
