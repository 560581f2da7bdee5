//! A message of the event queue: its body.
//!
//! An event, or the name of a request whose events are pending, survives its own JSON, and WebEngage is told just what it holds.

#![no_main]

use domain::event::{Event, PendingEvents};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    if let Ok(pending) = serde_json::from_str::<PendingEvents>(body) {
        let json = serde_json::to_string(&pending).expect("it is JSON");
        let again: PendingEvents = serde_json::from_str(&json).expect("its own JSON is one");
        assert_eq!(again, pending);
    }
    let Ok(event) = serde_json::from_str::<Event>(body) else {
        return;
    };
    let json = serde_json::to_string(&event).expect("an event is JSON");
    let again: Event = serde_json::from_str(&json).expect("its own JSON is an event");
    assert_eq!(again, event);
    let told = event.webengage_body();
    let fields = told.as_object().expect("an object");
    assert_eq!(fields.len(), 4);
    assert_eq!(told["userId"], event.user_id.as_str());
    assert_eq!(told["eventName"], event.event_name.as_str());
    assert_eq!(told["eventData"].as_object(), Some(&event.event_data));
    let time = told["eventTime"].as_str().expect("a text");
    assert!(time.len() == 24 && time.ends_with("+0000"), "{time}");
});
