//! A line chart as SVG, readable on a light and on a dark page.

use std::fmt::Write as _;

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Its colour, as SVG windows it.
    pub colour: &'static str,
    /// Whether it is dashed: what is allowed, not what was.
    pub dashed: bool,
    /// Its call sites.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What goes to the right.
    pub x: &'static str,
    /// What goes up.
    pub y: &'static str,
    /// Its lines; the first is drawn first.
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 64.0;

impl Chart {
    /// The chart as an SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let far = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0_f64, f64::max);
        let (x_step, y_step) = (step(far(|point| point.0)), step(far(|point| point.1)));
        let (x_end, y_end) = (
            (far(|point| point.0) / x_step).ceil().max(1.0) * x_step,
            (far(|point| point.1) / y_step).ceil().max(1.0) * y_step,
        );
        let at_x = |x: f64| LEFT + x / x_end * (WIDTH - LEFT - RIGHT);
        let at_y = |y: f64| HEIGHT - BOTTOM - y / y_end * (HEIGHT - TOP - BOTTOM);
        let mut svg = String::new();
        let mut put = |text: std::fmt::Arguments<'_>| {
            let _ = writeln!(svg, "{text}");
        };
        put(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">"#,
            self.title
        ));
        // Without a page around it, `currentColor` is black; the grounds of both schemes are given.
        put(format_args!(
            "<style>svg {{ color: #222; background: #fff; }} @media (prefers-color-scheme: dark) {{ svg {{ color: #ddd; background: #16181d; }} }}</style>"
        ));
        put(format_args!(
            r#"<text x="{LEFT}" y="20" font-size="14" font-weight="600">{}</text>"#,
            self.title
        ));
        let mut y = 0.0;
        while y <= y_end + y_step / 2.0 {
            put(format_args!(
                r#"<line x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}" stroke="currentColor" opacity="0.15"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                at_y(y) + 4.0,
                number(y),
                at = at_y(y),
            ));
            y += y_step;
        }
        let mut x = 0.0;
        while x <= x_end + x_step / 2.0 {
            put(format_args!(
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                at_x(x),
                HEIGHT - BOTTOM + 16.0,
                number(x)
            ));
            x += x_step;
        }
        put(format_args!(
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text><text x="{LEFT}" y="{:.1}">{}</text>"#,
            WIDTH - RIGHT,
            HEIGHT - BOTTOM + 32.0,
            self.x,
            TOP - 8.0,
            self.y
        ));
        let mut legend = LEFT;
        for line in &self.lines {
            let mut path = String::new();
            for (position, (x, y)) in line.points.iter().enumerate() {
                let letter = if position == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{letter}{:.1} {:.1}", at_x(*x), at_y(*y));
            }
            let dashes = if line.dashed {
                r#" stroke-dasharray="6 4""#
            } else {
                ""
            };
            put(format_args!(
                r#"<path d="{path}" fill="none" stroke="{}" stroke-width="1.8"{dashes}/>"#,
                line.colour
            ));
            put(format_args!(
                r#"<line x1="{legend:.1}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}" stroke="{}" stroke-width="3"{dashes}/><text x="{:.1}" y="{:.1}">{}</text>"#,
                legend + 20.0,
                line.colour,
                legend + 26.0,
                HEIGHT - 10.0,
                line.name,
                y = HEIGHT - 14.0,
            ));
            legend += 44.0 + 6.6 * line.name.len() as f64;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// A round step that makes four to eight of `end`.
fn step(end: f64) -> f64 {
    let rough = (end / 6.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = match rough / power {
        part if part <= 1.0 => 1.0,
        part if part <= 2.0 => 2.0,
        part if part <= 5.0 => 5.0,
        _ => 10.0,
    };
    factor * power
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_well_formed_and_holds_its_points() {
        let chart = Chart {
            title: "Links a minute".to_owned(),
            x: "minutes",
            y: "links",
            lines: vec![Line {
                name: "made".to_owned(),
                colour: "#2a7",
                dashed: false,
                points: vec![(0.0, 0.0), (30.0, 20.0), (60.0, 19.5)],
            }],
        };
        let svg = chart.svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<path").count(), 1);
        assert!(svg.contains(">60</text>") && svg.contains(">20</text>"));
        assert_eq!([step(60.0), step(20.0), step(0.9)], [10.0, 5.0, 0.2]);
    }
}
