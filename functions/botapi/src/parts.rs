//! Forms in parts (`multipart/form-data`, RFC 7578), read from a whole body and written anew.
//!
//! Lambda hands a body over as a whole, so nothing is gained by a parser of streams. What is passed on is written anew with a
//! boundary of our own: a second reading of the same bytes might find other parts in them.
//!
//! Telegram's parser splits a head at every `;`, in quotes or not, so no character of a name or a file name that is written
//! may mean anything to a parser.

use bytes::Bytes;

/// The most parts of a form.
const PARTS_MAX: usize = 128;
/// The longest boundary (RFC 2046).
const BOUNDARY_MAX: usize = 70;
/// The longest head of a part, in bytes.
const HEAD_MAX: usize = 4096;
/// The longest name of a file's part.
const NAME_MAX: usize = 64;
/// The longest name of a file, in characters.
const FILE_NAME_MAX_CHARS: usize = 255;
/// The longest content type that is passed on.
const CONTENT_TYPE_MAX: usize = 100;

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

/// Whether a part of a file may be called this: up to 64 of `A-Za-z0-9_.-`.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_plain)
}

/// A form of these parts, whose names are as [`is_name`] has them. `boundary` must stand in none of them.
pub(crate) fn write(parts: &[FormPart], boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            part.name
        );
        if let Some(name) = &part.file_name {
            head.push_str(&format!("; filename=\"{}\"", plain(name)));
        }
        if let Some(kind) = part.content_type.as_deref().filter(|kind| is_media(kind)) {
            head.push_str(&format!("\r\nContent-Type: {kind}"));
        }
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(&part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

/// A file name that means nothing to a parser, and is not empty: a part without a file name would be a parameter.
fn plain(name: &str) -> String {
    let is_plain = |c: &char| c.is_alphanumeric() || " _.,-+@()".contains(*c);
    let name: String = name
        .chars()
        .filter(is_plain)
        .take(FILE_NAME_MAX_CHARS)
        .collect();
    match name.trim() {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

/// Whether a content type says what a picture, a film or a sound is, and no more: others may mean a form within the form.
fn is_media(kind: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
    kind.len() <= CONTENT_TYPE_MAX
        && kind.split_once('/').is_some_and(|(media, form)| {
            ["image", "video", "audio"].contains(&media)
                && !form.is_empty()
                && form.chars().all(is_plain)
        })
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

    /// The parameters of the heads of a form and their content types, as Telegram's parser reads them: a head is split at
    /// every `;`, in quotes or not.
    fn as_telegram_reads(written: &str) -> Vec<(String, String)> {
        let mut read = Vec::new();
        for line in written.split("\r\n") {
            let Some((header, value)) = line.split_once(':') else {
                continue;
            };
            if header.eq_ignore_ascii_case("content-type") {
                read.push(("type".to_owned(), value.trim().to_owned()));
                continue;
            }
            for piece in value.split(';') {
                if let Some((name, value)) = piece.split_once('=') {
                    let value = value.trim().trim_matches('"').to_owned();
                    read.push((name.trim().to_owned(), value));
                }
            }
        }
        read
    }

    #[test]
    fn a_file_name_or_a_content_type_smuggles_nothing() {
        for (file_name, content_type, expected) in [
            ("a.jpg", "image/jpeg", ("a.jpg", Some("image/jpeg"))),
            (
                "фото (1).jpg",
                "video/x-a.b+c",
                ("фото (1).jpg", Some("video/x-a.b+c")),
            ),
            ("b\\\"c\n", "t\r\nX: y", ("bc", None)),
            (
                "x;name=reply_markup;y",
                "application/x-www-form-urlencoded",
                ("xnamereply_markupy", None),
            ),
            (
                "x\"; name=\"chat_id",
                "image/jpeg; name=chat_id",
                ("x namechat_id", None),
            ),
            ("", "application/json", ("file", None)),
            ("\";:=", "image/", ("file", None)),
        ] {
            let part = FormPart {
                name: "photo".to_owned(),
                file_name: Some(file_name.to_owned()),
                content_type: Some(content_type.to_owned()),
                content: Bytes::new(),
            };
            let written = String::from_utf8(write(&[part], "z")).unwrap();
            let mut all = vec![
                ("name".to_owned(), "photo".to_owned()),
                ("filename".to_owned(), expected.0.to_owned()),
            ];
            all.extend(expected.1.map(|kind| ("type".to_owned(), kind.to_owned())));
            assert_eq!(as_telegram_reads(&written), all, "{written}");
        }
    }

    #[test]
    fn a_part_of_a_file_has_a_plain_name() {
        for name in ["photo", "file-1", "a.b_c", &"a".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "d;name=reply_markup;x",
            "a b",
            "a\"",
            "a=b",
            "a:b",
            "é",
            &"a".repeat(65),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
