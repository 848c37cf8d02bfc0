//! What a place said when something failed, in words that say how to mend it.
//!
//! The answer of an S3-compatible store is never repeated: it can hold the access key, and the session token in the
//! request it quotes. Only its code is.

use std::error::Error as _;

use object_store::{
    Error,
    client::{HttpError, HttpErrorKind},
};

use crate::store::port::StoreError;

/// Longest part of a cause that is repeated.
const MAX_SHOWN_CHARS: usize = 300;
const MAX_CODE_BYTES: usize = 64;

const CREDENTIALS: &str = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN";
const BUCKET: &str = "Make the bucket first, or check its name, AWS_REGION and AWS_ENDPOINT_URL";
const REGION: &str =
    "Set AWS_REGION to the bucket's region, and AWS_ENDPOINT_URL to that region's address if it is set";
const CLOCK: &str = "Set this machine's clock";
const RIGHTS: &str = "Let this key list the bucket, and read and write the objects below the prefix";
const STORE: &str = "Check AWS_ENDPOINT_URL: what answers there is no S3-compatible store, or not this one";
const NETWORK: &str = "Check AWS_ENDPOINT_URL and the network, then start again";
const CERTIFICATE: &str =
    "Check AWS_ENDPOINT_URL; where the certificate is your own, SSL_CERT_FILE names the certificates to trust";
const AGAIN: &str = "Start again later; what is there is not sent again";

/// Codes of S3's refusals, what they mean, and how to mend it.
const CODES: &[(&[&str], &str, &str)] = &[
    (&["NoSuchBucket"], "there is no such bucket", BUCKET),
    (
        &["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidClientTokenId"],
        "the credentials are not accepted",
        CREDENTIALS,
    ),
    (&["AccessDenied", "AllAccessDisabled", "AccountProblem"], "access is denied", RIGHTS),
    (&["RequestTimeTooSkewed", "RequestExpired"], "the clocks do not agree", CLOCK),
    (
        &[
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ],
        "the bucket is in another region",
        REGION,
    ),
    (&["SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout"], "the store is busy", AGAIN),
];

/// Names what was being done, what stands in its way, and how to mend it.
pub(super) fn told(doing: &str, error: &Error) -> StoreError {
    let (what, mend) = meaning(error);
    StoreError::Vault { doing: doing.to_owned(), what, mend: mend.to_owned() }
}

/// Whether the object is absent, and not the whole bucket.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && code(&error.to_string()).is_none_or(|code| code != "NoSuchBucket")
}

/// Whether the place does not know writing under a condition.
pub(super) fn is_unconditional(error: &Error) -> bool {
    matches!(error, Error::NotImplemented { .. })
        || code(&error.to_string()).is_some_and(|code| code == "NotImplemented")
}

fn meaning(error: &Error) -> (String, &'static str) {
    let text = causes(error);
    if let Some(code) = code(&text) {
        let known = CODES.iter().find(|(codes, ..)| codes.contains(&code));
        let (means, mend) = known.map_or(("the store refused", STORE), |(_, means, mend)| (*means, *mend));
        return (format!("{means} ({code})"), mend);
    }
    if let Some(status) = status(&text) {
        let (means, mend) = match status.get(..3) {
            Some("301" | "302" | "307" | "308") => ("the bucket is in another region", REGION),
            Some("401" | "403") => ("access is denied", RIGHTS),
            Some("404") => ("there is no such bucket or object", BUCKET),
            Some("429" | "500" | "502" | "503" | "504") => ("the store is busy", AGAIN),
            _ => ("the answer is not one of S3", STORE),
        };
        return (format!("{means} ({status})"), mend);
    }
    if text.contains("redirect without LOCATION") {
        return ("the bucket is in another region".into(), REGION);
    }
    match (kind(error), text.contains("certificate")) {
        (Some(_), true) => (format!("the certificate is not trusted: {}", shown(&text)), CERTIFICATE),
        (Some(HttpErrorKind::Timeout), _) => ("no answer came in time".into(), NETWORK),
        (Some(HttpErrorKind::Decode), _) => ("the answer is too long or broken".into(), STORE),
        (Some(_), _) => (format!("it cannot be reached: {}", shown(&text)), NETWORK),
        (None, _) if text.contains("Got invalid") => ("the answer is not one of S3".into(), STORE),
        (None, _) => (shown(&text), "Mend it, then start again"),
    }
}

/// An error with its causes, each once.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// What went wrong on the way, where no answer came.
fn kind(error: &Error) -> Option<HttpErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// The code in the XML of a refusal.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= MAX_CODE_BYTES && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (plain && !code.is_empty()).then_some(code)
}

/// The HTTP status: a number of three digits and a phrase.
fn status(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("status code: ")?;
    let status = rest.split(':').next()?.trim();
    let plain = status.len() <= MAX_CODE_BYTES
        && status.get(..3).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        && status.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -'".contains(&byte));
    plain.then_some(status)
}

/// A cause as it may be repeated: on one line, bounded, up to where an answer would begin.
fn shown(text: &str) -> String {
    let text = text.split('<').next().unwrap_or("");
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn a_refusal_is_told_by_its_code_and_nothing_else_of_the_answer() {
        let answer = "Error performing PUT http://h/b in 3ms - Server returned non-2xx status code: 403 Forbidden: \
                      <Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIDTEST</AWSAccessKeyId><CanonicalRequest>\
                      x-amz-security-token:geheim</CanonicalRequest></Error>";
        let told = told("writing x", &generic(answer)).to_string();
        assert!(told.contains("not accepted (SignatureDoesNotMatch)") && told.contains(KEY), "{told}");
        assert!(!told.contains("AKIDTEST") && !told.contains("geheim"), "{told}");
    }
    const KEY: &str = "AWS_SECRET_ACCESS_KEY";

    #[test]
    fn an_answer_that_is_not_one_of_s3_is_told_by_its_status() {
        for (answer, expected) in [
            ("non-2xx status code: 403 Forbidden: geheim", "access is denied (403 Forbidden)"),
            ("non-2xx status code: 418 I'm a teapot: <p>geheim</p>", "not one of S3 (418 I'm a teapot)"),
            ("non-2xx status code: 404 Not Found: <Code>../../geheim</Code>", "(404 Not Found)"),
            ("<Code></Code> geheim", "Generic S3 error"),
        ] {
            let told = told("listing x", &generic(answer)).to_string();
            assert!(told.contains(expected) && !told.contains("geheim"), "{told}");
        }
    }
}
