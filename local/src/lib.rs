//! The whole bundle in one process: the functions behind their routes, the queues polled by Lambda's rules, AWS
//! embedded on the wire, and Telegram and WebEngage real or simulated. The tests run the same code.

pub mod alarms;
pub mod bench;
pub mod bundle;
pub mod demo;
pub mod doctor;
pub mod esm;
pub mod folder;
pub mod functions;
pub mod greeting;
pub mod harness;
pub mod keys;
pub mod proof;
pub mod resources;
pub mod routes;
pub mod schedule;
pub mod seed_pool;
pub mod serve;
pub mod supervision;
pub mod timeline;
pub mod updates;
mod world;
