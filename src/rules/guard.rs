//! Guards: what a `when` says of the listing itself, such as `category in ['food'] and price < 100`.
//!
//! Main type: [`Guard`]. Words in texts are the clauses' matter; a guard looks at facts.

use jiff::civil::Date;

use crate::{
    model::{Listing, SellerKind},
    text::fold,
};

use super::{
    category::SectorSet,
    expression::{Expression, Mistake, Token, Tokens},
};

/// A boolean over a listing's facts.
pub(super) type Guard = Expression<Predicate>;

/// What is known of a listing from outside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// The day of its capture, in whose law it stands.
    pub day: Date,
    /// What goods of the mark that stands in it usually cost, in the price's currency; none where that is not known.
    pub usual_price: Option<f64>,
}

impl From<Date> for Given {
    fn from(day: Date) -> Self {
        Self { day, usual_price: None }
    }
}

/// One question to a listing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Predicate {
    /// In one of these sectors; a listing of unknown sector is in none.
    Category(Vec<String>),
    /// A part of its category path has one of these in it.
    CategoryText(Vec<String>),
    /// No word places the listing in a sector.
    UnknownCategory,
    /// It was captured in one of these windows.
    Date(Vec<Days>),
    /// One of these attributes is present and says something.
    HasAttribute(Vec<String>),
    /// The seller shows this.
    HasSeller(SellerFact),
    /// The price, compared; false where there is none.
    Price(Comparison, f64),
    /// The price, compared with a share of what goods of the mark usually cost; false where either is not known.
    PriceShare(Comparison, f64),
    /// A text, compared after folding; an absent one is empty.
    Text(Fact, TextTest),
}

/// Days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    /// Of every year, as month and day; over the end of the year where the last comes before the first.
    Yearly((i8, i8), (i8, i8)),
    Once(Date, Date),
}

impl Days {
    /// `MM-DD..MM-DD` or `YYYY-MM-DD..YYYY-MM-DD`.
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once("..")?;
        if let (Ok(first), Ok(last)) = (first.parse::<Date>(), last.parse::<Date>()) {
            return (first <= last).then_some(Self::Once(first, last));
        }
        let day = |text: &str| {
            let (month, day) = text.split_once('-').filter(|_| text.len() == 5)?;
            // A leap year has every day there is.
            let date = Date::new(2024, month.parse().ok()?, day.parse().ok()?).ok()?;
            Some((date.month(), date.day()))
        };
        Some(Self::Yearly(day(first)?, day(last)?))
    }

    fn has(self, day: Date) -> bool {
        match self {
            Self::Once(first, last) => first <= day && day <= last,
            Self::Yearly(first, last) => {
                let day = (day.month(), day.day());
                if first <= last { first <= day && day <= last } else { first <= day || day <= last }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SellerFact {
    Id,
    Name,
    License,
    Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Title,
    Brand,
    Platform,
    Seller(SellerFact),
    Attribute(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextTest {
    In(Vec<String>),
    NotIn(Vec<String>),
    Contains(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

/// Values by which a seller fills a field without saying anything.
const EMPTY_VALUES: [&str; 8] = ["", "无", "暂无", "没有", "否", "不适用", "none", "na"];

/// Reads a guard.
pub(super) fn parse(text: &str, known_sector: impl Fn(&str) -> bool) -> Result<Guard, Mistake> {
    Expression::parse(text, |tokens| predicate(tokens, &known_sector))
}

/// Whether `guard` holds for `listing`, whose sectors are `sectors`.
pub(super) fn holds(guard: &Guard, listing: &Listing, sectors: &SectorSet, given: Given) -> bool {
    guard.holds(&mut |predicate| answer(predicate, listing, sectors, given))
}

/// Whether `guard` asks what goods of a mark usually cost.
pub(super) fn asks_usual_price(guard: &Guard) -> bool {
    let mut asks = false;
    guard.leaves(true, &mut |predicate, _| asks |= matches!(predicate, Predicate::PriceShare(..)));
    asks
}

/// The facts of the listing that `guard` asks for, each once: `price 35`, `category food`, `date 2026-11-23`.
pub(super) fn facts(guard: &Guard, listing: &Listing, sectors: &SectorSet, given: Given) -> Vec<String> {
    let mut facts: Vec<String> = Vec::new();
    guard.leaves(true, &mut |predicate, _| {
        let fact = match predicate {
            Predicate::Category(_) | Predicate::UnknownCategory => format!("category {sectors}"),
            Predicate::CategoryText(_) => format!("category “{}”", listing.category.join(" / ")),
            Predicate::Date(_) => format!("date {}", given.day),
            Predicate::Price(..) => match &listing.price {
                Some(price) => format!("price {}", price.amount.as_f64()),
                None => "no price".to_owned(),
            },
            Predicate::PriceShare(..) => match (&listing.price, given.usual_price) {
                (Some(price), Some(usual)) => format!("price {} of usually {usual}", price.amount.as_f64()),
                (None, _) => "no price".to_owned(),
                (_, None) => "no usual price".to_owned(),
            },
            Predicate::Text(fact, _) => format!("“{}”", fact_text(fact, listing)),
            Predicate::HasAttribute(_) | Predicate::HasSeller(_) => return,
        };
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    });
    facts
}

fn predicate(tokens: &mut Tokens, known_sector: &impl Fn(&str) -> bool) -> Result<Predicate, Mistake> {
    let span = tokens.span();
    let Some(Token::Word(word)) = tokens.peek().cloned() else {
        return Err(tokens.unexpected("a fact such as `category`, `price` or `attr.has('…')`"));
    };
    tokens.next();
    match word.as_str() {
        "category" => category(tokens, known_sector),
        "category.unknown" => Ok(Predicate::UnknownCategory),
        "date" => date(tokens),
        "price" => price(tokens),
        "attr.has" => {
            tokens.expect("(")?;
            Ok(Predicate::HasAttribute(folded(tokens.texts(")")?)))
        }
        "seller.has" => {
            tokens.expect("(")?;
            let span = tokens.span();
            let name = tokens.text()?;
            tokens.expect(")")?;
            seller_fact(&name).map(Predicate::HasSeller).ok_or_else(|| {
                Mistake::new(span, format!("a seller has no `{name}`"), "write 'id', 'name', 'license' or 'kind'")
            })
        }
        "attr" => {
            tokens.expect("(")?;
            let name = tokens.text()?;
            tokens.expect(")")?;
            Ok(Predicate::Text(Fact::Attribute(fold(&name)), text_test(tokens)?))
        }
        "title" => Ok(Predicate::Text(Fact::Title, text_test(tokens)?)),
        "brand" => Ok(Predicate::Text(Fact::Brand, text_test(tokens)?)),
        "platform" => Ok(Predicate::Text(Fact::Platform, text_test(tokens)?)),
        other => match other.strip_prefix("seller.").and_then(seller_fact) {
            Some(fact) => Ok(Predicate::Text(Fact::Seller(fact), text_test(tokens)?)),
            None => Err(Mistake::new(
                span,
                format!("a listing has no fact `{other}`"),
                "use category, category.unknown, date, price, title, brand, platform, seller.id, seller.name, seller.license, seller.kind, seller.has('…'), attr('…') or attr.has('…')",
            )),
        },
    }
}

fn seller_fact(name: &str) -> Option<SellerFact> {
    match name {
        "id" => Some(SellerFact::Id),
        "name" => Some(SellerFact::Name),
        "license" => Some(SellerFact::License),
        "kind" => Some(SellerFact::Kind),
        _ => None,
    }
}

fn category(tokens: &mut Tokens, known_sector: &impl Fn(&str) -> bool) -> Result<Predicate, Mistake> {
    if tokens.take_word("contains") {
        return Ok(Predicate::CategoryText(folded(vec![tokens.text()?])));
    }
    if !tokens.take_word("in") {
        return Err(tokens.unexpected("`in [ … ]` or `contains`"));
    }
    tokens.expect("[")?;
    let mut sectors = Vec::new();
    loop {
        let span = tokens.span();
        let sector = tokens.text()?;
        if !known_sector(&sector) {
            return Err(Mistake::new(
                span,
                format!("there is no sector `{sector}`"),
                "use a sector of lists/sectors.toml, or add it there",
            ));
        }
        sectors.push(sector);
        if !tokens.take(",") {
            break;
        }
    }
    tokens.expect("]")?;
    Ok(Predicate::Category(sectors))
}

fn date(tokens: &mut Tokens) -> Result<Predicate, Mistake> {
    if !tokens.take_word("in") {
        return Err(tokens.unexpected("`in [ … ]`"));
    }
    tokens.expect("[")?;
    let mut windows = Vec::new();
    loop {
        let (span, text) = (tokens.span(), tokens.text()?);
        let Some(window) = Days::parse(&text) else {
            let help = "write '10-20..11-12' for every year, or '2026-10-20..2026-11-12' for one";
            return Err(Mistake::new(span, format!("`{text}` is no window of days"), help));
        };
        windows.push(window);
        if !tokens.take(",") {
            break;
        }
    }
    tokens.expect("]")?;
    Ok(Predicate::Date(windows))
}

fn price(tokens: &mut Tokens) -> Result<Predicate, Mistake> {
    let comparison = match tokens.peek() {
        Some(Token::Symbol("<")) => Comparison::Less,
        Some(Token::Symbol("<=")) => Comparison::AtMost,
        Some(Token::Symbol(">")) => Comparison::More,
        Some(Token::Symbol(">=")) => Comparison::AtLeast,
        Some(Token::Symbol("==")) => Comparison::Equal,
        Some(Token::Symbol("!=")) => Comparison::Unequal,
        _ => return Err(tokens.unexpected("`<`, `<=`, `>`, `>=`, `==` or `!=`")),
    };
    tokens.next();
    match tokens.peek() {
        Some(Token::Number(number)) => {
            let number = *number;
            tokens.next();
            if !tokens.take("*") {
                return Ok(Predicate::Price(comparison, number));
            }
            if tokens.take_word("usual_price") {
                return Ok(Predicate::PriceShare(comparison, number));
            }
            Err(tokens.unexpected("`usual_price`"))
        }
        _ => Err(tokens.unexpected("a number, or a share such as `0.3 * usual_price`")),
    }
}

fn text_test(tokens: &mut Tokens) -> Result<TextTest, Mistake> {
    if tokens.take("==") {
        return Ok(TextTest::In(folded(vec![tokens.text()?])));
    }
    if tokens.take("!=") {
        return Ok(TextTest::NotIn(folded(vec![tokens.text()?])));
    }
    if tokens.take_word("contains") {
        return Ok(TextTest::Contains(folded(vec![tokens.text()?])));
    }
    if tokens.take_word("in") {
        tokens.expect("[")?;
        return Ok(TextTest::In(folded(tokens.texts("]")?)));
    }
    Err(tokens.unexpected("`==`, `!=`, `contains` or `in`"))
}

fn folded(texts: Vec<String>) -> Vec<String> {
    texts.iter().map(|text| fold(text)).collect()
}

fn answer(predicate: &Predicate, listing: &Listing, sectors: &SectorSet, given: Given) -> bool {
    match predicate {
        Predicate::Category(wanted) => wanted.iter().any(|sector| sectors.has(sector)),
        Predicate::CategoryText(texts) => listing
            .category
            .iter()
            .map(|part| fold(part))
            .any(|part| texts.iter().any(|text| part.contains(text.as_str()))),
        Predicate::Date(windows) => windows.iter().any(|window| window.has(given.day)),
        Predicate::UnknownCategory => sectors.is_unknown(),
        Predicate::HasAttribute(names) => has_attribute(listing, names),
        Predicate::HasSeller(fact) => says_something(&fold(seller(listing, *fact))),
        Predicate::Price(comparison, number) => {
            listing.price.as_ref().is_some_and(|price| compare(price.amount.as_f64(), *comparison, *number))
        }
        Predicate::PriceShare(comparison, share) => {
            let both = listing.price.as_ref().zip(given.usual_price);
            both.is_some_and(|(price, usual)| compare(price.amount.as_f64(), *comparison, share * usual))
        }
        Predicate::Text(fact, test) => {
            let value = fold(&fact_text(fact, listing));
            match test {
                TextTest::In(texts) => texts.contains(&value),
                TextTest::NotIn(texts) => !texts.contains(&value),
                TextTest::Contains(texts) => texts.iter().any(|text| value.contains(text.as_str())),
            }
        }
    }
}

fn has_attribute(listing: &Listing, names: &[String]) -> bool {
    listing.attributes.iter().any(|(name, value)| {
        let name = fold(name);
        names.iter().any(|wanted| name.contains(wanted.as_str()))
            && value.as_str().is_some_and(|value| says_something(&fold(value)))
    })
}

fn says_something(folded: &str) -> bool {
    !EMPTY_VALUES.contains(&folded)
}

fn fact_text(fact: &Fact, listing: &Listing) -> String {
    match fact {
        Fact::Title => listing.title.clone(),
        Fact::Brand => listing.brand.clone().unwrap_or_default(),
        Fact::Platform => listing.platform.clone().unwrap_or_default(),
        Fact::Seller(fact) => seller(listing, *fact).to_owned(),
        Fact::Attribute(wanted) => listing
            .attributes
            .iter()
            .find(|(name, _)| fold(name) == *wanted)
            .and_then(|(_, value)| value.as_str())
            .unwrap_or("")
            .to_owned(),
    }
}

fn seller(listing: &Listing, fact: SellerFact) -> &str {
    let Some(seller) = &listing.seller else { return "" };
    match fact {
        SellerFact::Id => seller.id.as_deref(),
        SellerFact::Name => seller.name.as_deref(),
        SellerFact::License => seller.license.as_deref(),
        SellerFact::Kind => seller.kind().map(SellerKind::name),
    }
    .unwrap_or("")
}

fn compare(left: f64, comparison: Comparison, right: f64) -> bool {
    let equal = (left - right).abs() < 1e-9;
    match comparison {
        Comparison::Less => left < right && !equal,
        Comparison::AtMost => left < right || equal,
        Comparison::More => left > right && !equal,
        Comparison::AtLeast => left > right || equal,
        Comparison::Equal => equal,
        Comparison::Unequal => !equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(guard: &str, listing: &str) -> bool {
        let listing: Listing = serde_json::from_str(listing).unwrap();
        let guard = parse(guard, |_| true).unwrap();
        holds(&guard, &listing, &SectorSet::of(&["food"]), jiff::civil::date(2026, 11, 11).into())
    }

    #[test]
    fn a_window_of_days_is_of_every_year_or_of_one_and_may_go_over_new_year() {
        let tea = r#"{"title":"茶","category":["食品","茶饮 / 普洱"]}"#;
        assert!(asks("date in ['10-20..11-11']", tea) && asks("date in ['11-11..01-03', '06-01..06-18']", tea));
        assert!(!asks("date in ['11-12..01-03']", tea) && !asks("date in ['11-12..11-10']", tea));
        assert!(asks("date in ['2026-11-11..2026-11-11']", tea) && !asks("date in ['2025-11-01..2025-11-30']", tea));
        assert!(asks("category contains '普洱' and not category contains '饮料'", tea));
        for wrong in ["11-11", "02-30..03-01", "2026-12-01..2026-11-01", "1-1..2-2", "11-01..2026-12-01"] {
            let mistake = parse(&format!("date in ['{wrong}']"), |_| true).unwrap_err();
            assert_eq!(mistake.span, 9..9 + wrong.len() + 2, "{wrong}");
        }
    }

    #[test]
    fn a_guard_names_the_facts_that_it_asked_for() {
        let tea: Listing = serde_json::from_str(r#"{"title":"茶","price":{"amount":"35"}}"#).unwrap();
        let guard = parse("price < 20 and price > 1 and date in ['06-01..06-18']", |_| true).unwrap();
        let day = jiff::civil::date(2026, 11, 11);
        assert_eq!(facts(&guard, &tea, &SectorSet::default(), day.into()), ["price 35", "date 2026-11-11"]);
    }

    #[test]
    fn a_guard_asks_for_facts_of_the_listing() {
        let tea = r#"{"title":"苦荞茶","price":{"amount":"19.9"},"attributes":{"批准文号":"国食健注G20200001","产地":"无"},
            "seller":{"name":"山里人家"}}"#;
        assert!(asks("category in ['food', 'cosmetics'] and price < 20", tea));
        assert!(!asks("category in ['cosmetics'] or price >= 20", tea));
        assert!(asks("attr.has('批准文号') and not attr.has('产地')", tea), "`无` is no answer");
        assert!(asks("seller.has('name') and not seller.has('license')", tea));
        assert!(asks("seller.name contains '人家' and title != '绿茶' and attr('产地') == '无'", tea));
        assert!(!asks("category.unknown", tea));
        assert!(!asks("price > 0", r#"{"title":"t"}"#), "no price answers no comparison");
    }

    #[test]
    fn a_price_is_held_against_what_goods_of_the_mark_usually_cost() {
        let listing: Listing = serde_json::from_str(r#"{"title":"鞋","price":{"amount":"199"}}"#).unwrap();
        let asks = |guard: &str, usual_price| {
            let given = Given { day: jiff::civil::date(2026, 11, 11), usual_price };
            holds(&parse(guard, |_| true).unwrap(), &listing, &SectorSet::default(), given)
        };
        assert!(asks("price < 0.3 * usual_price", Some(699.0)) && !asks("price < 0.3 * usual_price", Some(600.0)));
        assert!(!asks("price < 0.3 * usual_price", None) && !asks("price >= 0.3 * usual_price", None));
        assert!(parse("price < 0.3 * price", |_| true).unwrap_err().message.contains("usual_price"));
    }

    #[test]
    fn a_seller_is_what_it_says_or_what_its_name_says() {
        for (seller, kind) in [
            (r#"{"name":"云雀官方旗舰店"}"#, "flagship"),
            (r#"{"name":"城南小铺","kind":"private"}"#, "private"),
            (r#"{"name":"云雀专营店","kind":"who knows"}"#, "specialty"),
            (r#"{"name":"小铺","license":"91420100MA4KXXXX0X"}"#, "company"),
        ] {
            let listing = format!(r#"{{"title":"t","seller":{seller}}}"#);
            assert!(asks(&format!("seller.kind == '{kind}' and seller.has('kind')"), &listing), "{seller}");
        }
        assert!(!asks("seller.has('kind')", r#"{"title":"t","seller":{"name":"小铺"}}"#));
    }

    #[test]
    fn a_wrong_guard_says_where() {
        let wrong = |text: &str| parse(text, |sector| sector == "food").unwrap_err();
        assert_eq!(wrong("category in ['fod']").span, 13..18);
        assert_eq!(wrong("colour == 'red'").span, 0..6);
        assert_eq!(wrong("price < 'x'").span, 8..11);
        assert!(wrong("seller.has('car')").message.contains("no `car`"));
        assert!(wrong("title ~ 'x'").message.contains("means nothing"));
        assert!(wrong("title").message.contains("is expected"));
    }
}
