//! A bucket of an S3-compatible store: who may enter by the environment, and the client that goes there.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::{HeaderName, Method, header::AUTHORIZATION};
use http_body_util::{BodyExt, Limited};
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig, StaticCredentialProvider,
    aws::{AmazonS3, AmazonS3Builder, AwsCredential},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    },
};
use url::{Host, Url};

use super::fault;
use crate::store::port::StoreError;

/// How long is waited, and how often it is tried again.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    silence: Duration::from_secs(300),
    retries: 4,
    retry_for: Duration::from_secs(180),
};
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Listings and refusals are read whole; longer ones are cut off. A listing names at most a thousand objects.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const DEFAULT_REGION: &str = "us-east-1";
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
const REGION: &str = "AWS_REGION";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
const VIRTUAL_HOSTED: &str = "AWS_VIRTUAL_HOSTED_STYLE_REQUEST";

/// How long is waited for a store, and how often it is asked again.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For a connection.
    connect: Duration,
    /// For an answer to begin, the time in which the request goes out included, and between two parts of an answer.
    silence: Duration,
    /// How often a request is sent again.
    retries: usize,
    /// Past this time it is not sent again.
    retry_for: Duration,
}

/// What the environment says about an S3-compatible store: who we are, and where it is.
pub struct Access {
    credential: Arc<StaticCredentialProvider<AwsCredential>>,
    region: String,
    endpoint: Option<Url>,
    /// Whether the bucket is a part of the host's name.
    virtual_hosted: bool,
    patience: Patience,
}

/// Nothing of the credentials is shown.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Access {
    /// Reads `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` and
    /// `AWS_VIRTUAL_HOSTED_STYLE_REQUEST` by asking `variable` for each. Plain http needs `allow_http`, except to this
    /// machine.
    ///
    /// # Errors
    /// When a variable that is needed is not set, or one cannot be used.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>, allow_http: bool) -> Result<Self, StoreError> {
        let set = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let needed = |name: &str| {
            set(name).ok_or_else(|| unusable(format!("{name} is not set"), "Set it in the environment".into()))
        };
        let credential = AwsCredential { key_id: needed(KEY_ID)?, secret_key: needed(SECRET_KEY)?, token: set(TOKEN) };
        // They go into headers; what cannot be there is refused before it can come up in an error.
        for (name, value) in [
            (KEY_ID, Some(&credential.key_id)),
            (SECRET_KEY, Some(&credential.secret_key)),
            (TOKEN, credential.token.as_ref()),
        ] {
            if value.is_some_and(|value| !value.bytes().all(|byte| byte.is_ascii_graphic())) {
                return Err(unusable(
                    format!("{name} has characters that no key has"),
                    "Set it to the key alone, without quotes and line breaks".into(),
                ));
            }
        }
        let region = set(REGION).unwrap_or_else(|| DEFAULT_REGION.to_owned());
        if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(unusable(
                format!("{REGION} is no name of a region"),
                "Set it to one, such as us-east-1".into(),
            ));
        }
        let endpoint = set(ENDPOINT).map(|endpoint| read_endpoint(&endpoint, allow_http)).transpose()?;
        let virtual_hosted = set(VIRTUAL_HOSTED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let credential = Arc::new(StaticCredentialProvider::new(credential));
        Ok(Self { credential, region, endpoint, virtual_hosted, patience: PATIENCE })
    }

    /// The store for the bucket. Nothing is sent yet.
    pub(super) fn store(self, bucket: &str, doing: &str) -> Result<AmazonS3, StoreError> {
        let endpoint = match self.endpoint {
            Some(endpoint) if self.virtual_hosted => Some(with_bucket(endpoint, bucket)?),
            endpoint => endpoint,
        };
        let client = client(endpoint.as_ref(), &self.patience).map_err(|error| StoreError::Vault {
            doing: doing.to_owned(),
            what: format!("the client cannot be made: {error}"),
            mend: "Check the certificates of this machine".into(),
        })?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(self.region)
            .with_credentials(self.credential)
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_http_connector(Connector(client))
            .with_retry(RetryConfig {
                backoff: BackoffConfig { init_backoff: FIRST_WAIT, max_backoff: LONGEST_WAIT, base: 2.0 },
                max_retries: self.patience.retries,
                retry_timeout: self.patience.retry_for,
            });
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        builder.build().map_err(|error| fault::told(doing, &error))
    }
}

fn unusable(what: String, mend: String) -> StoreError {
    StoreError::Vault { doing: "reading the environment for an S3-compatible store".into(), what, mend }
}

fn read_endpoint(text: &str, allow_http: bool) -> Result<Url, StoreError> {
    let mend = "Set it to an address such as https://s3.example.com";
    let wrong = |what: &str| unusable(format!("{ENDPOINT} {what}"), mend.into());
    let url = Url::parse(text).map_err(|_| wrong("is no address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() || url.host().is_none() {
        return Err(wrong("is more than a host, or less"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http || is_this_machine(&url) => Ok(url),
        "http" => Err(unusable(
            format!("{ENDPOINT} is a plain http address: everybody on the way can read and change what is sent"),
            "Use https, or say --allow-http when the way is safe".into(),
        )),
        _ => Err(wrong("is no http or https address")),
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The endpoint with the bucket in front of its host.
fn with_bucket(mut endpoint: Url, bucket: &str) -> Result<Url, StoreError> {
    let host = match endpoint.host() {
        Some(Host::Domain(name)) => format!("{bucket}.{name}"),
        _ => String::new(),
    };
    match endpoint.set_host(Some(&host)) {
        Ok(()) if !host.is_empty() => Ok(endpoint),
        _ => Err(unusable(
            format!("{VIRTUAL_HOSTED} is set, and the host of {ENDPOINT} is no name"),
            "Unset it, or name the host".into(),
        )),
    }
}

/// Follows no redirect, which could carry the session token elsewhere; waits for nothing without end.
fn client(endpoint: Option<&Url>, patience: &Patience) -> Result<reqwest::Client, reqwest::Error> {
    // Fails only when another part of the program has installed one, which serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder()
        .user_agent(concat!("markwarden/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .https_only(endpoint.is_none_or(|endpoint| endpoint.scheme() == "https"))
        .http1_only()
        .connect_timeout(patience.connect)
        .read_timeout(patience.silence);
    if endpoint.is_some_and(is_this_machine) { builder.no_proxy().build() } else { builder.build() }
}

/// Hands out the client.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Bounded(self.0.clone())))
    }
}

/// The client, with bounds on what it reads whole, and nothing secret in its logs.
#[derive(Debug)]
struct Bounded(reqwest::Client);

#[async_trait]
impl HttpService for Bounded {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // An object is read as a stream and counted by the reader; everything else is an answer that is read whole.
        let is_object = *request.method() == Method::GET && request.uri().query().is_none();
        for name in [AUTHORIZATION, SESSION_TOKEN] {
            if let Some(value) = request.headers_mut().get_mut(name) {
                value.set_sensitive(true);
            }
        }
        let answer = HttpService::call(&self.0, request).await?;
        if is_object && answer.status().is_success() {
            return Ok(answer);
        }
        let bounded = |body| HttpResponseBody::new(Limited::new(body, MAX_ANSWER_BYTES).map_err(broken_off));
        Ok(answer.map(bounded))
    }
}

/// Why an answer did not come to its end: the way there failed, or it is too long.
fn broken_off(error: Box<dyn Error + Send + Sync>) -> HttpError {
    match error.downcast::<HttpError>() {
        Ok(error) => *error,
        Err(too_long) => HttpError::new_boxed(HttpErrorKind::Decode, too_long),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::mpsc,
        thread,
    };

    use super::*;
    use crate::store::vault::{BackupId, Vault};

    const SECRETS: [&str; 3] = ["AKIDTEST", "geheim/schluessel", "sitzung=="];

    fn access(endpoint: &str, allow_http: bool) -> Result<Access, StoreError> {
        let set = |name: &str| match name {
            KEY_ID => Some(SECRETS[0].to_owned()),
            SECRET_KEY => Some(SECRETS[1].to_owned()),
            TOKEN => Some(SECRETS[2].to_owned()),
            ENDPOINT => Some(endpoint.to_owned()),
            _ => None,
        };
        Access::from_environment(set, allow_http)
    }

    #[test]
    fn plain_http_goes_only_to_this_machine_unless_it_is_allowed() {
        for endpoint in
            ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://s3.example.com"]
        {
            assert!(access(endpoint, false).is_ok(), "{endpoint}");
        }
        for endpoint in
            ["http://s3.example.com", "http://10.0.0.1:9000", "http://localhost.example.com", "http://0.0.0.0"]
        {
            let told = access(endpoint, false).unwrap_err().to_string();
            assert!(told.contains("--allow-http"), "{told}");
            assert!(access(endpoint, true).is_ok(), "{endpoint}");
        }
    }

    #[test]
    fn an_endpoint_that_is_none_is_refused_and_not_repeated() {
        for endpoint in
            ["s3.example.com", "ftp://s3.example.com", "https://u:geheim@s3.example.com", "https://h/?geheim", "geheim"]
        {
            let told = access(endpoint, true).unwrap_err().to_string();
            assert!(told.contains(ENDPOINT) && !told.contains("geheim"), "{told}");
        }
    }

    #[test]
    fn a_variable_that_is_missing_or_has_a_line_break_is_named_without_its_value() {
        for missing in [KEY_ID, SECRET_KEY] {
            let set = |name: &str| (name != missing).then(|| "geheim".to_owned());
            let told = Access::from_environment(set, false).unwrap_err().to_string();
            assert!(told.contains(missing) && !told.contains("geheim"), "{told}");
        }
        for broken in [KEY_ID, SECRET_KEY, TOKEN] {
            let value = |name: &str| if name == broken { "geh\neim" } else { "geheim" }.to_owned();
            let set = |name: &str| [KEY_ID, SECRET_KEY, TOKEN].contains(&name).then(|| value(name));
            let told = Access::from_environment(set, false).unwrap_err().to_string();
            assert!(told.contains(broken) && !told.contains("geh"), "{told}");
        }
    }

    #[test]
    fn nothing_that_is_shown_for_debugging_holds_a_secret() {
        let access = access("http://127.0.0.1:9000", false).unwrap();
        let mut shown = format!("{access:?}");
        shown.push_str(&format!("{:?}", access.store("beifen", "opening").unwrap()));
        assert!(!shown.contains(SECRETS[1]) && !shown.contains(SECRETS[2]), "{shown}");
    }

    #[test]
    fn a_bucket_goes_in_front_of_a_host_that_is_a_name() {
        let url = |text: &str| Url::parse(text).unwrap();
        let endpoint = with_bucket(url("https://oss-cn-hangzhou.example.com/"), "beifen").unwrap();
        assert_eq!(endpoint.as_str(), "https://beifen.oss-cn-hangzhou.example.com/");
        assert!(with_bucket(url("http://127.0.0.1:9000"), "beifen").is_err());
    }

    /// A server that answers every request with `head`, then with `filling` until nobody listens.
    fn serving(head: &'static str, filling: &'static [u8]) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (hear, heard) = mpsc::channel();
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 16 * 1024];
                let Ok(read) = client.read(&mut request) else { continue };
                drop(hear.send(String::from_utf8_lossy(&request[..read]).into_owned()));
                thread::spawn(move || {
                    let mut going = client.write_all(head.as_bytes()).is_ok();
                    while going && !filling.is_empty() {
                        going = client.write_all(filling).is_ok();
                    }
                    // Open until the client goes.
                    drop(client.read(&mut [0; 1]));
                });
            }
        });
        (address, heard)
    }

    fn vault(endpoint: &str) -> Vault {
        let mut access = access(endpoint, false).unwrap();
        access.patience.silence = Duration::from_millis(300);
        access.patience.retries = 0;
        Vault::in_bucket("beifen", "v", access).unwrap()
    }

    #[test]
    fn a_store_that_says_nothing_is_given_up() {
        let (endpoint, _heard) = serving("", b"");
        let told = vault(&endpoint).backups().unwrap_err().to_string();
        assert!(told.contains("no answer came in time"), "{told}");
        // Nor one that begins and does not go on.
        let (endpoint, _heard) = serving("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<List", b"");
        let told = vault(&endpoint).backups().unwrap_err().to_string();
        assert!(told.contains("no answer came in time"), "{told}");
    }

    #[test]
    fn an_answer_without_end_is_cut_off() {
        for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n"] {
            let (endpoint, _heard) = serving(head, &[b' '; 64 * 1024]);
            let told = vault(&endpoint).backups().unwrap_err().to_string();
            assert!(told.contains("too long"), "{told}");
        }
    }

    #[test]
    fn a_manifest_that_is_not_what_it_was_asked_for_is_refused() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nlast-modified: Thu, 26 Mar 2026 10:00:00 GMT\r\netag: \"x\"\r\n\r\nnone";
        let (endpoint, heard) = serving(head, b"");
        let id = BackupId::parse("20260315T120000.000Z-1");
        let told = vault(&endpoint).verify(id, &mut |_, _| ()).unwrap_err().to_string();
        assert!(told.contains("20260315T120000.000Z-1.json") && told.contains("no manifest"), "{told}");
        assert!(heard.recv().unwrap().starts_with("GET /beifen/v/backups/20260315T120000.000Z-1.json "));
    }

    #[test]
    fn a_redirect_is_not_followed() {
        let head = "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
        let (endpoint, heard) = serving(head, b"");
        let told = vault(&endpoint).backups().unwrap_err().to_string();
        assert!(told.contains("in another region") && told.contains(REGION), "{told}");
        let request = heard.recv().unwrap();
        assert!(
            request.starts_with("GET /beifen?") && request.contains(SECRETS[2]),
            "the token is sent to the store alone"
        );
        assert!(heard.try_recv().is_err(), "and nothing elsewhere");
    }
}
