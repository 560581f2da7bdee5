//! The claim link of an order: it claims the seat of each of its chats. Nothing moves it, so its claim version stays 0; of a
//! request that has moved since it is dead.

use super::super::id::OrderId;
use super::{ClaimKeys, ClaimToken};

/// What stands before the token of an order in a payload of `/start`.
pub const ORDER_PREFIX: &str = "o_";

impl ClaimKeys {
    /// The token of an order's claim link; nothing without a key.
    #[must_use]
    pub fn sign_order(&self, order: OrderId) -> Option<ClaimToken> {
        self.sign_as(ORDER_PREFIX, 0, order.to_bytes())
    }

    /// The order of a token with its prefix; nothing if no key signed it.
    #[must_use]
    pub fn open_order(&self, payload: &str) -> Option<OrderId> {
        let token = payload.strip_prefix(ORDER_PREFIX)?;
        let (_, order) = self.open_as(ORDER_PREFIX, token)?;
        Some(OrderId::from_random(order))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::id::RequestId;
    use super::super::{Claim, PublicUrl, payload_in};
    use super::*;

    #[test]
    fn the_link_of_an_order_opens_it_and_no_request_and_the_other_way_round() {
        let (old, new) = ("o".repeat(32), "n".repeat(32));
        let order = OrderId::from_random([7; 16]);
        let keys = ClaimKeys::parse(&old).unwrap();
        let token = keys.sign_order(order).unwrap();
        let payload = token.payload();
        assert_eq!((payload.len(), &payload[..2]), (48, "o_"));
        assert_eq!(keys.open_order(&payload), Some(order));
        let rotated = ClaimKeys::parse(&format!("{new},{old}")).unwrap();
        assert_eq!(rotated.open_order(&payload), Some(order));
        let other = ClaimKeys::parse(&new).unwrap();
        assert_eq!(other.open_order(&payload), None);
        // The kind is signed: the same bytes under the other prefix are nobody's.
        assert_eq!(keys.open(token.expose()), None);
        let request = RequestId::from_bytes(order.to_bytes());
        let of_request = keys
            .sign(Claim {
                request_id: request,
                version: 0,
            })
            .unwrap();
        assert_eq!(keys.open_order(&format!("o_{}", of_request.expose())), None);
        assert_eq!(keys.open_order(token.expose()), None, "without its prefix");
        let pasted = format!("take this: https://t.me/bot?start={payload}!");
        assert_eq!(payload_in(&pasted), Some(payload.as_str()));
        let page = PublicUrl::parse("https://a.example")
            .unwrap()
            .page_of_claim(&token);
        assert_eq!(page.expose(), format!("https://a.example/c/{payload}"));
        assert_eq!(payload_in(page.expose()), Some(payload.as_str()));
        assert_eq!(ClaimKeys::none().sign_order(order), None);
    }
}
