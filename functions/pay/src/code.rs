//! A QR code as inline SVG: one path, dark on light whatever the page's colours, with the margin that readers want.

use std::fmt::Write as _;

use domain::texts::html::escape;
use fast_qr::{ECL, QRBuilder};

/// The modules of the margin on each side (ISO/IEC 18004 wants four).
const MARGIN: usize = 4;

/// The code that holds `text`, called `label`; nothing if the text is too long for one (2,331 bytes).
pub(crate) fn svg(text: &str, label: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let size = code.size;
    let mut path = String::new();
    for y in 0..size {
        let row = &code[y];
        let mut x = 0;
        while x < size {
            let dark = row[x..size].iter().take_while(|module| module.value());
            let length = dark.count();
            if length > 0 {
                // Writing to a text can't fail.
                let _ = write!(path, "M{} {}h{length}v1h-{length}z", x + MARGIN, y + MARGIN);
            }
            x += length.max(1);
        }
    }
    let (whole, label) = (size + 2 * MARGIN, escape(label));
    Some(format!(
        "<svg role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {whole} {whole}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_path_within_its_margin_and_a_text_that_is_too_long_has_none() {
        let link = format!("https://t.me/admit_one_bot?start=c_{}", "A-b_".repeat(12));
        let svg = svg(&link, "\"<b>").unwrap();
        assert!(svg.contains("aria-label=\"&quot;&lt;b&gt;\""), "{svg}");
        // Version 5: 37 modules, with 4 on each side. The finder begins with a bar of seven.
        assert!(svg.contains("viewBox=\"0 0 45 45\""), "{svg}");
        assert!(svg.contains("d=\"M4 4h7v1h-7z"), "{svg}");
        assert_eq!(super::svg(&"x".repeat(3000), ""), None);
    }
}
