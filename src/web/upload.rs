//! Forms with files: `multipart/form-data`, read whole before anybody answers, so that the form's token is checked first.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request},
};
use bytes::Bytes;
use futures_util::stream;

use super::{Desk, WebError};

/// Most parts of a form.
const MAX_PARTS: usize = 60;
/// Longest file name kept, in characters.
const MAX_NAME_CHARS: usize = 120;

/// A form that was sent with files.
#[derive(Debug, Clone, Default)]
pub(super) struct Upload(Vec<Part>);

/// A field or a file of it.
#[derive(Debug, Clone)]
struct Part {
    name: String,
    /// Set for files, also where it is empty.
    file_name: Option<String>,
    bytes: Bytes,
}

impl Upload {
    /// Reads `body`, which the caller has bounded, where `headers` say that it is such a form.
    ///
    /// # Errors
    /// When it is broken or has more than sixty parts.
    pub(super) async fn read(headers: &HeaderMap, body: &Bytes) -> Result<Option<Self>, WebError> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let Ok(boundary) = multer::parse_boundary(kind) else { return Ok(None) };
        let whole = stream::iter([Ok::<Bytes, Infallible>(body.clone())]);
        let mut form = multer::Multipart::new(whole, boundary);
        let mut parts = Vec::new();
        let broken = |_: multer::Error| WebError::Field("file");
        while let Some(field) = form.next_field().await.map_err(broken)? {
            if parts.len() >= MAX_PARTS {
                return Err(WebError::TooLong);
            }
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(plain_name);
            parts.push(Part { name, file_name, bytes: field.bytes().await.map_err(broken)? });
        }
        Ok(Some(Self(parts)))
    }

    /// The text of the field `name`; empty where there is none or it is no text.
    pub(super) fn text(&self, name: &str) -> &str {
        let part = self.0.iter().find(|part| part.name == name && part.file_name.is_none());
        part.and_then(|part| std::str::from_utf8(&part.bytes).ok()).unwrap_or_default()
    }

    /// The file `name` with what it is called; none where nothing was chosen.
    pub(super) fn file(&self, name: &str) -> Option<(&str, &Bytes)> {
        let part = self.0.iter().find(|part| part.name == name && !part.bytes.is_empty())?;
        Some((part.file_name.as_deref().filter(|name| !name.is_empty())?, &part.bytes))
    }
}

/// A file's name without its folders and without anything that does not print.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    super::card::visible(last).chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect()
}

impl FromRequestParts<Desk> for Upload {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut request::Parts, _: &Desk) -> Result<Self, WebError> {
        parts.extensions.get::<Self>().cloned().ok_or(WebError::Field("file"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(kind: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())])
    }

    async fn read(body: &[u8]) -> Result<Option<Upload>, WebError> {
        Upload::read(&headers("multipart/form-data; boundary=X"), &Bytes::copy_from_slice(body)).await
    }

    #[tokio::test]
    async fn fields_and_files_are_told_apart_and_names_lose_their_folders() {
        let body = "--X\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\ntoken\r\n--X\r\nContent-Disposition: form-data; \
                    name=\"file\"; filename=\"..\\..\\a/商标\u{202e}.csv\"\r\nContent-Type: text/csv\r\n\r\ntext\r\n云雀\r\n--X--\r\n";
        let form = read(body.as_bytes()).await.unwrap().unwrap();
        assert_eq!(form.text("csrf"), "token");
        let (name, bytes) = form.file("file").unwrap();
        assert!(name.starts_with("商标") && !name.contains(['\u{202e}', '/', '\\']), "{name}");
        assert_eq!(&bytes[..], "text\r\n云雀".as_bytes());
        assert_eq!((form.text("file"), form.file("csrf").is_none()), ("", true));
        let plain = Upload::read(&headers("application/x-www-form-urlencoded"), &Bytes::from_static(b"a=b")).await;
        assert!(plain.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_form_of_too_many_parts_and_a_broken_one_are_refused() {
        let part = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
        let many = format!("{}--X--\r\n", part.repeat(MAX_PARTS + 1));
        assert!(matches!(read(many.as_bytes()).await, Err(WebError::TooLong)));
        assert!(matches!(read(part.as_bytes()).await, Err(WebError::Field(_))));
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut body = body;
            body.splice(0..0, *b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n");
            drop(futures_util::FutureExt::now_or_never(read(&body)).unwrap());
        }
    }
}
