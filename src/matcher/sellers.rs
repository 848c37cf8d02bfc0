//! What the lists of sellers say of a finding: that they may, that they are known for not, or only that somebody looks.

use jiff::civil::Date;

use super::{nice::Classes, score::plain_step};
use crate::{
    model::{ListedSeller, Listing, Mark, SellerList, SellerLists, Step},
    text::fold,
};

/// What is allowed is set aside; what remains of its chance orders it among others of its kind.
const ALLOWED: f64 = 0.02;
const DENIED: f64 = 2.5;
const WATCHED: f64 = 1.3;

/// What was seen of a seller on lists.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Each entry that says something.
    pub(super) steps: Vec<Step>,
    /// Set where the seller may.
    pub(super) allowed: Option<Step>,
}

/// Looks a listing's seller up for `mark` on the day `on`.
pub(super) fn look(lists: &SellerLists, mark: &Mark, listing: &Listing, classes: &Classes, on: Date) -> Seen {
    let mut seen = Seen::default();
    let Some(seller) = &listing.seller else { return seen };
    let names = [seller.id.as_deref(), seller.name.as_deref(), seller.license.as_deref()];
    let mut denied_by_holder = false;
    for listed in names.into_iter().flatten().flat_map(|name| lists.named(name, &mark.holder)) {
        let why_not = outside(listed, lists, (mark, listing, classes), on);
        match (listed.list, why_not) {
            (SellerList::Allow, Some(why)) => seen.steps.push(lapsed(listed, why)),
            (_, Some(_)) => {}
            (SellerList::Allow, None) => {
                seen.allowed.get_or_insert_with(|| allowed(listed, lists));
            }
            (SellerList::Deny, None) => {
                denied_by_holder |= listed.holder.is_some();
                seen.steps.push(named(
                    listed,
                    ("seller.denied", DENIED),
                    ("在侵权卖家名单上", "is on the list of known infringers"),
                ));
            }
            (SellerList::Watch, None) => seen.steps.push(named(
                listed,
                ("seller.watched", WATCHED),
                ("在关注名单上", "is on the list of sellers to watch"),
            )),
        }
    }
    let licensed = mark.authorised_sellers.iter();
    let licensed =
        licensed.into_iter().find(|known| names.into_iter().flatten().any(|name| name.trim() == known.trim()));
    if let Some(licensed) = licensed {
        seen.allowed.get_or_insert_with(|| {
            let mut step = plain_step("context.authorised", ALLOWED, "", "");
            step.zh = format!("“{licensed}”在授权卖家名单上");
            step.en = format!("“{licensed}” is on the list of authorised sellers");
            step
        });
    }
    // Whoever a holder itself denies, it does not allow.
    if denied_by_holder {
        seen.allowed = None;
    }
    seen.steps.truncate(8);
    seen
}

/// Why an entry does not reach this offer, Chinese and English.
fn outside(
    listed: &ListedSeller,
    lists: &SellerLists,
    (mark, listing, classes): (&Mark, &Listing, &Classes),
    on: Date,
) -> Option<(&'static str, &'static str)> {
    if listed.from.is_some_and(|first| on < first) || listed.until.is_some_and(|last| last < on) {
        return Some(("当日不在有效期内", "it did not hold on that day"));
    }
    if let Some(letter) = &listed.letter
        && !lists.document(letter).is_some_and(|letter| letter.holds_on(on))
    {
        return Some(("所依据的授权书当日无效", "its letter did not hold on that day"));
    }
    let platform = listing.platform.as_deref().unwrap_or_default().trim();
    if !listed.platforms.is_empty() && !listed.platforms.iter().any(|known| known == platform) {
        return Some(("不及于该平台", "it does not reach this platform"));
    }
    if !listed.territory.is_empty()
        && !listed.territory.iter().any(|office| office.eq_ignore_ascii_case(&mark.jurisdiction))
    {
        return Some(("不及于该注册地", "it does not reach this territory"));
    }
    let of = if classes.of.is_empty() { &mark.nice_classes } else { &classes.of };
    if !listed.classes.is_empty() && !listed.classes.iter().any(|class| of.contains(class)) {
        return Some(("不及于该类商品", "it does not reach goods of this class"));
    }
    if !listed.goods.is_empty() {
        let told = std::iter::once(&listing.title).chain(&listing.category).chain(&listing.subtitle);
        let told = fold(&told.map(String::as_str).collect::<Vec<_>>().join(" "));
        let fits = |word: &String| Some(fold(word)).is_some_and(|word| !word.is_empty() && told.contains(&word));
        if !listed.goods.iter().any(fits) {
            return Some(("不及于该商品", "it does not reach these goods"));
        }
    }
    None
}

fn named(listed: &ListedSeller, (code, factor): (&str, f64), (zh, en): (&str, &str)) -> Step {
    let mut step = plain_step(code, factor, "", "");
    step.zh = format!("“{}”{zh}", listed.seller);
    step.en = format!("“{}” {en}", listed.seller);
    step
}

/// The entry that allows, with the letter it rests on.
fn allowed(listed: &ListedSeller, lists: &SellerLists) -> Step {
    let mut step =
        named(listed, ("seller.allowed", ALLOWED), ("在授权卖家名单上", "is on the list of authorised sellers"));
    if let Some(letter) = listed.letter.as_ref().and_then(|id| lists.document(id)) {
        let hash = letter.sha256.get(..12).unwrap_or_default();
        let days = |open: &str| {
            let day = |day: Option<Date>| day.map_or_else(|| open.to_owned(), |day| day.to_string());
            format!("{} – {}", day(letter.from), day(letter.until))
        };
        step.zh.push_str(&format!("，依据授权书“{}”（{}，SHA-256 {hash}…）", letter.title, days("不限")));
        step.en.push_str(&format!(", by the letter “{}” ({}, SHA-256 {hash}…)", letter.title, days("open")));
    }
    step
}

/// An entry that would allow, did it reach this offer.
fn lapsed(listed: &ListedSeller, (zh, en): (&str, &str)) -> Step {
    let mut step = plain_step("seller.out-of-scope", 1.0, "", "");
    step.zh = format!("“{}”虽在授权卖家名单上，但{zh}", listed.seller);
    step.en = format!("“{}” is on the list of authorised sellers, but {en}", listed.seller);
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        marks::import_csv,
        model::{AccountName, Document, DocumentKind, DocumentState, Seller, Timestamp},
    };

    fn listed(list: SellerList, change: impl FnOnce(&mut ListedSeller)) -> SellerLists {
        let mut entry = ListedSeller {
            id: "1".into(),
            holder: Some("云雀公司".into()),
            list,
            seller: "莆仙优品".into(),
            platforms: Vec::new(),
            classes: Vec::new(),
            goods: Vec::new(),
            territory: Vec::new(),
            from: None,
            until: None,
            letter: None,
            why: String::new(),
            by: AccountName::new("hu").unwrap(),
            at: Timestamp::UNIX_EPOCH,
        };
        change(&mut entry);
        let mut lists = SellerLists::default();
        lists.put(entry);
        lists
    }

    fn looked(lists: &SellerLists, on: &str) -> Seen {
        let mark =
            import_csv("m", "id,holder,text,jurisdiction,nice_classes\na,云雀公司,云雀,CN,25\n").unwrap().remove(0);
        let seller = Seller { name: Some(" 莆仙优品 ".into()), ..Seller::default() };
        let listing = Listing {
            title: "云雀 跑鞋".into(),
            platform: Some("星河商城".into()),
            seller: Some(seller),
            ..Listing::default()
        };
        let classes = Classes { of: vec![25], by_category: false };
        look(lists, &mark, &listing, &classes, on.parse().unwrap())
    }

    #[test]
    fn a_seller_is_allowed_within_the_scope_and_on_the_days_of_its_entry_alone() {
        type Change = fn(&mut ListedSeller);
        let cases: [(Change, bool); 14] = [
            (|_| {}, true),
            (|listed| listed.holder = None, true),
            (|listed| listed.holder = Some("鹿鸣公司".into()), false),
            (|listed| listed.platforms = vec!["星河商城".into()], true),
            (|listed| listed.platforms = vec!["老街集市".into()], false),
            (|listed| listed.classes = vec![9, 25], true),
            (|listed| listed.classes = vec![9], false),
            (|listed| listed.goods = vec!["跑鞋".into()], true),
            (|listed| listed.goods = vec!["帽".into()], false),
            (|listed| listed.territory = vec!["cn".into()], true),
            (|listed| listed.territory = vec!["EM".into()], false),
            (|listed| listed.until = Some("2026-11-27".parse().unwrap()), false),
            (|listed| listed.from = Some("2026-11-29".parse().unwrap()), false),
            (|listed| listed.letter = Some("none".into()), false),
        ];
        for (number, (change, allows)) in cases.into_iter().enumerate() {
            let seen = looked(&listed(SellerList::Allow, change), "2026-11-28");
            assert_eq!(seen.allowed.is_some(), allows, "case {number}: {seen:?}");
        }
    }

    #[test]
    fn a_letter_is_cited_and_allows_nothing_once_it_was_withdrawn_or_ended() {
        let mut lists = listed(SellerList::Allow, |listed| listed.letter = Some("L".into()));
        lists.file(Document {
            id: "L".into(),
            holder: "云雀公司".into(),
            kind: DocumentKind::Letter,
            title: "授权书.pdf".into(),
            sha256: "ab".repeat(32),
            bytes: 9,
            media: "application/pdf".into(),
            mark: None,
            from: None,
            until: Some("2026-12-31".parse().unwrap()),
            state: DocumentState::Filed,
            by: AccountName::new("hu").unwrap(),
            at: Timestamp::UNIX_EPOCH,
        });
        let step = looked(&lists, "2026-11-28").allowed.unwrap();
        assert!(step.zh.contains("授权书.pdf") && step.en.contains("abababababab…"), "{step:?}");
        let late = looked(&lists, "2027-01-01");
        assert!(late.allowed.is_none() && late.steps[0].code == "seller.out-of-scope");
        assert!(lists.set_state("L", DocumentState::Withdrawn));
        assert!(looked(&lists, "2026-11-28").allowed.is_none());
    }

    #[test]
    fn who_is_denied_weighs_more_and_is_not_allowed_by_the_same_holder() {
        let mut lists = listed(SellerList::Deny, |_| {});
        let allow = listed(SellerList::Allow, |listed| listed.id = "2".into());
        allow.all().for_each(|entry| lists.put(entry.clone()));
        let seen = looked(&lists, "2026-11-28");
        assert!(seen.allowed.is_none() && seen.steps.iter().any(|step| step.factor > 2.0), "{seen:?}");
        let watched = looked(&listed(SellerList::Watch, |listed| listed.holder = None), "2026-11-28");
        assert_eq!(watched.steps[0].code, "seller.watched");
    }
}
