//! Rate limits by the second: of the account in each mode, and of each endpoint.

use std::collections::HashMap;

use super::refusal::StripeRefusal;

/// How many requests a second may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripeLimits {
    /// In live mode.
    pub live: u32,
    /// In test mode.
    pub test: u32,
    /// Of one endpoint (method and path of the documentation) in one mode.
    pub endpoint: u32,
}

impl StripeLimits {
    /// The published ones.
    pub const PUBLISHED: Self = Self {
        live: 100,
        test: 25,
        endpoint: 25,
    };
}

#[derive(Debug, Default)]
pub(super) struct RequestCounts {
    pub(super) limits: Option<StripeLimits>,
    second: i64,
    counts: HashMap<(bool, String), u32>,
}

impl RequestCounts {
    /// Counts a request, or refuses it.
    pub(super) fn admit(
        &mut self,
        livemode: bool,
        endpoint: &str,
        now_ms: i64,
    ) -> Result<(), StripeRefusal> {
        let Some(limits) = self.limits else {
            return Ok(());
        };
        let second = now_ms.div_euclid(1000);
        if self.second != second {
            self.second = second;
            self.counts.clear();
        }
        let account = if livemode { limits.live } else { limits.test };
        for (name, limit) in [("", account), (endpoint, limits.endpoint)] {
            let count = self.counts.entry((livemode, name.to_owned())).or_default();
            if *count >= limit {
                return Err(rate_limited());
            }
            *count += 1;
        }
        Ok(())
    }
}

pub(super) fn rate_limited() -> StripeRefusal {
    StripeRefusal::new(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
    )
    .code("rate_limit")
    .validation()
}

pub(super) fn lock_timeout() -> StripeRefusal {
    StripeRefusal::new(
        429,
        "invalid_request_error",
        "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. \
         If you see this error intermittently, retry the request.",
    )
    .code("lock_timeout")
    .validation()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_requests_of_an_endpoint_and_of_a_mode() {
        let mut counts = RequestCounts::default();
        assert!((0..1_000).all(|_| counts.admit(false, "a", 0).is_ok()));
        counts.limits = Some(StripeLimits {
            live: 9,
            test: 3,
            endpoint: 2,
        });
        let mut is_admitted =
            |livemode, endpoint, at_ms| counts.admit(livemode, endpoint, at_ms).is_ok();
        assert!(is_admitted(false, "a", 0) && is_admitted(false, "a", 999));
        assert!(!is_admitted(false, "a", 999));
        assert!(is_admitted(true, "a", 999));
        assert!(!is_admitted(false, "b", 999), "the refused one counts too");
        assert!(is_admitted(false, "a", 1_000));
    }
}
