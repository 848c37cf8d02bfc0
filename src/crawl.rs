//! From a site's profile to listings: robots, pace, fetch, product facts.
//!
//! The crawl knows neither marks nor rules; what a listing means is the monitor's business.

mod address;
mod archived;
mod canonical;
mod charset;
mod coverage;
mod drift;
mod engine;
mod facts;
mod feed;
mod fetch;
mod frontier;
mod identity;
mod meters;
mod pace;
mod paused;
mod pointer;
mod price;
mod profile;
mod recrawl;
mod robots;
mod schedule;
mod secret;
mod settings;
mod sitemap;

pub use address::{Guard, PrivateAddress};
pub use archived::archived_text;
pub use canonical::canonical;
pub use charset::{CharsetSource, Decoded, decode, decode_as};
pub use coverage::{
    Asking, Coverage, CoverageError, Ended, Estimate, Known, LISTING_CHANGED, Outcome, Spent, Standing, Validators,
    Version, VersionsError, estimate, seller_key,
};
pub use drift::{Alarm, Drift, Fill};
pub use engine::{
    CrawlError, Fate, Fetched, RunReport, Services, Sink, SinkError, look_again, part_of, run, write_down,
};
pub use facts::{
    CompiledProfile, Item, LINKS, Links, MENDED, PAGE_BYTES, PageText, Proposal, Sample, extract, links, listing_of,
    propose, value_of,
};
pub use feed::feed;
pub use fetch::{Answer, Body, Exchange, Extra, FetchError, Fetcher, Gate, Refusal, Upgraded, host_of};
pub use frontier::FrontierError;
pub use identity::Addresses;
pub use meters::{Meter, Meters};
pub use pace::Hosts;
pub use paused::Paused;
pub use pointer::{find as find_pointer, first as first_at};
pub use price::{Price, currency_code, currency_may_be, parse as parse_price};
pub use profile::{
    Ask, Asked, AttributeRows, JsonFacts, JsonList, ListPage, ListingPage, MARKS, Method, Pace, PartsError, Place,
    Profile, ProfileError, Proxy, Query, Recrawl, RequestParts, Schedule, Select, Selectors, UrlPattern,
};
pub use recrawl::{FINDING, Habit, Intervals, Plan, Visit, Watched, plan};
pub use robots::{AgentRules, MAX_ROBOTS_BYTES, Robots, Ruling};
pub use schedule::{ScheduleError, next_run};
pub use secret::{Secret, SecretError};
pub use settings::Settings;
