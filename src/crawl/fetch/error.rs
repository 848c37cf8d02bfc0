//! Why a page was not fetched, and whether asking again may help.

use url::Url;

use super::body::BodyError;
use crate::crawl::address::PrivateAddress;

/// A request that was never made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not http or https.
    #[error("{url} is not asked for: only http and https are")]
    Scheme {
        /// The address.
        url: String,
    },
    /// An address beyond all reason.
    #[error("an address of {bytes} bytes is not asked for")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A user name or password in the address.
    #[error("an address of {host} carries a user name or password and is not asked for")]
    Credentials {
        /// The host.
        host: String,
    },
    /// A host outside the profile.
    #[error("{host} is not among the profile's hosts: add it to `hosts` if it belongs to the site")]
    Scope {
        /// The host.
        host: String,
    },
    /// An address that is not public.
    #[error(transparent)]
    Private(#[from] PrivateAddress),
    /// robots.txt forbids it.
    #[error("robots.txt forbids {url} ({line})")]
    Robots {
        /// The address.
        url: String,
        /// The deciding line.
        line: String,
    },
    /// robots.txt could not be had, so nothing of the host is asked for.
    #[error("nothing is asked of {host} for now: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why its robots.txt could not be had.
        why: String,
    },
    /// A person stopped all requests to the host.
    #[error("nothing is asked of {host}: it was stopped with `crawl stop`; `crawl resume` lets it be visited again")]
    Halted {
        /// The host.
        host: String,
    },
    /// The run's budget is spent.
    #[error("the run's budget of {pages} pages is spent: raise pace.max_pages to read more")]
    Budget {
        /// The budget.
        pages: u64,
    },
    /// The run is stopping.
    #[error("the run is stopping")]
    Stopping,
}

/// Why a page was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The request was not made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No whole answer in time.
    #[error("fetching {url}: no whole answer within {seconds} s; raise pace.timeout if the site is slow")]
    Timeout {
        /// The address.
        url: String,
        /// The limit.
        seconds: f64,
    },
    /// A body over the limit, before or after decoding.
    #[error(
        "fetching {url}: the body has more than {limit} bytes; raise pace.max_body_bytes if that is right for the site"
    )]
    TooLarge {
        /// The address.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// A body whose encoding is broken or unknown.
    #[error("fetching {url}: the body cannot be decoded: {what}")]
    Undecodable {
        /// The address.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// Too many redirects, or around in a circle.
    #[error("fetching {url}: {count} redirects{}", if *.around { " in a circle" } else { ", more than pace.max_redirects" })]
    Redirects {
        /// The last address.
        url: String,
        /// How many.
        count: usize,
        /// Whether an address came again.
        around: bool,
    },
    /// A redirect to something that is no address.
    #[error("fetching {url}: redirected to `{location}`, which is no address")]
    Location {
        /// The address.
        url: String,
        /// The header's value.
        location: String,
    },
    /// The host asks for a longer rest than a run waits.
    #[error("{host} asks to come back in {seconds} s; a later run goes on")]
    AskedToWait {
        /// The host.
        host: String,
        /// How long.
        seconds: u64,
    },
    /// No connection, or one that broke.
    #[error("fetching {url}: {what}")]
    Network {
        /// The address.
        url: String,
        /// What the network said.
        what: String,
    },
    /// An answer other than the one that a stream needs.
    #[error("{url} answered {status}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The client cannot be made.
    #[error("cannot prepare for requests: {0}")]
    Client(String),
    /// A User-Agent that is no header.
    #[error("`{agent}` cannot be sent as User-Agent: write crawl.product and crawl.contact in plain ASCII")]
    UserAgent {
        /// The value.
        agent: String,
    },
    /// The fetcher was shut down.
    #[error("the fetcher has stopped")]
    Stopped,
}

impl FetchError {
    /// A stable word for the kind of failure, for reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::Robots { .. }) => "robots",
            Self::Refused(Refusal::Unreachable { .. }) => "robots_unreachable",
            Self::Refused(Refusal::Private(_)) => "private_address",
            Self::Refused(Refusal::Scope { .. }) => "scope",
            Self::Refused(Refusal::Halted { .. }) => "halted",
            Self::Refused(Refusal::Budget { .. }) => "budget",
            Self::Refused(Refusal::Stopping) | Self::Stopped => "stopped",
            Self::Refused(_) => "refused",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::Undecodable { .. } => "undecodable",
            Self::Redirects { .. } | Self::Location { .. } => "redirects",
            Self::AskedToWait { .. } => "asked_to_wait",
            Self::Network { .. } => "network",
            Self::Status { .. } => "status",
            Self::Client(_) | Self::UserAgent { .. } => "client",
        }
    }

    /// Whether asking again soon may help.
    pub fn retry(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Network { .. })
    }

    pub(super) fn network(url: &Url, error: &reqwest::Error) -> Self {
        let mut causes = Vec::new();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
        while let Some(inner) = cause {
            if let Some(private) = inner.downcast_ref::<PrivateAddress>() {
                return Self::Refused(Refusal::Private(private.clone()));
            }
            causes.push(inner.to_string());
            cause = inner.source();
        }
        causes.dedup();
        let what = if causes.is_empty() { error.to_string() } else { causes.join(": ") };
        Self::Network { url: url.to_string(), what }
    }

    pub(super) fn body(url: &Url, error: BodyError, limit: u64) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge { url: url.to_string(), limit },
            BodyError::Broken(what) => Self::Undecodable { url: url.to_string(), what },
        }
    }
}
