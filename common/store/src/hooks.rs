//! Signed calls out: the table of endpoints, the ledger of deliveries, and what those have who announce.

mod announcements;
mod deliveries;
mod endpoints;

pub use announcements::Announcements;
pub use deliveries::{Claiming, Deliveries, DeliveryPage, DeliveryRecord, DueDelivery, Replayed};
pub use endpoints::{Changed, Endpoints};
