//! Forms in parts (`multipart/form-data`, RFC 7578), read from a whole body and written anew.
//!
//! Lambda hands a body over as a whole, so nothing is gained by a parser of streams. What is passed on is written anew with a
//! boundary of our own: a second reading of the same bytes might find other parts in them.

use bytes::Bytes;

/// The most parts of a form.
const PARTS_MAX: usize = 128;
/// The longest boundary (RFC 2046).
const BOUNDARY_MAX: usize = 70;
/// The longest head of a part, in bytes.
const HEAD_MAX: usize = 4096;

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormPart {
    /// What it is called.
    pub(crate) name: String,
    /// What its file is called, if it is one.
    pub(crate) file_name: Option<String>,
    /// What kind of file it says it is.
    pub(crate) content_type: Option<String>,
    /// Its content.
    pub(crate) content: Bytes,
}

/// The boundary of a content type.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let boundary = parameter(content_type, "boundary")?;
    let is_boundary = (1..=BOUNDARY_MAX).contains(&boundary.len());
    is_boundary.then_some(boundary)
}

/// A parameter of a header such as `form-data; name="a"; filename=b`.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (found, after) = rest.split_once('=')?;
        let is_it = found.trim().eq_ignore_ascii_case(name);
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(';').unwrap_or((after, "")),
        };
        if is_it {
            return Some(value.trim());
        }
        rest = after.trim_start().trim_start_matches(';');
    }
}

/// The parts of a form; nothing if it is none.
pub(crate) fn read(body: &Bytes, boundary: &str) -> Option<Vec<FormPart>> {
    let between = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    // What stands before the first boundary means nothing.
    let first = format!("--{boundary}");
    let mut at = match body.starts_with(first.as_bytes()) {
        true => first.len(),
        false => find(body, between.as_bytes(), 0)? + between.len(),
    };
    loop {
        let rest = body.get(at..)?;
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        // White space may follow a boundary in its line.
        let line = find(body, b"\r\n", at)?;
        if !body.get(at..line)?.trim_ascii().is_empty() || parts.len() >= PARTS_MAX {
            return None;
        }
        let begin = line + 2;
        let end = find(body, between.as_bytes(), line)?;
        parts.push(part(body, begin, end)?);
        at = end + between.len();
    }
}

fn part(body: &Bytes, begin: usize, end: usize) -> Option<FormPart> {
    let all = body.get(begin..end.max(begin))?;
    let head = find(all, b"\r\n\r\n", 0).filter(|at| *at <= HEAD_MAX)?;
    let (mut name, mut file_name, mut content_type) = (None, None, None);
    for line in all.get(..head)?.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((header, value)) = line.trim_end().split_once(':') else {
            continue;
        };
        let value = value.trim();
        if header.eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name").map(str::to_owned);
            file_name = parameter(value, "filename").map(str::to_owned);
        } else if header.eq_ignore_ascii_case("content-type") {
            content_type = Some(value.to_owned());
        }
    }
    Some(FormPart {
        name: name.filter(|name| !name.is_empty())?,
        file_name,
        content_type,
        content: body.slice(begin + head + 4..end.max(begin)),
    })
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    let found = rest.windows(what.len()).position(|window| window == what);
    found.map(|at| from + at)
}

/// A form of these parts. `boundary` must stand in none of them.
pub(crate) fn write(parts: &[FormPart], boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            plain(&part.name)
        );
        if let Some(name) = &part.file_name {
            head.push_str(&format!("; filename=\"{}\"", plain(name)));
        }
        if let Some(kind) = &part.content_type {
            head.push_str(&format!("\r\nContent-Type: {}", plain(kind)));
        }
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(&part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

/// A text that can't end its quotes or its line.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && *c != '"' && *c != '\\')
        .take(255)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str) -> Option<Vec<FormPart>> {
        read(&Bytes::from(body.to_owned()), "x-1")
    }

    #[test]
    fn a_boundary_is_found_in_any_order_and_quotes() {
        for (header, expected) in [
            ("multipart/form-data; boundary=x-1", Some("x-1")),
            (
                "multipart/form-data; charset=utf-8; Boundary=\"x-1\"",
                Some("x-1"),
            ),
            ("multipart/form-data;boundary=\"a;b\"; x=y", Some("a;b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
        ] {
            assert_eq!(boundary(header), expected, "{header}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        assert_eq!(boundary(&long), None);
    }

    #[test]
    fn fields_and_files_are_read_and_written_back() {
        let body = "before\r\n--x-1\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n7\r\n--x-1 \r\n\
            content-type: image/jpeg\r\ncontent-disposition: form-data; name=photo; filename=\"a.jpg\"\r\n\r\n\u{1}\r\n--x-2\r\n\r\n--x-1--\r\nafter";
        let read_once = parts(body).unwrap();
        assert_eq!(read_once.len(), 2);
        assert_eq!(
            (read_once[0].name.as_str(), &read_once[0].content[..]),
            ("chat_id", &b"7"[..])
        );
        let photo = &read_once[1];
        assert_eq!(photo.file_name.as_deref(), Some("a.jpg"));
        assert_eq!(photo.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(&photo.content[..], b"\x01\r\n--x-2\r\n");
        let written = write(&read_once, "other");
        assert_eq!(read(&written.into(), "other").unwrap(), read_once);
    }

    #[test]
    fn an_empty_part_and_an_empty_form_are_ones() {
        assert_eq!(parts("--x-1--\r\n"), Some(Vec::new()));
        let empty = parts("--x-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--x-1--")
            .unwrap();
        assert!(empty[0].content.is_empty());
    }

    #[test]
    fn what_is_no_form_is_refused_and_nothing_panics() {
        let whole = "--x-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x-1--";
        for end in 0..whole.len() {
            assert!(parts(&whole[..end]).is_none(), "{end}");
        }
        for odd in [
            "",
            "--x-1",
            "--x-1\r\n",
            "--x-1\r\n\r\n--x-1--",
            "--x-1\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x-1--",
        ] {
            assert_eq!(parts(odd), None, "{odd:?}");
        }
        let many = "--x-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n".repeat(129);
        assert_eq!(parts(&format!("{many}--x-1--")), None);
    }

    #[test]
    fn a_name_can_not_leave_its_quotes() {
        let part = FormPart {
            name: "a\"\r\nX: y".to_owned(),
            file_name: Some("b\\\"c\n".to_owned()),
            content_type: Some("t\r\nX: y".to_owned()),
            content: Bytes::new(),
        };
        let written = String::from_utf8(write(&[part], "z")).unwrap();
        assert!(
            written.contains("name=\"aX: y\"; filename=\"bc\"\r\nContent-Type: tX: y\r\n\r\n"),
            "{written}"
        );
    }
}
