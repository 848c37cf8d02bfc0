//! The shops' pages, made from data when they are asked for.

use askama::Template;
use serde_json::{Value, json};

use crate::model::{Amount, Listing};

use super::{
    Style,
    data::{CharsetLie, Form, Item},
};

/// What a listing's page shows.
struct View<'a> {
    number: &'a str,
    canonical: String,
    title: &'a str,
    subtitle: &'a str,
    description: &'a str,
    amount: String,
    fen: u64,
    price_text: String,
    price_in_content: bool,
    old_price: String,
    sku: &'a str,
    brand: &'a str,
    availability: &'a str,
    stock_text: &'static str,
    seller_id: &'a str,
    seller_name: &'a str,
    license: &'a str,
    category: &'a [String],
    images: Vec<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
    reviews: Vec<&'a str>,
    related: Vec<Card<'a>>,
    sold: u64,
}

/// A listing named on another page.
struct Card<'a> {
    title: &'a str,
    href: &'a str,
    price: String,
    image: &'a str,
}

#[derive(Template)]
#[template(path = "xinghe_listing.html")]
struct XingheListing<'a> {
    p: &'a View<'a>,
    json_ld: String,
}

#[derive(Template)]
#[template(path = "laojie_listing.html")]
struct LaojieListing<'a> {
    p: &'a View<'a>,
    charset: &'static str,
}

#[derive(Template)]
#[template(path = "jianpu_listing.html")]
struct JianpuListing<'a> {
    p: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "xinghe_list.html")]
struct XingheList<'a> {
    page: usize,
    pages: usize,
    cards: Vec<Card<'a>>,
    extra: Vec<&'a str>,
}

#[derive(Template)]
#[template(path = "laojie_list.html")]
struct LaojieList<'a> {
    page: usize,
    pages: usize,
    cards: Vec<Card<'a>>,
    extra: Vec<&'a str>,
}

/// The HTML of a listing's page; `base` is the shop's address, `related` what it also recommends.
pub(super) fn listing(style: Style, base: &str, item: &Item, related: &[&Item]) -> Result<String, askama::Error> {
    let view = View::new(base, item, related);
    let html = match style {
        Style::Xinghe => XingheListing { p: &view, json_ld: json_ld(&view, item.page.form, base) }.render()?,
        Style::Laojie => {
            let charset = if item.page.charset == Some(CharsetLie::MetaLies) { "utf-8" } else { "gb2312" };
            LaojieListing { p: &view, charset }.render()?
        }
        Style::Jianpu => JianpuListing { p: &view }.render()?,
    };
    Ok(if item.page.broken { broken(&html) } else { html })
}

/// One page of a list, from 1; a JSON document where the shop's list is one.
pub(super) fn list(
    style: Style,
    (page, pages): (usize, usize),
    items: &[&Item],
    extra: Vec<&str>,
) -> Result<String, askama::Error> {
    let cards = items.iter().map(|item| Card::new(item)).collect();
    match style {
        Style::Xinghe => XingheList { page, pages, cards, extra }.render(),
        Style::Laojie => LaojieList { page, pages, cards, extra }.render(),
        Style::Jianpu => Ok(json_list((page, pages), items, &extra)),
    }
}

fn json_list((page, pages): (usize, usize), items: &[&Item], extra: &[&str]) -> String {
    let goods = items.iter().map(|item| {
        let card = Card::new(item);
        json!({ "gid": item.number().parse::<u64>().unwrap_or_default(), "name": card.title, "price": card.price })
    });
    let gone = extra.iter().map(|path| json!({ "gid": path.rsplit('/').next(), "name": "（已下架）", "price": null }));
    let cursor = (page < pages).then(|| format!("n{}", page + 1));
    json!({ "code": 0, "msg": "ok", "data": { "list": goods.chain(gone).collect::<Vec<_>>(), "cursor": cursor } })
        .to_string()
}

impl<'a> View<'a> {
    fn new(base: &str, item: &'a Item, related: &[&'a Item]) -> Self {
        let facts = &item.listing;
        let amount = amount(facts);
        let shown = item.page.price_text.clone();
        let seller = facts.seller.as_ref();
        let availability = facts.availability.as_deref().unwrap_or("InStock");
        Self {
            number: item.number(),
            canonical: format!("{base}{}", item.page.path),
            title: &facts.title,
            subtitle: facts.subtitle.as_deref().unwrap_or(""),
            description: facts.description.as_deref().unwrap_or(""),
            amount: amount.to_string(),
            fen: amount.ten_thousandths() / 100,
            price_in_content: shown.is_none(),
            price_text: shown.unwrap_or_else(|| format!("￥{amount}")),
            old_price: format!("{:.2}", amount.as_f64() * 1.6),
            sku: facts.sku.as_deref().unwrap_or(""),
            brand: facts.brand.as_deref().unwrap_or(""),
            availability,
            stock_text: stock_text(availability),
            seller_id: seller.and_then(|seller| seller.id.as_deref()).unwrap_or(""),
            seller_name: seller.and_then(|seller| seller.name.as_deref()).unwrap_or(""),
            license: seller.and_then(|seller| seller.license.as_deref()).unwrap_or(""),
            category: &facts.category,
            images: facts.images.iter().map(|image| image.url.as_str()).collect(),
            attributes: facts
                .attributes
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
                .collect(),
            reviews: facts.reviews.iter().map(|review| review.text.as_str()).collect(),
            related: related.iter().map(|item| Card::new(item)).collect(),
            sold: item.number().parse::<u64>().unwrap_or_default() * 37 % 900 + 12,
        }
    }
}

impl<'a> Card<'a> {
    fn new(item: &'a Item) -> Self {
        Self {
            title: &item.listing.title,
            href: item.link(),
            price: amount(&item.listing).to_string(),
            image: item.listing.images.first().map_or("", |image| &image.url),
        }
    }
}

fn amount(listing: &Listing) -> Amount {
    listing.price.as_ref().map_or(Amount::from_hundredths(0), |price| price.amount)
}

fn stock_text(availability: &str) -> &'static str {
    match availability {
        "OutOfStock" => "缺货",
        "PreOrder" => "预售",
        _ => "有货",
    }
}

/// The JSON-LD of a page, in the page's own bad habits.
fn json_ld(view: &View<'_>, form: Form, base: &str) -> String {
    let crumbs: Vec<Value> = view
        .category
        .iter()
        .enumerate()
        .map(|(index, name)| json!({ "@type": "ListItem", "position": index + 1, "name": name }))
        .collect();
    let crumbs = json!({ "@type": "BreadcrumbList", "itemListElement": crumbs });
    let value = if form == Form::Array {
        json!([crumbs, product(view, form, base)])
    } else {
        let shop = json!({ "@type": "WebSite", "@id": format!("{base}/#site"), "name": "星河商城", "url": base });
        json!({ "@context": "https://schema.org", "@graph": [shop, crumbs, recommended(view, base), product(view, form, base)] })
    };
    let text = value.to_string().replace("</", "<\\/");
    match form {
        Form::Graph | Form::Array => text,
        Form::Comment => format!("<!--\n{text}\n-->"),
        Form::Cdata => format!("//<![CDATA[\n{text}\n//]]>"),
        // Line breaks and tabs stand raw inside the strings, which JSON forbids and shops do.
        Form::Control => text.replacen("。", "。\n\t", 2),
    }
}

fn product(view: &View<'_>, form: Form, base: &str) -> Value {
    let array = form == Form::Array;
    let price = if array { json!(view.amount.parse::<f64>().unwrap_or_default()) } else { json!(view.amount) };
    let offer = json!({
        "@type": "Offer",
        "price": price,
        "priceCurrency": "CNY",
        "availability": format!("https://schema.org/{}", view.availability),
        "seller": { "@type": "Organization", "name": view.seller_name },
    });
    let reviews: Vec<Value> =
        view.reviews.iter().map(|words| json!({ "@type": "Review", "reviewBody": words })).collect();
    let mut product = json!({
        "@context": "https://schema.org",
        "@type": if array { json!(["Product", "Thing"]) } else { json!("Product") },
        "@id": view.canonical,
        "url": view.canonical,
        "name": view.title,
        "description": view.description,
        "sku": view.sku,
        "image": view.images.iter().map(|image| format!("{base}{image}")).collect::<Vec<_>>(),
        "offers": if array { json!([offer]) } else { offer },
        "review": reviews,
    });
    if let (false, Some(fields)) = (view.brand.is_empty(), product.as_object_mut()) {
        let brand = if array { json!(view.brand) } else { json!({ "@type": "Brand", "name": view.brand }) };
        fields.insert("brand".into(), brand);
    }
    product
}

/// Other products with other prices, before the page's own: reading these for the page is wrong.
fn recommended(view: &View<'_>, base: &str) -> Value {
    let items: Vec<Value> = view
        .related
        .iter()
        .enumerate()
        .map(|(index, card)| {
            let offer = json!({ "@type": "Offer", "price": card.price, "priceCurrency": "CNY" });
            let other = json!({ "@type": "Product", "name": card.title, "url": format!("{base}{}", card.href), "offers": offer });
            json!({ "@type": "ListItem", "position": index + 1, "item": other })
        })
        .collect();
    json!({ "@type": "ItemList", "name": "猜你喜欢", "itemListElement": items })
}

/// Unclosed and crossed tags, and an end in the middle of one.
fn broken(html: &str) -> String {
    let kept = html.split("<footer").next().unwrap_or(html);
    let mut out = kept.replace("<h1>简 铺</h1>", "<b><i>简 铺</b></i>");
    for tag in ["</p>", "</dt>", "</dd>", "</main>"] {
        out = out.replace(tag, "");
    }
    out + "<div class=\"foot\"><a href=\"/g/"
}
