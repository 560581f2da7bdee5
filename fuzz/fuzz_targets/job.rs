//! A message of the invite queue: its body.
//!
//! A job survives its own JSON, whatever is done to it on the way back to the queue, and hides its link.

#![no_main]

use common::domain::id::ChatId;
use common::domain::job::Job;
use common::domain::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fn again(job: &Job) -> Job {
    let json = serde_json::to_string(job).expect("a job is JSON");
    serde_json::from_str(&json).expect("its own JSON is a job")
}

fuzz_target!(|body: &str| {
    let Ok(job) = serde_json::from_str::<Job>(body) else {
        return;
    };
    assert_eq!(again(&job), job);
    let at = Timestamp::from_ms(1_795_176_000_123);
    let back = job.clone().put_back_until(at);
    assert_eq!(again(&back), back);
    assert_eq!(back.not_before(), Some(at));
    assert_eq!(
        (back.request_id(), back.chat()),
        (job.request_id(), job.chat())
    );
    let moved = job.clone().moved_to(ChatId(i64::MIN));
    assert_eq!(again(&moved), moved);
    assert_eq!(
        (moved.request_id(), moved.not_before()),
        (job.request_id(), job.not_before())
    );
    if let Job::Revoke(revoke) = &job {
        assert!(format!("{:?}", revoke.invite_link) == "InviteLink(hidden)");
    }
});
