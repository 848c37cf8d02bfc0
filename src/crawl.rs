//! From a site's profile to listings: robots, pace, fetch, product facts.
//!
//! The crawl knows neither marks nor rules; what a listing means is the monitor's business.

mod address;
mod canonical;
mod charset;
mod coverage;
mod engine;
mod facts;
mod feed;
mod fetch;
mod frontier;
mod pace;
mod pointer;
mod price;
mod profile;
mod robots;
mod schedule;
mod secret;
mod settings;
mod sitemap;

pub use address::{Guard, PrivateAddress};
pub use canonical::canonical;
pub use charset::{CharsetSource, Decoded, decode, decode_as};
pub use coverage::{Asking, Coverage, CoverageError, Ended, Estimate, Known, Outcome, Validators, estimate};
pub use engine::{CrawlError, Fate, Fetched, RunReport, Services, Sink, SinkError, part_of, run, write_down};
pub use facts::{CompiledProfile, Item, LINKS, Links, PAGE_BYTES, PageText, extract, links, listing_of};
pub use feed::feed;
pub use fetch::{Answer, Body, Exchange, Extra, FetchError, Fetcher, Gate, Refusal, Upgraded, host_of};
pub use frontier::FrontierError;
pub use pace::Hosts;
pub use pointer::{find as find_pointer, first as first_at};
pub use price::{Price, currency_code, currency_may_be, parse as parse_price};
pub use profile::{
    Ask, Asked, AttributeRows, JsonFacts, JsonList, ListPage, ListingPage, MARKS, Method, Pace, PartsError, Place,
    Profile, ProfileError, Proxy, Query, RequestParts, Schedule, Select, Selectors, UrlPattern,
};
pub use robots::{AgentRules, MAX_ROBOTS_BYTES, Robots, Ruling};
pub use schedule::{ScheduleError, next_run};
pub use secret::{Secret, SecretError};
pub use settings::Settings;
