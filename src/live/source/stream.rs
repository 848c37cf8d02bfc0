//! Server-sent events, and lines of JSON that go on.

use bytes::Bytes;

use super::{Again, address, extra_of_stream, message};
use crate::live::{
    LiveError, SourceKind,
    room::Hearing,
    sse::{Lines, ServerSent},
};

/// Hears a stream over HTTP; opened again when it breaks off, until it ends by itself.
pub(in crate::live) async fn stream(hearing: &Hearing<'_>) -> Result<(), LiveError> {
    let events = hearing.source.kind == SourceKind::Sse;
    let url = address(hearing, if events { "sse" } else { "ndjson" })?;
    let extra = extra_of_stream(hearing, if events { "text/event-stream" } else { "application/x-ndjson" })?;
    let mut again = Again::new();
    loop {
        let ended = async {
            let mut body = hearing.gate.services.fetcher.open(&url, &extra, hearing.gate.guard(), hearing.gate).await?;
            let (mut sent, mut lines) = (ServerSent::default(), Lines::default());
            while let Some(piece) = body.chunk().await? {
                again.heard();
                let mut messages: Vec<Bytes> = Vec::new();
                let mut take = |message: &[u8]| messages.push(Bytes::copy_from_slice(message));
                if events {
                    sent.push(&piece, &mut take);
                } else {
                    lines.push(&piece, &mut take);
                }
                for one in messages.into_iter().filter(|one| !one.is_empty()) {
                    message(hearing, one).await?;
                }
            }
            Ok::<(), LiveError>(())
        };
        let mut stop = hearing.gate.services.stop.clone();
        let ended = tokio::select! {
            ended = ended => ended,
            _ = stop.wait_for(|stop| *stop) => return Err(LiveError::Left),
        };
        match ended {
            // Lines of JSON that end are a recording; events that end are a break.
            Ok(()) if !events => return Ok(()),
            Ok(()) => {
                let what = "the stream of events ended".to_owned();
                again.wait(hearing, LiveError::Content { url: url.to_string(), what }).await?;
            }
            Err(error) => again.wait(hearing, error).await?,
        }
    }
}
