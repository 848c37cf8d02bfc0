//! An S3 store of someone else's making on this machine: moto's server, found by `MARKWARDEN_MOTO`.
//!
//! Skipped with a visible line where it is missing, unless `MARKWARDEN_REQUIRE_MOTO=1`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

use markwarden::store::{Access, StoreError, Vault};
use reqwest::{Method, StatusCode};

use crate::store_shop::wait;

/// Secrets that no output may hold.
pub const SECRET_KEY: &str = "geheim/Schluessel+0123456789";
pub const SESSION_TOKEN: &str = "sitzung/Marke+0123456789==";
pub const BUCKET: &str = "beifen";

/// A server of its own, with a bucket, ended with the test.
pub struct Moto {
    process: Child,
    pub endpoint: String,
    pub key_id: String,
    pub secret_key: String,
    /// The certificate to trust, for https.
    pub certificate: Option<String>,
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Moto {
    /// None, with a line that says so, where there is no moto.
    pub fn start(test: &str) -> Option<Self> {
        let moto = Self::start_with(test, &[])?;
        moto.admin(Method::PUT, BUCKET, "");
        Some(moto)
    }

    /// With more arguments for the server; without a bucket.
    pub fn start_with(test: &str, arguments: &[&str]) -> Option<Self> {
        let Some(program) = std::env::var_os("MARKWARDEN_MOTO") else {
            assert!(std::env::var_os("MARKWARDEN_REQUIRE_MOTO").is_none(), "MARKWARDEN_MOTO does not name moto_server");
            eprintln!("skipped: {test}: MARKWARDEN_MOTO does not name moto_server");
            return None;
        };
        let mut process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let running = lines.find_map(|line| line.split_once("Running on ").map(|(_, url)| url.trim().to_owned()));
        // What it says later must go somewhere, or it would wait.
        std::thread::spawn(move || lines.for_each(drop));
        let endpoint = running.expect("moto_server says where it runs");
        Some(Self {
            process,
            endpoint,
            key_id: "AKIDTEST".to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            certificate: None,
        })
    }

    /// A request that nobody has to sign.
    pub fn admin(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Vec<u8> {
        self.ask(method, path, body, "s3")
    }

    fn ask(&self, method: Method, path: &str, body: impl Into<reqwest::Body>, service: &str) -> Vec<u8> {
        let url = format!("{}/{path}", self.endpoint);
        // moto tells its services apart by the signature's scope.
        let scope = format!("AWS4-HMAC-SHA256 Credential=admin/20260101/us-east-1/{service}/aws4_request");
        wait(async {
            drop(rustls::crypto::ring::default_provider().install_default());
            let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
            let content_type = if service == "iam" { "application/x-www-form-urlencoded" } else { "text/plain" };
            let request =
                client.request(method, url).header("authorization", scope).header("content-type", content_type);
            let answer = request.body(body).send().await.unwrap();
            let status = answer.status();
            let body = answer.bytes().await.unwrap().to_vec();
            assert!(
                status.is_success() || status == StatusCode::NOT_FOUND,
                "{path}: {status} {}",
                String::from_utf8_lossy(&body)
            );
            body
        })
    }

    /// The keys in the bucket.
    pub fn keys(&self) -> Vec<String> {
        let listing = String::from_utf8(self.admin(Method::GET, &format!("{BUCKET}?list-type=2"), "")).unwrap();
        listing.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }

    /// From now on only a key that was made here may enter, with this policy.
    pub fn guard(&mut self, policy: &str) {
        let iam = |form: String| String::from_utf8(self.ask(Method::POST, "", form, "iam")).unwrap();
        iam("Action=CreateUser&UserName=keeper&Version=2010-05-08".into());
        let policy: String = url::form_urlencoded::byte_serialize(policy.as_bytes()).collect();
        iam(format!("Action=PutUserPolicy&UserName=keeper&PolicyName=p&PolicyDocument={policy}&Version=2010-05-08"));
        let key = iam("Action=CreateAccessKey&UserName=keeper&Version=2010-05-08".into());
        let field = |name: &str| {
            let (_, rest) = key.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        let (key_id, secret_key) = (field("AccessKeyId"), field("SecretAccessKey"));
        (self.key_id, self.secret_key) = (key_id, secret_key);
        self.ask(Method::POST, "moto-api/reset-auth", "0", "s3");
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "AWS_ACCESS_KEY_ID" => Some(self.key_id.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(self.secret_key.clone()),
            "AWS_ENDPOINT_URL" => Some(self.endpoint.clone()),
            _ => None,
        }
    }

    /// The vault below `prefix` in the bucket.
    pub fn vault(&self, prefix: &str) -> Result<Vault, StoreError> {
        Vault::in_bucket(BUCKET, prefix, Access::from_environment(|name| self.variable(name), false)?)
    }

    /// The program with the secrets in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
        command.args(arguments).env("NO_COLOR", "1");
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"] {
            command.env(name, self.variable(name).unwrap());
        }
        command.env("AWS_SESSION_TOKEN", SESSION_TOKEN).env("AWS_REGION", "us-east-1");
        match &self.certificate {
            Some(path) => command.env("SSL_CERT_FILE", path),
            None => &mut command,
        };
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}
