//! The local stack in one process: the functions behind their routes, the queues polled by Lambda's rules, AWS embedded on
//! the wire, and Telegram and WebEngage real or simulated. The tests run the same code.

pub mod alarms;
pub mod api;
pub mod banner;
mod body;
mod claims;
pub mod data_dir;
pub mod doctor;
pub mod env;
pub mod event_source_mapping;
mod externals;
pub mod functions;
pub mod harness;
pub mod keys;
mod page;
pub mod resources;
pub mod schedule;
pub mod seed_pool;
pub mod serve;
pub mod stack;
pub mod supervision;
pub mod timeline;
pub mod updates;
