//! The package of one machine: its settings are those that an owner can set, with the defaults of the code.

use std::collections::{BTreeMap, BTreeSet};

use super::text;

#[test]
fn the_package_lists_every_setting_with_its_default() {
    let settings = text("packaging/admit-one.env");
    let listed: BTreeMap<&str, &str> = settings
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .filter(|(name, _)| {
            name.bytes()
                .all(|c| c == b'_' || c.is_ascii_uppercase() || c.is_ascii_digit())
        })
        .collect();

    let banner = text("local/src/banner.rs");
    let of_functions = banner.split("= [").nth(1).unwrap().split(']').next();
    // The local stack has its own AWS, and takes `WEBHOOK_URL` and `EXPORTS_URL` from `PUBLIC_URL`; one name is an older one.
    let is_set_for_them = |name: &str| {
        name.starts_with("AWS_")
            || name.ends_with("_QUEUE_URL")
            || ["WEBHOOK_URL", "EXPORTS_URL", "TELEGRAM_CHANNEL_ID"].contains(&name)
    };
    let expected: BTreeSet<&str> = of_functions
        .unwrap()
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|name| !is_set_for_them(name))
        .chain(["PUBLIC_URL", "RUST_LOG", "ADMIT_ONE_FLAGS"])
        .collect();
    assert_eq!(listed.keys().copied().collect::<BTreeSet<_>>(), expected);

    let book = text("docs/OPERATIONS.md");
    for (name, default) in listed.into_iter().filter(|(_, value)| !value.is_empty()) {
        let row = book
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` ")));
        assert!(
            row.is_some_and(|row| row.contains(default)),
            "{name}={default}"
        );
    }
}
