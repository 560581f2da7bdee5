//! What the benchmark says: tables for clients, the same figures as JSON for programs, and each target met or missed.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// One table with its notes.
#[derive(Default)]
pub(crate) struct Section {
    /// The key of its figures in the JSON.
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) title: String,
    /// Its columns' heads; the first column is text, the others are numbers.
    pub(crate) columns: Vec<&'static str>,
    /// Its rows.
    pub(crate) rows: Vec<Vec<String>>,
    /// How it was measured, and what it does not show.
    pub(crate) notes: Vec<String>,
    /// Its figures.
    pub(crate) figures: Value,
}

/// A figure that must not be exceeded.
struct Target {
    what: String,
    measured: f64,
    at_most: f64,
    unit: &'static str,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct BenchReport {
    sections: Vec<Section>,
    targets: Vec<Target>,
}

impl BenchReport {
    /// Adds a section.
    pub(crate) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Adds a figure that has a target.
    pub(crate) fn target(
        &mut self,
        what: impl Into<String>,
        measured: f64,
        at_most: f64,
        unit: &'static str,
    ) {
        self.targets.push(Target {
            what: what.into(),
            measured,
            at_most,
            unit,
        });
    }

    /// All sections and the targets as text, in tables that are Markdown too.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            write_section(&mut text, section);
        }
        if !self.targets.is_empty() {
            write_section(&mut text, &self.targets());
        }
        text
    }

    fn targets(&self) -> Section {
        let rows = self.targets.iter().map(|target| {
            vec![
                target.what.clone(),
                format!("{:.2}{}", target.measured, target.unit),
                format!("{:.2}{}", target.at_most, target.unit),
                if target.is_met() { "met" } else { "MISSED" }.to_owned(),
            ]
        });
        Section {
            title: "Targets".to_owned(),
            columns: vec!["figure", "measured", "at most", ""],
            rows: rows.collect(),
            ..Section::default()
        }
    }

    /// All figures and the targets as JSON.
    #[must_use]
    pub(crate) fn json(&self) -> Value {
        let sections: Map<String, Value> = self
            .sections
            .iter()
            .map(|section| (section.name.to_owned(), section.figures.clone()))
            .collect();
        let targets: Vec<Value> = self
            .targets
            .iter()
            .map(|target| {
                json!({"figure": target.what, "measured": target.measured, "atMost": target.at_most,
                    "unit": target.unit.trim(), "met": target.is_met()})
            })
            .collect();
        json!({"sections": sections, "targets": targets})
    }
}

impl Target {
    fn is_met(&self) -> bool {
        self.measured <= self.at_most
    }
}

fn write_section(text: &mut String, section: &Section) {
    let heads: Vec<String> = section
        .columns
        .iter()
        .map(|head| (*head).to_owned())
        .collect();
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            let cells = std::iter::once(&heads).chain(&section.rows);
            let lengths = cells
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            lengths.max().unwrap_or_default().max(3)
        })
        .collect();
    let rules: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    let _ = writeln!(text, "## {}\n", section.title);
    // A section that was skipped has notes alone.
    let head = [&heads, &rules]
        .into_iter()
        .filter(|_| !section.rows.is_empty());
    for row in head.chain(&section.rows) {
        text.push('|');
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, " {cell:<width$} |"),
                _ => write!(text, " {cell:>width$} |"),
            };
        }
        text.push('\n');
    }
    if !section.rows.is_empty() {
        text.push('\n');
    }
    for note in &section.notes {
        let _ = writeln!(text, "- {note}");
    }
    if !section.notes.is_empty() {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_up_to_its_figure_and_said_to_be_missed_beyond() {
        let mut report = BenchReport::default();
        report.target("zip", 2.8, 2.8, " MB");
        report.target("ready", 6.1, 6.0, " ms");
        let text = report.text();
        assert!(
            text.contains("| zip    |  2.80 MB | 2.80 MB |    met |"),
            "{text}"
        );
        assert!(
            text.contains("| ready  |  6.10 ms | 6.00 ms | MISSED |"),
            "{text}"
        );
        assert_eq!(report.json()["targets"][1]["met"], false);
    }
}
