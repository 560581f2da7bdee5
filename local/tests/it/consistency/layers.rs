//! The layers: which crate may depend on which, and that no modules depend on each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{code, entries, none, root, rust_files, text};

/// The crates that a manifest depends on, of any kind.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut is_dependencies = false;
    for line in text(manifest).lines() {
        if line.starts_with('[') {
            is_dependencies = line.ends_with("dependencies]");
        } else if is_dependencies && let Some((name, _)) = line.split_once(['.', ' ', '=']) {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn the_core_depends_on_nothing_that_waits_or_knows_the_time_chance_or_the_cloud() {
    let allowed = [
        "base64",
        "hmac",
        "num-rational",
        "rust_decimal",
        "serde",
        "serde_json",
        "serde_path_to_error",
        "sha2",
        "thiserror",
        "time",
        "uuid",
    ];
    let allowed: BTreeSet<String> = allowed.map(str::to_owned).into();
    let depends = dependencies("common/domain/Cargo.toml");
    assert!(depends.is_subset(&allowed), "{depends:?}");
    // What the standard library has of it, and the random ids of `uuid`.
    let foreign = [
        "SystemTime",
        "Instant::",
        "async ",
        ".await",
        "std::env",
        "std::net",
        "std::fs",
        "new_v4",
        "now_utc",
    ];
    let mut files = Vec::new();
    rust_files(&root().join("common/domain"), &mut files);
    assert!(files.len() > 5);
    let mut wrong = Vec::new();
    for path in files {
        let source = code(&std::fs::read_to_string(&path).unwrap());
        for (number, line) in source.lines().enumerate() {
            for word in foreign.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    none("the core names what it must not know", &wrong);
}

#[test]
fn no_float_comes_near_money() {
    let domain = root().join("common/domain/src");
    let files = [
        "exact.rs",
        "money.rs",
        "nowpayments.rs",
        "order.rs",
        "product.rs",
        "quote.rs",
        "report.rs",
        "stars.rs",
        "stripe.rs",
    ];
    let mut files = files.map(|name| domain.join(name)).to_vec();
    for folder in [
        "money",
        "nowpayments",
        "order",
        "product",
        "quote",
        "stripe",
    ] {
        rust_files(&domain.join(folder), &mut files);
    }
    for client in ["nowpayments", "stripe"] {
        rust_files(&root().join("common").join(client), &mut files);
    }
    assert!(files.len() > 25, "{files:?}");
    let mut wrong = Vec::new();
    for path in files {
        let source = code(&std::fs::read_to_string(&path).unwrap());
        for (number, line) in source.lines().enumerate() {
            let mut words = line.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
            if words.any(|word| ["f32", "f64", "as_f64"].contains(&word)) {
                wrong.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    none("a float near money", &wrong);
}

#[test]
fn no_function_depends_on_another_or_on_what_is_never_deployed() {
    let functions = entries("functions");
    let mut wrong = Vec::new();
    for function in &functions {
        let depends = dependencies(&format!("functions/{function}/Cargo.toml"));
        let never = ["simulators", "local", "verify"].map(str::to_owned);
        let foreign = functions
            .iter()
            .chain(&never)
            .filter(|name| depends.contains(*name));
        wrong.extend(foreign.map(|name| format!("{function} depends on {name}")));
    }
    for shared in entries("common") {
        let depends = dependencies(&format!("common/{shared}/Cargo.toml"));
        let foreign = functions.iter().filter(|name| depends.contains(*name));
        wrong.extend(foreign.map(|name| format!("common/{shared} depends on {name}")));
    }
    none("dependencies that must not be", &wrong);
}

#[test]
fn the_simulators_know_nothing_of_the_product() {
    let mut product = entries("functions");
    product.extend(entries("common"));
    product.extend(["local".to_owned(), "verify".to_owned()]);
    let depends = dependencies("simulators/Cargo.toml");
    let known: Vec<String> = product.intersection(&depends).cloned().collect();
    none("simulators/Cargo.toml", &known);
}

/// A crate's modules, by path from its root, and the file of each.
fn modules(source: &Path) -> BTreeMap<Vec<String>, PathBuf> {
    let mut files = Vec::new();
    rust_files(source, &mut files);
    let mut modules = BTreeMap::new();
    for file in files {
        let inner = file.strip_prefix(source).unwrap().with_extension("");
        let mut path: Vec<String> = inner
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        match path.last().map(String::as_str) {
            Some("main") => continue,
            Some("lib" | "mod") => drop(path.pop()),
            _ => {}
        }
        modules.insert(path, file);
    }
    modules
}

/// The paths that a source names from `crate`, `super` and the modules below it, with groups in braces taken apart.
fn named(source: &str, own: &[String], children: &BTreeSet<String>) -> BTreeSet<Vec<String>> {
    let words: Vec<&str> = source.split_whitespace().collect();
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < words.len() {
        let start: Option<Vec<String>> = match words[at] {
            "crate" => Some(Vec::new()),
            "super" => Some(own[..own.len().saturating_sub(1)].to_vec()),
            "self" if words.get(at + 1) == Some(&":") => Some(own.to_vec()),
            child if children.contains(child) && (at == 0 || words[at - 1] != ":") => {
                let mut path = own.to_vec();
                path.push(child.to_owned());
                Some(path)
            }
            _ => None,
        };
        at += 1;
        if let Some(path) = start {
            follow(&words, &mut at, path, &mut found);
        }
    }
    found
}

/// Reads on from the start of a path.
fn follow(
    words: &[&str],
    at: &mut usize,
    mut path: Vec<String>,
    found: &mut BTreeSet<Vec<String>>,
) {
    while words.get(*at) == Some(&":") && words.get(*at + 1) == Some(&":") {
        match words.get(*at + 2) {
            Some(&"super") => {
                path.pop();
                *at += 3;
            }
            Some(&"{") => {
                *at += 3;
                while *at < words.len() && words[*at] != "}" {
                    let mut inner = path.clone();
                    inner.push(words[*at].to_owned());
                    *at += 1;
                    follow(words, at, inner, found);
                    if words.get(*at) == Some(&",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            Some(word) => {
                path.push((*word).to_owned());
                *at += 3;
            }
            None => break,
        }
    }
    found.insert(path);
}

/// Which modules a module uses, but those above and below itself, which are one concept with it.
fn uses(modules: &BTreeMap<Vec<String>, PathBuf>) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let mut uses = BTreeMap::new();
    for (own, file) in modules {
        let source = std::fs::read_to_string(file).unwrap();
        let spaced = source_words(&source);
        let children = modules
            .keys()
            .filter(|path| path.len() == own.len() + 1 && path.starts_with(own))
            .map(|path| path[own.len()].clone())
            .collect();
        let mut used = BTreeSet::new();
        for path in named(&spaced, own, &children) {
            let deepest = (0..=path.len()).rev().map(|length| path[..length].to_vec());
            let Some(module) = deepest.into_iter().find(|path| modules.contains_key(path)) else {
                continue;
            };
            if !module.starts_with(own) && !own.starts_with(&module) {
                used.insert(module);
            }
        }
        uses.insert(own.clone(), used);
    }
    uses
}

/// The source without comments and tests, each sign a word of its own.
fn source_words(source: &str) -> String {
    let product = code(source.split("#[cfg(test)]").next().unwrap_or_default());
    let mut spaced = String::with_capacity(product.len() * 2);
    for sign in product.chars() {
        if sign.is_alphanumeric() || sign == '_' {
            spaced.push(sign);
        } else {
            spaced.push(' ');
            spaced.push(sign);
            spaced.push(' ');
        }
    }
    spaced
}

#[test]
fn no_modules_depend_on_each_other_in_a_circle() {
    let mut crates: Vec<PathBuf> = ["simulators", "local", "verify"]
        .map(|name| root().join(name))
        .into();
    for folder in ["common", "functions"] {
        crates.extend(
            entries(folder)
                .into_iter()
                .map(|name| root().join(folder).join(name)),
        );
    }
    let mut wrong = Vec::new();
    for folder in crates {
        let modules = modules(&folder.join("src"));
        let mut uses = uses(&modules);
        // What uses nothing that is left is in no circle.
        while let Some(free) = uses
            .iter()
            .find(|(_, used)| used.iter().all(|module| !uses.contains_key(module)))
            .map(|(module, _)| module.clone())
        {
            uses.remove(&free);
        }
        // And what nothing uses that is left only hangs on one.
        while let Some(unused) = uses
            .keys()
            .find(|module| !uses.values().any(|used| used.contains(*module)))
            .cloned()
        {
            uses.remove(&unused);
        }
        for (module, used) in &uses {
            let others: Vec<String> = used
                .iter()
                .filter(|other| uses.contains_key(*other))
                .map(|path| path.join("::"))
                .collect();
            wrong.push(format!(
                "{}: {} uses {}",
                folder.display(),
                module.join("::"),
                others.join(", ")
            ));
        }
    }
    none("modules in a circle", &wrong);
}
