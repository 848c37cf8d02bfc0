//! From a site's profile to listings: robots, pace, fetch, product facts.
//!
//! The crawl knows neither marks nor rules; what a listing means is the monitor's business.

mod profile;

pub use profile::{
    AttributeRows, JsonList, ListPage, ListingPage, Pace, Profile, ProfileError, Schedule, Select, Selectors,
    UrlPattern,
};
