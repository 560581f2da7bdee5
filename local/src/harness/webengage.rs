//! WebEngage: it is told of links and joins, or is away.

use std::ops::Deref;

use simulators::webengage::{Mode, WebEngage};

/// The event by which WebEngage is told of a link.
pub const LINK_CREATED: &str = "pass_paid_community_telegram_link_created";
/// The event by which WebEngage is told of a join.
pub const JOINED: &str = "pass_paid_community_telegram_joined";

/// WebEngage as a stack meets it. All that the simulator can do beyond this is reached as well.
pub struct WebEngageActor(pub(super) WebEngage);

impl Deref for WebEngageActor {
    type Target = WebEngage;

    fn deref(&self) -> &WebEngage {
        &self.0
    }
}

impl WebEngageActor {
    /// Takes nothing until it is fixed.
    pub fn outage(&self) {
        self.0.set_mode(Mode::Down);
    }

    /// The links that it was told of by an event, in order.
    #[must_use]
    pub fn delivered(&self, event: &str) -> Vec<String> {
        let events = self.0.ingested().into_iter();
        let of = events.filter(|delivered| delivered.body["eventName"] == event);
        of.map(|delivered| {
            let link = delivered.body["eventData"]["inviteLink"].as_str();
            link.unwrap_or_default().to_owned()
        })
        .collect()
    }
}
