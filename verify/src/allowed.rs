//! What the end of a run may be like.

/// What a run is allowed to end with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// Requests may end FAILED (a fault that does not pass was injected).
    pub failed: bool,
    /// Messages of each queue that end as dead letters, since they are poison: `InviteQueue`, `EventQueue`.
    pub dead_letters: [u64; 2],
    /// Bells may be dead letters: those that the process died of five times. Nothing is lost by it.
    pub dead_bells: bool,
    /// Events may be ingested again after four hours; whoever allows it decides them.
    pub delivered_again: bool,
    /// Buyers may be overtaken, and used links revoked late; whoever allows it decides them.
    pub out_of_order: bool,
    /// Calls may come during a flood wait (a pause could not be stored); whoever allows it decides them.
    pub flood_calls: bool,
    /// Answers of the bot may have been lost on their way, and people may be unreachable; whoever allows it decides them.
    pub unheard: bool,
}
