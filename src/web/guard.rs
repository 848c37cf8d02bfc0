//! What every request passes: host, origin, session, form token on the way in; security headers on the way out.
//!
//! It stands before the routes, so that no handler can forget it; what a route needs stands in the table of routes.

use std::{net::IpAddr, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{Desk, WebError, problem, tokens, upload::Upload, visit::Visit};

/// Longest time for one request.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Lets a request through, or refuses it.
pub(super) async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let visit = Visit::read(&desk, request.headers(), request.uri());
    let answer = async {
        match admit(&desk, &visit, request).await {
            Ok(mut request) => {
                request.extensions_mut().insert(visit.clone());
                next.run(request).await
            }
            Err(refusal) => refusal,
        }
    };
    let response =
        tokio::time::timeout(LONGEST_REQUEST, answer).await.unwrap_or_else(|_| WebError::Slow.into_response());
    with_headers(problem::explain(response, &visit))
}

async fn admit(desk: &Desk, visit: &Visit, request: Request) -> Result<Request, Response> {
    let path = request.uri().path();
    if matches!(path, "/healthz" | "/readyz") {
        return Ok(request);
    }
    if !host_is_ours(&desk.inner.settings.hosts, request.headers()) {
        return Err(WebError::Host.into_response());
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let own = if visit.by_token { !origin_is_foreign(request.headers()) } else { origin_is_ours(request.headers()) };
    if !reads && !own {
        return Err(WebError::Foreign.into_response());
    }
    if visit.session.is_none() && !is_public(path) {
        return Err(sign_in_first(visit, reads));
    }
    Ok(request)
}

/// Whether strangers are answered here too; what else needs somebody is the table's to say.
fn is_public(path: &str) -> bool {
    matches!(path, "/sign-in" | "/sign-in/code" | "/preferences")
        || ["/enter/", "/assets/", "/sign-in/oidc"].iter().any(|public| path.starts_with(public))
}

fn sign_in_first(visit: &Visit, reads: bool) -> Response {
    if visit.wants_json {
        return WebError::SignedOut.into_response();
    }
    if reads && visit.here != "/" {
        let back: String = url::form_urlencoded::byte_serialize(visit.here.as_bytes()).collect();
        return Redirect::to(&format!("/sign-in?back={back}")).into_response();
    }
    Redirect::to("/sign-in").into_response()
}

/// Passes a request on whose body is read, at most `most` bytes, and whose header or form carries its session's token.
pub(super) async fn with_token(visit: &Visit, most: usize, request: Request) -> Result<Request, WebError> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let bytes = to_bytes(body, most).await.map_err(|_| WebError::TooLong)?;
    let upload = Upload::read(&parts.headers, &bytes).await?;
    let Some(session) = &visit.session else { return Ok(Request::from_parts(parts, Body::from(bytes))) };
    let header = parts.headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
    let sent = header.map(str::to_owned).or_else(|| match &upload {
        Some(upload) => Some(upload.text("csrf").to_owned()),
        None => {
            url::form_urlencoded::parse(&bytes).find(|(name, _)| name == "csrf").map(|(_, value)| value.into_owned())
        }
    });
    // A form with files is handed on as it was read; nobody reads it twice.
    if let Some(upload) = upload {
        parts.extensions.insert(upload);
    }
    // Who signs in anew may carry an old session; nothing is done in its name.
    let signs_in = parts.uri.path().starts_with("/sign-in");
    // A token is sent by whoever has it, never by a browser on its own.
    if signs_in || visit.token.is_some() || sent.is_some_and(|sent| tokens::same(&sent, &session.csrf)) {
        Ok(Request::from_parts(parts, Body::from(bytes)))
    } else {
        Err(WebError::Foreign)
    }
}

/// A page of another site can point a name of its own at this address, but not a plain address or `localhost`.
fn host_is_ours(names: &[String], headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = without_port(host);
    let plain = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    plain || name.eq_ignore_ascii_case("localhost") || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a browser says that a page of another site sent the request; programs say nothing.
fn origin_is_foreign(headers: &HeaderMap) -> bool {
    let says = headers.contains_key("origin") || headers.contains_key("sec-fetch-site");
    says && !origin_is_ours(headers)
}

/// Whether a page of this desk sent the request: browsers say so in `Origin` or `Sec-Fetch-Site`.
fn origin_is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site")
        && site != "same-origin"
    {
        return false;
    }
    match text("origin") {
        Some(origin) => {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.is_some_and(|authority| text("host").is_some_and(|host| host.eq_ignore_ascii_case(authority)))
        }
        None => text("sec-fetch-site").is_some(),
    }
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put("content-security-policy", POLICY);
    put("x-content-type-options", "nosniff");
    put("referrer-policy", "same-origin");
    put("cross-origin-opener-policy", "same-origin");
    put("cross-origin-resource-policy", "same-origin");
    put("permissions-policy", "camera=(), microphone=(), geolocation=()");
    put("cache-control", "no-store");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_the_desks_own_names_are_answered() {
        let names = ["desk.example".to_owned()];
        for (host, ours) in [
            ("127.0.0.1:8420", true),
            ("[::1]:8420", true),
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("Desk.example:443", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:8420", false),
            ("", false),
        ] {
            assert_eq!(host_is_ours(&names, &headers(&[("host", host)])), ours, "{host}");
        }
        assert!(!host_is_ours(&names, &HeaderMap::new()));
    }

    #[test]
    fn only_the_desks_own_pages_may_change_anything() {
        let host = ("host", "127.0.0.1:8420");
        for (pairs, ours) in [
            (vec![host, ("origin", "http://127.0.0.1:8420")], true),
            (vec![host, ("origin", "http://127.0.0.1:8420"), ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host], false),
            (vec![host, ("origin", "null")], false),
            (vec![host, ("origin", "http://127.0.0.1:9999")], false),
            (vec![host, ("origin", "http://evil.example")], false),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("origin", "http://127.0.0.1:8420"), ("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(origin_is_ours(&headers(&pairs)), ours, "{pairs:?}");
        }
    }
}
