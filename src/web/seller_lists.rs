//! The lists of sellers: who may, who is known for not, who is watched; each holder's own, and the desk's for all of them.

use askama::Template;
use axum::{
    Form,
    extract::{Path, RawQuery, State},
    response::{Html, Redirect},
};
use jiff::civil::Date;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Desk, WebError, api::today, card::visible, frame::Frame, tokens::hex, visit::Visit};
use crate::{
    model::{Account, DocumentKind, ListedSeller, Permission, SellerList, SellerLists},
    monitor,
    store::{Batch, Write},
};

/// Longest name, word or reason, in characters.
const MAX_CHARS: usize = 200;
/// Most parts of a scope's list.
const MAX_PARTS: usize = 50;
/// Rows of the page.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "desk/seller_lists.html")]
struct ListsPage {
    f: Frame,
    lists: Vec<(&'static str, String, usize, bool)>,
    list: String,
    text: String,
    rows: Vec<Row>,
    more: usize,
    changes: bool,
    holders: Vec<String>,
    letters: Vec<(String, String)>,
    seller: String,
    problem: Option<String>,
    added: Option<String>,
}

struct Row {
    id: String,
    seller: String,
    list: String,
    code: &'static str,
    holder: String,
    scope: Vec<String>,
    days: String,
    ended: bool,
    letter: Option<(String, String)>,
    why: String,
    may_remove: bool,
}

/// What the form sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    pub list: String,
    pub seller: String,
    pub holder: String,
    pub platforms: String,
    pub classes: String,
    pub goods: String,
    pub territory: String,
    pub from: String,
    pub until: String,
    pub letter: String,
    pub why: String,
}

impl Sent {
    /// Sets the field called `name`; one that there is not says nothing.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let field = match name {
            "list" => &mut self.list,
            "seller" => &mut self.seller,
            "holder" => &mut self.holder,
            "platforms" => &mut self.platforms,
            "classes" => &mut self.classes,
            "goods" => &mut self.goods,
            "territory" => &mut self.territory,
            "from" => &mut self.from,
            "until" => &mut self.until,
            "letter" => &mut self.letter,
            "why" => &mut self.why,
            _ => return,
        };
        value.clone_into(field);
    }
}

/// What is known now.
pub(super) async fn known(desk: &Desk) -> Result<std::sync::Arc<SellerLists>, WebError> {
    desk.inner.sellers.follow(&*desk.inner.store).await?;
    Ok(desk.inner.sellers.lists())
}

/// Whether `account` sees an entry: its holders' own, and the desk's for whoever sees everything.
pub(super) fn sees(account: &Account, listed: &ListedSeller) -> bool {
    match &listed.holder {
        Some(holder) => account.sees().has_holder(holder),
        None => account.sees().is_everything(),
    }
}

/// The lists.
pub(super) async fn page(
    State(desk): State<Desk>,
    visit: Visit,
    RawQuery(raw): RawQuery,
) -> Result<Html<String>, WebError> {
    show(&desk, &visit, &raw.unwrap_or_default(), None).await
}

pub(super) async fn show(
    desk: &Desk,
    visit: &Visit,
    raw: &str,
    problem: Option<String>,
) -> Result<Html<String>, WebError> {
    let pair = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(raw.as_bytes()).take(32);
        let found = pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default();
        found.chars().take(MAX_CHARS).collect::<String>()
    };
    let (list, text, seller) = (pair("list"), pair("text"), pair("seller"));
    let added: Option<u64> = pair("added").parse().ok();
    let (account, words, day) = (visit.account()?, visit.words, today(desk));
    let known = known(desk).await?;
    let own: Vec<&ListedSeller> = known.all().filter(|listed| sees(account, listed)).collect();
    let count = |one: SellerList| own.iter().filter(|listed| listed.list == one).count();
    let needle = text.to_lowercase();
    let has = |part: &str| part.to_lowercase().contains(&needle);
    let mut found: Vec<&&ListedSeller> = own
        .iter()
        .filter(|listed| list.is_empty() || listed.list.code() == list)
        .filter(|listed| has(&listed.seller) || has(&listed.why) || listed.holder.as_deref().is_some_and(has))
        .collect();
    found.sort_by(|a, b| a.seller.cmp(&b.seller).then(a.id.cmp(&b.id)));
    let changes = visit.may(Permission::ListSellers);
    let letters = known.documents().filter(|document| {
        document.kind == DocumentKind::Letter && account.sees().has_holder(&document.holder) && document.holds_on(day)
    });
    let page = ListsPage {
        lists: SellerList::ALL
            .into_iter()
            .map(|one| (one.code(), words.say(&format!("list-{}", one.code())), count(one), one.code() == list))
            .collect(),
        more: found.len().saturating_sub(ROWS),
        rows: found
            .into_iter()
            .take(ROWS)
            .map(|listed| Row {
                id: listed.id.clone(),
                seller: visible(&listed.seller),
                list: words.say(&format!("list-{}", listed.list.code())),
                code: listed.list.code(),
                holder: listed.holder.as_deref().map_or_else(|| words.say("list-for-all"), visible),
                scope: scope(listed),
                days: days(listed.from, listed.until),
                ended: listed.until.is_some_and(|last| last < day),
                letter: listed
                    .letter
                    .as_ref()
                    .and_then(|id| known.document(id))
                    .map(|letter| (format!("/documents/{}", letter.id), visible(&letter.title))),
                why: visible(&listed.why),
                may_remove: changes,
            })
            .collect(),
        changes,
        holders: account.sees().holders.unwrap_or_default().into_iter().collect(),
        letters: letters.take(ROWS).map(|letter| (letter.id.clone(), visible(&letter.title))).collect(),
        list,
        text,
        seller,
        problem,
        added: added.map(|new| words.count("list-added", new)),
        f: Frame::new(visit, "seller-lists"),
    };
    Ok(Html(page.render()?))
}

fn scope(listed: &ListedSeller) -> Vec<String> {
    let classes = listed.classes.iter().map(|class| format!("{class}"));
    let words = listed.platforms.iter().chain(&listed.goods).chain(&listed.territory);
    classes.chain(words.map(|word| visible(word))).collect()
}

/// `from – until`, empty where neither is set.
pub(super) fn days(from: Option<Date>, until: Option<Date>) -> String {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    if from.is_none() && until.is_none() { String::new() } else { format!("{} – {}", day(from), day(until)) }
}

/// A day of a form; none where the field is empty.
pub(super) fn day(text: &str, field: &'static str) -> Result<Option<Date>, WebError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| WebError::Field(field))
}

/// Parts between `;`, each once, none longer than is kept.
pub(super) fn parts(text: &str, field: &'static str) -> Result<Vec<String>, WebError> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split([';', '；', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        if part.chars().count() > MAX_CHARS || parts.len() >= MAX_PARTS {
            return Err(WebError::Field(field));
        }
        if !parts.iter().any(|known| known == part) {
            parts.push(part.to_owned());
        }
    }
    Ok(parts)
}

/// The holder that a form names, if it is one of the account's: the only one where it names none.
pub(super) fn holder(account: &Account, sent: &str) -> Result<Option<String>, WebError> {
    let (sees, sent) = (account.sees(), sent.trim());
    match sees.holders.as_ref().and_then(|holders| holders.first().filter(|_| holders.len() == 1)) {
        Some(only) if sent.is_empty() => return Ok(Some(only.clone())),
        _ => {}
    }
    if sent.chars().count() > MAX_CHARS || (!sent.is_empty() && !sees.has_holder(sent)) {
        return Err(WebError::Field("holder"));
    }
    Ok((!sent.is_empty()).then(|| sent.to_owned()))
}

/// Puts a seller on a list; the same again only says it anew.
pub(super) async fn add(State(desk): State<Desk>, visit: Visit, Form(sent): Form<Sent>) -> Result<Redirect, WebError> {
    let account = visit.account()?;
    let known = known(&desk).await?;
    let listed = listed(&desk, account, &known, &sent)?;
    write(&desk, account, vec![monitor::list(&listed)]).await?;
    Ok(Redirect::to(&format!("/seller-lists?list={}", listed.list.code())))
}

/// The entry that is asked for, if `account` may speak so.
pub(super) fn listed(
    desk: &Desk,
    account: &Account,
    known: &SellerLists,
    sent: &Sent,
) -> Result<ListedSeller, WebError> {
    let holder = holder(account, &sent.holder)?;
    if holder.is_none() && !account.sees().is_everything() {
        return Err(WebError::Field("holder"));
    }
    // Who sees some platforms speaks for those alone.
    let platforms = parts(&sent.platforms, "platforms")?;
    if let Some(own) = account.sees().platforms
        && (platforms.is_empty() || !platforms.iter().all(|platform| own.contains(platform)))
    {
        return Err(WebError::Field("platforms"));
    }
    let seller = sent.seller.trim();
    if seller.is_empty() || seller.chars().count() > MAX_CHARS {
        return Err(WebError::Field("seller"));
    }
    let classes = sent.classes.split([';', '；', ',', ' ', '、']).map(str::trim).filter(|part| !part.is_empty());
    let classes = classes.map(|class| class.parse().ok().filter(|class| (1..=45).contains(class)));
    let letter = Some(sent.letter.trim()).filter(|letter| !letter.is_empty());
    let cited = letter.map(|id| known.document(id).ok_or(WebError::Field("letter"))).transpose()?;
    // A letter speaks for its own holder alone.
    if cited.is_some_and(|cited| cited.kind != DocumentKind::Letter || holder.as_ref() != Some(&cited.holder)) {
        return Err(WebError::Field("letter"));
    }
    let mut listed = ListedSeller {
        id: String::new(),
        holder,
        list: SellerList::from_code(&sent.list).ok_or(WebError::Field("list"))?,
        seller: seller.to_owned(),
        platforms,
        classes: classes.take(MAX_PARTS).collect::<Option<_>>().ok_or(WebError::Field("classes"))?,
        goods: parts(&sent.goods, "goods")?,
        territory: parts(&sent.territory, "territory")?,
        from: day(&sent.from, "from")?,
        until: day(&sent.until, "until")?,
        letter: letter.map(str::to_owned),
        why: sent.why.trim().chars().take(MAX_CHARS).collect(),
        by: account.name.clone(),
        at: desk.inner.clock.now(),
    };
    let same = (&listed.holder, listed.list, &listed.seller, &listed.platforms, &listed.classes, &listed.goods);
    let same = serde_json::to_vec(&(same, &listed.territory, listed.from, listed.until, &listed.letter));
    listed.id = hex(&Sha256::digest(same.unwrap_or_default())).chars().take(32).collect();
    Ok(listed)
}

/// Takes a seller that `account` sees off its list.
pub(super) async fn take_off(desk: &Desk, account: &Account, id: &str) -> Result<(), WebError> {
    let known = known(desk).await?;
    let listed = known.listed(id).filter(|listed| sees(account, listed)).ok_or(WebError::NotFound)?;
    write(desk, account, vec![monitor::unlist(listed)]).await
}

/// Takes a seller off a list.
pub(super) async fn remove(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Redirect, WebError> {
    take_off(&desk, visit.account()?, &id).await?;
    Ok(Redirect::to("/seller-lists"))
}

/// Writes, and lets the matcher know at once.
pub(super) async fn write(desk: &Desk, account: &Account, writes: Vec<Write>) -> Result<(), WebError> {
    desk.inner.store.apply(Batch { actor: account.name.to_string(), writes }).await?;
    match &desk.inner.monitor {
        Some(monitor) => monitor.refresh().await?,
        None => drop(desk.inner.sellers.follow(&*desk.inner.store).await?),
    }
    Ok(())
}
