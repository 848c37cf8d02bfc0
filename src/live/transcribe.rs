//! Sound becomes captions: a segment handed to an endpoint that speaks OpenAI's `POST /v1/audio/transcriptions`.
//!
//! The endpoint is the operator's own, named in the settings, and may stand inside their network; so it is asked by a client
//! of its own, as the time stamp authority is, and never a place that a room names.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, header};
use serde::Deserialize;

use super::{
    Transcriber,
    webvtt::{Captions, Cue},
};
use crate::crawl::SecretError;

/// Longest sound that is handed over, in bytes.
pub const MAX_SOUND_BYTES: usize = 25 * 1024 * 1024;
/// Longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(60);
/// Most stretches of an answer that are read.
const MAX_STRETCHES: usize = 1000;

/// Why a segment is not written down.
#[derive(Debug, thiserror::Error)]
pub enum TranscribeError {
    /// Too long.
    #[error("{bytes} bytes of sound are more than the {MAX_SOUND_BYTES} that are handed over at a time")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// No answer.
    #[error("asking {url}: {what}")]
    Network {
        /// The endpoint.
        url: String,
        /// What the network said.
        what: String,
    },
    /// An answer of another form.
    #[error("{url} answered {what}")]
    Answer {
        /// The endpoint.
        url: String,
        /// What it answered.
        what: String,
    },
    /// Its key is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// `verbose_json`; the plain form has the text alone.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    text: String,
    #[serde(default)]
    segments: Vec<Stretch>,
}

#[derive(Deserialize)]
struct Stretch {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    #[serde(default)]
    text: String,
}

/// What is said in `sound`, a file whose name ends as `name` does; times count from its beginning.
///
/// # Errors
/// When the endpoint does not answer, or otherwise than it should.
pub async fn transcribe(transcriber: &Transcriber, name: &str, sound: &[u8]) -> Result<Captions, TranscribeError> {
    if sound.len() > MAX_SOUND_BYTES {
        return Err(TranscribeError::TooLong { bytes: sound.len() });
    }
    let url = transcriber.url.as_str();
    let network =
        |error: reqwest::Error| TranscribeError::Network { url: url.to_owned(), what: error.without_url().to_string() };
    let boundary = format!("markwarden-{:032x}", fastrand::u128(..));
    let mut request = client()
        .map_err(network)?
        .post(url)
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
        .body(form(transcriber, name, sound, &boundary));
    if let Some(key) = &transcriber.key {
        request = request.bearer_auth(key.read()?);
    }
    let mut response = request.send().await.map_err(network)?;
    let wrong = |what: String| TranscribeError::Answer { url: url.to_owned(), what };
    if !response.status().is_success() {
        return Err(wrong(response.status().as_u16().to_string()));
    }
    let mut answer = Vec::new();
    while let Some(part) = response.chunk().await.map_err(network)? {
        answer.extend_from_slice(&part);
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(wrong(format!("more than {MAX_ANSWER_BYTES} bytes")));
        }
    }
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|error| wrong(format!("no transcription: {error}")))?;
    Ok(captions(answer))
}

fn captions(answer: Answer) -> Captions {
    let ms = |seconds: f64| if seconds.is_finite() { (seconds.clamp(0.0, 86_400.0) * 1000.0) as u64 } else { 0 };
    let cue = |start: f64, end: f64, text: &str| {
        let (start_ms, text) = (ms(start), text.trim().to_owned());
        Cue { start_ms, end_ms: ms(end).max(start_ms), speaker: None, text }
    };
    let mut cues: Vec<Cue> =
        answer.segments.iter().take(MAX_STRETCHES).map(|one| cue(one.start, one.end, &one.text)).collect();
    if cues.is_empty() {
        cues.push(cue(0.0, 0.0, &answer.text));
    }
    cues.retain(|cue| !cue.text.is_empty());
    Captions { map: None, cues, truncated: answer.segments.len() > MAX_STRETCHES }
}

/// The request's fields as multipart/form-data (RFC 7578).
fn form(transcriber: &Transcriber, name: &str, sound: &[u8], boundary: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(sound.len() + 1024);
    let language = transcriber.language.as_str();
    let fields = [("model", transcriber.model.as_str()), ("response_format", "verbose_json"), ("language", language)];
    for (field, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        let part = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    // Endpoints tell the sort of sound by the name's end.
    let path = name.split(['?', '#']).next().unwrap_or(name);
    let end: String =
        path.rsplit('.').next().unwrap_or("").chars().filter(char::is_ascii_alphanumeric).take(5).collect();
    let end = if end.is_empty() { "ts" } else { end.as_str() };
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"segment.{end}\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(sound);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

fn client() -> Result<&'static Client, reqwest::Error> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    // Fails only when another part of the program has installed one, which serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build()?;
    Ok(CLIENT.get_or_init(|| client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_stretches_or_its_text() {
        let read = |json: &str| captions(serde_json::from_str(json).unwrap()).cues;
        let cues =
            read(r#"{"text":"all","segments":[{"start":0.5,"end":2,"text":" 只剩三件 "},{"start":1e99,"text":""}]}"#);
        assert_eq!(cues, [Cue { start_ms: 500, end_ms: 2000, speaker: None, text: "只剩三件".into() }]);
        assert_eq!(read(r#"{"text":"all"}"#)[0].text, "all");
        assert!(read("{}").is_empty());
    }

    #[tokio::test]
    async fn endless_sound_is_not_handed_over() {
        let transcriber = Transcriber { url: "http://127.0.0.1:9/".into(), ..Transcriber::default() };
        let error = transcribe(&transcriber, "a.aac", &vec![0; MAX_SOUND_BYTES + 1]).await.unwrap_err();
        assert!(matches!(error, TranscribeError::TooLong { .. }), "{error}");
    }
}
