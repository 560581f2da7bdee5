//! Signed calls out: the table of endpoints, the ledger of deliveries, and what those have who announce.

mod announcements;
mod deliveries;
mod endpoints;

pub use announcements::{AnnouncementWrites, Announcements};
pub use deliveries::{
    Claiming, Deliveries, DeliveryPage, DeliveryRecord, DeliveryReplayed, DueDelivery,
};
pub use endpoints::{Changed, Endpoints};
