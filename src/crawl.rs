//! From a site's profile to listings: robots, pace, fetch, product facts.
//!
//! The crawl knows neither marks nor rules; what a listing means is the monitor's business.

mod address;
mod archived;
mod canaries;
mod canonical;
mod charset;
mod coverage;
mod drift;
mod engine;
mod expected;
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
mod recorded;
mod recrawl;
mod render;
mod robots;
mod schedule;
mod secret;
mod settings;
mod sitemap;
mod sketch;

pub use address::{Guard, PrivateAddress};
pub use archived::Archived;
pub use canaries::{CanaryAlarm, CanaryReading, Sung};
pub use canonical::canonical;
pub use charset::{CharsetSource, Decoded, decode, decode_as};
pub use coverage::{
    Alike, Asking, Coverage, CoverageError, Ended, Estimate, Known, LISTING_CHANGED, MAX_ALIKE, NEAR_BITS, NearCopies,
    Outcome, Spent, Standing, Validators, Version, VersionsError, estimate, fingerprint, seller_key,
};
pub use drift::{Alarm, Drift, Fill};
pub use engine::{
    CrawlError, Fate, Fetched, Looked, RunReport, Services, Sink, SinkError, look_again, look_at, part_of, run,
    write_down,
};
pub use expected::{Difference, Expected, FACTS};
pub use facts::{
    CompiledProfile, Item, LINKS, Links, MENDED, PAGE_BYTES, PageText, Proposal, Sample, Shape, Sketch, extract, links,
    listing_of, propose, sketch, value_of,
};
pub use feed::feed;
pub use fetch::{Answer, Body, Exchange, Extra, FetchError, Fetcher, Gate, Refusal, Upgraded, host_of};
pub use frontier::{Entry, Frontier, FrontierError, Purpose};
pub use identity::Addresses;
pub use meters::{Meter, Meters};
pub use pace::Hosts;
pub use paused::Paused;
pub use pointer::{find as find_pointer, first as first_at};
pub use price::{Price, currency_code, currency_may_be, parse as parse_price};
pub use profile::{
    Ask, Asked, AttributeRows, Canary, JsonFacts, JsonList, ListPage, ListingPage, MARKS, MAX_CANARIES, Method, Pace,
    PartsError, Place, Profile, ProfileError, Proxy, Query, Recrawl, Render, RequestParts, Schedule, Select, Selectors,
    UrlPattern,
};
pub use recorded::{MAX_RECORDED, Recorded, Taken, differs, facts_file, is_name, name_of, recorded_folder};
pub use recrawl::{FINDING, Habit, Intervals, Plan, Sign, Signs, Visit, Watched, plan};
pub use render::{BrowserSettings, RenderError, Renderer, find_browser};
pub use robots::{AgentRules, MAX_ROBOTS_BYTES, Robots, Ruling};
pub use schedule::{ScheduleError, next_run};
pub use secret::{Secret, SecretError};
pub use settings::Settings;
pub use sketch::{Grounds, bare_profile, draft_profile, id_of};
