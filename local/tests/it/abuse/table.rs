//! The documents name tests as their witnesses: each must exist.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all tests, and of the fuzz targets.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut names, mut folders) = (BTreeSet::new(), Vec::new());
    folders.extend(
        ["common", "functions", "local", "simulators", "verify"].map(|folder| root.join(folder)),
    );
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                let mut lines = source.lines().map(str::trim);
                while let Some(line) = lines.next() {
                    if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                        let name = lines.find_map(|line| line.split_once("fn ")).unwrap().1;
                        names.insert(name.split('(').next().unwrap().to_owned());
                    }
                }
            }
        }
    }
    let targets = std::fs::read_dir(root.join("fuzz/fuzz_targets")).unwrap();
    names.extend(targets.map(|target| {
        let name = target.unwrap().file_name().into_string().unwrap();
        format!("fuzz:{}", name.trim_end_matches(".rs"))
    }));
    names
}

/// The words in code font that can be nothing but the name of a test: five words or more, or a fuzz target.
fn named(document: &str) -> BTreeSet<String> {
    let words = document.split('`').skip(1).step_by(2);
    words
        .filter(|word| word.matches('_').count() >= 4 || word.starts_with("fuzz:"))
        // The names of the events.
        .filter(|word| !word.starts_with("pass_paid_"))
        .filter(|word| {
            word.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let tests = tests();
    for (file, document) in [
        (
            "ARCHITECTURE.md",
            include_str!("../../../../docs/ARCHITECTURE.md"),
        ),
        ("SECURITY.md", include_str!("../../../../docs/SECURITY.md")),
    ] {
        let named = named(document);
        assert!(named.len() > 10, "{file} names only {} tests", named.len());
        let missing: Vec<&String> = named.iter().filter(|name| !tests.contains(*name)).collect();
        assert!(
            missing.is_empty(),
            "docs/{file} names tests that are not there: {missing:#?}"
        );
    }
}

#[test]
fn every_row_of_the_table_has_a_test_and_every_fuzz_target_a_row() {
    let document = include_str!("../../../../docs/SECURITY.md");
    let table = document
        .split("\n## What an attacker may try")
        .nth(1)
        .unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<&str> = rows
        .filter(|row| !row.starts_with("| what |") && !row.starts_with("| ---"))
        .collect();
    assert!(rows.len() > 30, "only {} rows", rows.len());
    for row in rows {
        let witness = row.rsplit('|').nth(1).unwrap();
        assert!(!named(witness).is_empty(), "no test: {row}");
    }
    let named = named(table);
    let unnamed: Vec<String> = tests()
        .into_iter()
        .filter(|test| test.starts_with("fuzz:") && !named.contains(test))
        .collect();
    assert!(unnamed.is_empty(), "targets without a row: {unnamed:?}");
}
