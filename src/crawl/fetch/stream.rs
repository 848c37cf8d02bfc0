//! Answers that do not end: a body read piece by piece, and a connection that becomes another protocol's.
//!
//! The same client, gate and guards as for pages; redirects are not followed, for a stream's address is configured.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Response, StatusCode, header::HeaderMap};
use url::Url;

use super::{Extra, FetchError, Fetcher, Gate, Speaks, refuse_early};
use crate::crawl::Guard;

/// Longest wait for an answer to begin.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A body that comes piece by piece.
#[derive(Debug)]
pub struct Body {
    url: Url,
    response: Response,
}

/// A connection that speaks another protocol now.
#[derive(Debug)]
pub struct Upgraded {
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The connection.
    pub connection: reqwest::Upgraded,
}

impl Fetcher {
    /// Opens `url` for reading as long as it is sent; anything but success is an error.
    ///
    /// # Errors
    /// When the request is refused, or answered otherwise.
    pub async fn open<G: Gate>(&self, url: &Url, extra: &Extra, guard: Guard, gate: &G) -> Result<Body, FetchError> {
        let response = self.ask(url, extra, guard, gate, Speaks::Any).await?;
        if !response.status().is_success() {
            return Err(FetchError::Status { url: url.to_string(), status: response.status().as_u16() });
        }
        Ok(Body { url: url.clone(), response })
    }

    /// Asks `url` to speak another protocol, as the headers of `extra` say.
    ///
    /// # Errors
    /// When the request is refused, or the other side does not switch.
    pub async fn upgrade<G: Gate>(
        &self,
        url: &Url,
        extra: &Extra,
        guard: Guard,
        gate: &G,
    ) -> Result<Upgraded, FetchError> {
        let response = self.ask(url, extra, guard, gate, Speaks::OldOnly).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(FetchError::Status { url: url.to_string(), status: response.status().as_u16() });
        }
        let headers = response.headers().clone();
        let connection = response.upgrade().await.map_err(|error| FetchError::network(url, &error))?;
        Ok(Upgraded { headers, connection })
    }

    async fn ask<G: Gate>(
        &self,
        url: &Url,
        extra: &Extra,
        guard: Guard,
        gate: &G,
        speaks: Speaks,
    ) -> Result<Response, FetchError> {
        refuse_early(url, guard)?;
        gate.admit(url).await?;
        let headers = extra.for_address(true, true);
        let headers = headers.all(&headers.joined(&self.headers));
        let request = self.client(guard, speaks, None)?.get(url.clone()).headers(headers);
        let late = || FetchError::Timeout { url: url.to_string(), seconds: ANSWER_TIMEOUT.as_secs_f64() };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, request.send()).await.map_err(|_| late())?;
        answer.map_err(|error| FetchError::network(url, &error))
    }
}

impl Body {
    /// A header of the answer, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        self.response.chunk().await.map_err(|error| FetchError::network(&self.url, &error))
    }
}
