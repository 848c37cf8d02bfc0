//! Recall: a random sample of listings in which nothing was found goes to reviewers, who say whether something stands there;
//! what they find is a miss with its words, and all of it together says how much was found of what there is.

mod draw;
mod task;

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

pub(super) use draw::DRAW;
pub(super) use task::{Handed, next, page as task, undo};

use super::{
    Desk, WebError,
    card::{reference_href, time_words, visible},
    frame::Frame,
    quality::Bar,
    visit::Visit,
    words::Words,
};
use crate::{
    model::{Account, Missed, Permission, Remark, Saying},
    review::{Looked, MAX_SAMPLE, MIN_SAMPLE, Recall, Sample, Sampled},
};

/// Samples and misses listed.
const SAMPLES: usize = 20;
const MISSES: usize = 200;
/// Longest words of a miss, in characters.
pub(super) const MAX_WORDS_CHARS: usize = 200;

/// A sample, its listings, and what it says so far.
pub(super) struct Known {
    pub sample: Sample,
    pub listings: Vec<Sampled>,
    pub recall: Option<Recall>,
}

impl Desk {
    /// All samples, the newest first.
    pub(super) fn samples(&self) -> Vec<Known> {
        self.inner.board.samples().into_iter().take(SAMPLES).map(|sample| self.known(sample)).collect()
    }

    /// The sample of this name.
    pub(super) fn sample(&self, name: &str) -> Result<Known, WebError> {
        Ok(self.known(self.inner.board.sample(name).ok_or(WebError::NotFound)?))
    }

    fn known(&self, sample: Sample) -> Known {
        let listings = self.inner.board.sampled(&sample.name);
        let mut strata: BTreeMap<&str, Looked> = sample
            .strata
            .iter()
            .map(|stratum| (stratum.source.as_str(), Looked { listings: stratum.listings, ..Looked::default() }))
            .collect();
        for one in &listings {
            if let (Some(stratum), Some((_, _, missed))) = (strata.get_mut(one.source.as_str()), &one.looked) {
                stratum.looked += 1;
                stratum.missed += u64::from(missed.is_some());
            }
        }
        let strata: Vec<Looked> = strata.into_values().collect();
        let recall = Recall::of(&strata, self.inner.board.found().expected());
        Known { recall, listings, sample }
    }

    /// Keeps what `account` saw in a listing of a sample. Who looked first says it; they may say it otherwise later.
    pub(super) async fn look(
        &self,
        account: &Account,
        (sample, number): (&str, usize),
        missed: Option<Missed>,
    ) -> Result<(), WebError> {
        self.follow(true).await?;
        let known = self.sample(sample)?;
        let one = known.listings.into_iter().find(|one| one.number == number).ok_or(WebError::NotFound)?;
        if one.looked.is_some_and(|(by, _, _)| by != account.name) {
            return Err(WebError::Taken);
        }
        let missed = match missed {
            Some(missed) => Some(self.checked(&one.listing, missed).await?),
            None => None,
        };
        let says = Saying::Looked { sample: sample.to_owned(), number, missed };
        let (by, at) = (account.name.clone(), self.inner.clock.now());
        self.remark(Remark { key: format!("looked:{sample}:{number:05}"), by, at, says }).await?;
        self.inner.handed.close(sample, number);
        Ok(())
    }

    /// A miss whose words stand in the listing, and whose mark or rule there is.
    async fn checked(&self, listing: &crate::model::ListingId, missed: Missed) -> Result<Missed, WebError> {
        let words = missed.words.trim().to_owned();
        let stored = self.inner.store.listing(listing).await?.ok_or(WebError::NotFound)?;
        let stands = stored.listing.surfaces().iter().any(|surface| surface.text.contains(&words));
        if words.is_empty() || words.chars().count() > MAX_WORDS_CHARS || !stands {
            return Err(WebError::Field("words"));
        }
        let reference = missed.reference.trim().to_owned();
        let known = match crate::model::MarkId::new(&reference) {
            _ if reference.is_empty() => true,
            Ok(id) => super::api::set(self).rule(&reference).is_some() || self.inner.store.mark(&id).await?.is_some(),
            Err(_) => false,
        };
        if known { Ok(Missed { reference, words }) } else { Err(WebError::Field("reference")) }
    }

    /// Takes back what `account` said of a listing of a sample.
    pub(super) async fn unlook(&self, account: &Account, sample: &str, number: usize) -> Result<(), WebError> {
        self.follow(true).await?;
        let key = format!("looked:{sample}:{number:05}");
        let said = self.inner.board.remark(&key).ok_or(WebError::NotFound)?;
        if said.by != account.name {
            return Err(WebError::MayNot);
        }
        let (by, at) = (account.name.clone(), self.inner.clock.now());
        self.remark(Remark { key, by, at, says: Saying::Gone }).await
    }
}

/// What a sample says, in words and as bars.
pub(super) struct RecallView {
    pub recall: Bar,
    pub rate: Bar,
    pub missing: String,
}

pub(super) fn view(recall: &Recall, words: Words) -> RecallView {
    let many = |rate: f64| format!("{:.0}", rate * recall.listings as f64);
    let (value, low, high) = (many(recall.rate[0]), many(recall.rate[1]), many(recall.rate[2]));
    let all = recall.listings.to_string();
    let told = [("value", value.as_str()), ("low", low.as_str()), ("high", high.as_str()), ("all", all.as_str())];
    RecallView {
        recall: Bar::of_interval(recall.recall, words),
        rate: Bar::of_counted(recall.rate, (recall.missed, recall.looked), words),
        missing: words.with("recall-missing", &told),
    }
}

#[derive(Template)]
#[template(path = "desk/recall.html")]
struct RecallPage {
    f: Frame,
    looks: bool,
    leads: bool,
    keeps: bool,
    samples: Vec<SampleView>,
    misses: Vec<MissView>,
    open: usize,
    /// How far a sample is that is being drawn, and of how much; the second is 0 while the archive is brought up.
    running: Option<(u64, u64)>,
    broke_off: Option<String>,
    least: usize,
    most: usize,
}

struct SampleView {
    name: String,
    by: String,
    at: String,
    seed: String,
    drawn: usize,
    looked: usize,
    strata: Vec<(String, String)>,
    view: Option<RecallView>,
}

struct MissView {
    href: String,
    words: String,
    reference: String,
    reference_href: String,
    by: String,
    at: String,
    own: bool,
}

/// Samples, what they say, and what was missed.
pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    desk.follow(true).await?;
    let (account, words) = (visit.account()?, visit.words);
    let all = desk.samples();
    let misses = all.iter().flat_map(|known| known.listings.iter().map(move |one| (&known.sample, one)));
    let misses = misses.filter_map(|(sample, one)| {
        let (by, at, missed) = one.looked.as_ref()?;
        let missed = missed.as_ref()?;
        Some(MissView {
            href: format!("/recall/{}/{}", sample.name, one.number),
            words: visible(&missed.words),
            reference: visible(&missed.reference),
            reference_href: reference_href(&missed.reference),
            by: by.to_string(),
            at: time_words(*at, &desk.inner.zone),
            own: *by == account.name,
        })
    });
    let misses: Vec<MissView> = misses.take(MISSES).collect();
    let open = all.iter().flat_map(|known| &known.listings).filter(|one| one.looked.is_none()).count();
    let job = desk.inner.draws.find(DRAW);
    let broke_off = job.as_ref().and_then(|job| job.ended()).and_then(|ended| ended.as_ref().err());
    let page = RecallPage {
        looks: visit.may(Permission::DecideMany) && open > 0,
        leads: visit.may(Permission::LeadReview),
        keeps: desk.inner.archive.is_some(),
        misses,
        open,
        broke_off: broke_off.map(|why| visible(why)),
        running: job.filter(|job| job.ended().is_none()).map(|job| job.progress()),
        samples: all.iter().map(|known| sample_view(&desk, known, words)).collect(),
        least: MIN_SAMPLE,
        most: MAX_SAMPLE,
        f: Frame::new(&visit, "recall"),
    };
    Ok(Html(page.render()?))
}

fn sample_view(desk: &Desk, known: &Known, words: Words) -> SampleView {
    let sample = &known.sample;
    let source = |name: &str| if name.is_empty() { words.say("recall-other-sources") } else { visible(name) };
    SampleView {
        name: sample.name.clone(),
        by: sample.by.to_string(),
        at: time_words(sample.at, &desk.inner.zone),
        seed: sample.seed.to_string(),
        drawn: known.listings.len(),
        looked: known.listings.iter().filter(|one| one.looked.is_some()).count(),
        strata: sample
            .strata
            .iter()
            .map(|stratum| (source(&stratum.source), format!("{} / {}", stratum.drawn, stratum.listings)))
            .collect(),
        view: known.recall.as_ref().map(|recall| view(recall, words)),
    }
}

/// What the form of a new sample sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    size: String,
    seed: String,
}

/// Draws a sample.
pub(super) async fn begin(
    State(desk): State<Desk>,
    visit: Visit,
    Form(form): Form<Wanted>,
) -> Result<Response, WebError> {
    let size = form.size.trim().parse().map_err(|_| WebError::Field("size"))?;
    let seed = match form.seed.trim() {
        "" => None,
        seed => Some(seed.parse().map_err(|_| WebError::Field("seed"))?),
    };
    desk.draw(visit.account()?, size, seed).await?;
    Ok(Redirect::to("/recall").into_response())
}

/// Stops the sample that is being drawn.
pub(super) async fn stop(State(desk): State<Desk>) -> Redirect {
    desk.inner.draws.stop(DRAW);
    Redirect::to("/recall")
}

/// Takes what somebody saw in a listing.
pub(super) async fn looked(
    State(desk): State<Desk>,
    visit: Visit,
    Path((sample, number)): Path<(String, usize)>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Response, WebError> {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let missed = match field("found").as_str() {
        "no" => None,
        "yes" => Some(Missed { reference: field("reference"), words: field("words") }),
        // Whether there is such a listing is told first.
        _ if desk.sample(&sample).is_err() => return Err(WebError::NotFound),
        _ => return Err(WebError::Field("found")),
    };
    desk.look(visit.account()?, (&sample, number), missed).await?;
    Ok(Redirect::to(&format!("/recall/next?done={sample}-{number}")).into_response())
}
