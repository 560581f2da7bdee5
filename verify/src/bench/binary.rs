//! A function's release binary: where it is and how large it is on its way to Lambda.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// The functions, in the order of an invite's life, then of an order's.
pub(crate) const FUNCTIONS: [&str; 9] = [
    "request",
    "worker",
    "events",
    "webhook",
    "status",
    "shop",
    "pay",
    "payments",
    "settlement",
];
/// What a ZIP file of one entry `bootstrap` has beside the deflated data: local header, directory entry, end record.
const ZIP_FRAME_BYTES: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

/// The binary of a function in `folder`: as `cargo build` lays it there, or as `cargo lambda build` does.
///
/// # Errors
/// A sentence on how to build it, if it is missing.
pub(crate) fn find(folder: &Path, function: &str) -> anyhow::Result<PathBuf> {
    let as_deployed = folder.join(function).join("bootstrap");
    let path = if as_deployed.is_file() {
        as_deployed
    } else {
        folder.join(function)
    };
    anyhow::ensure!(
        path.is_file(),
        "the release binary of `{function}` is not in {}; build all with `cargo build --release {}`",
        folder.display(),
        local::functions::FUNCTIONS
            .each_ref()
            .map(|function| format!("-p {}", function.name))
            .join(" ")
    );
    Ok(path)
}

/// Its sizes in bytes: as it is (the release profile strips it) and as a ZIP file with it as `bootstrap`.
///
/// # Errors
/// If it can't be read.
pub(crate) fn sizes(path: &Path) -> anyhow::Result<(u64, u64)> {
    let content = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(&content)?;
    let deflated = deflated.finish()?;
    Ok((
        content.len() as u64,
        deflated.len() as u64 + ZIP_FRAME_BYTES,
    ))
}
