//! What a user would see, shown on the whole bundle at the wire: the real SDK clients against embedded AWS, and
//! simulated Telegram and WebEngage.

mod claims;
mod incident;
mod joins;
mod marketing;
mod poison;
mod rate_limit;
mod trouble;
