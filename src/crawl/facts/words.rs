//! Words by which a page says what a thing on it is, in the languages of the shops we read.
//!
//! Data, not code: a shop's word that is not known is one more line here. All are lowercase.

/// Keys of JSON-LD that lead from a page to what it is about. Related products are not among them.
pub(super) const JSON_LD_PATHS: &[&str] = &[
    "@graph", "mainEntity", "mainEntityOfPage", "itemReviewed", "itemOffered", "about", "itemListElement", "item", "hasPart",
    "dataset", "product", "breadcrumb", "primaryEntity",
];

/// Parts of class names of prices.
pub(super) const PRICE_CLASS: &[&str] = &[
    "price", "prix", "preis", "precio", "preco", "prezzo", "cena", "prijs", "pris-", "hinta", "fiyat", "prc", "amount", "money",
    "jiage", "gia-", "harga", "ar_", "cost",
];
/// Parts of class names of prices one pays now.
pub(super) const PAID_CLASS: &[&str] =
    &["current", "sale", "final", "now", "actual", "special", "our", "main", "buy", "offer", "promo", "total", "new", "sell", "big", "product"];
/// Parts of class names of prices one does not pay.
pub(super) const NOT_PAID_CLASS: &[&str] = &[
    "old", "was-", "-was", "was_", "strike", "crossed", "list-price", "listprice", "list_price", "msrp", "rrp", "before", "saving", "save", "discount",
    "install", "shipping", "delivery", "unit-price", "unitprice", "per-unit", "perunit", "base-price", "baseprice", "original", "previous", "compare", "monthly",
    "credit", "regular", "cents", "decimal", "currency", "symbol", "alt-price", "bonus", "point", "cashback", "tax", "rating", "review", "filter", "range-slider", "striked", "deleted", "market",
];
/// Parts of class names and ids of page parts that are about something else.
pub(super) const ELSEWHERE: &[&str] = &[
    "related", "recommend", "similar", "carousel", "upsell", "up-sell", "cross-sell", "crosssell", "also", "recently", "minicart", "mini-cart", "basket", "cart-",
    "breadcrumb", "footer", "navigation", "navbar", "sidebar", "filter", "accessor", "bundle", "popular", "bestsell", "best-sell", "newsletter", "comment", "review",
    "slider", "suggest", "compare", "wishlist", "modal", "popup", "menu", "promo-banner", "product-list", "productlist", "products-grid", "listing-item", "product-card", "productcard", "product-tile", "complement", "widget", "viewed", "sponsored", "sims",
];
/// Parts of class names of statements about stock.
pub(super) const STOCK_CLASS: &[&str] = &[
    "availab",
    "stock",
    "dostupn",
    "dispon",
    "verfueg",
    "lager",
    "skladem",
    "inventory",
    "sold-out",
    "soldout",
    "kucun",
];
/// Parts of class names of article numbers.
pub(super) const NUMBER_CLASS: &[&str] = &[
    "sku",
    "product-code",
    "product_code",
    "productcode",
    "product-reference",
    "product_reference",
    "item-number",
    "itemnumber",
    "item-no",
    "article-number",
    "articlenumber",
    "article-nr",
    "articlenr",
    "artnr",
    "product-number",
    "productnumber",
    "product-id",
    "productid",
    "model-number",
    "part-number",
    "prod-code",
    "prodcode",
    "ref-product",
    "adno",
    "ad-id",
];
/// Parts of class names of brands.
pub(super) const BRAND_CLASS: &[&str] =
    &["brand", "byline", "manufacturer", "vendor", "marca", "marque", "znacka", "producent"];
/// Buttons by which a thing is bought.
pub(super) const BUY: &[&str] = &[
    "add to cart", "add to basket", "add to bag", "add to trolley", "buy now", "buy it now", "place bid", "order now", "加入购物车", "立即购买", "加入購物車", "立即購買", "放入购物车", "去购买", "马上抢",
    "in den warenkorb", "in den einkaufswagen", "ajouter au panier", "acheter", "añadir al carrito", "agregar al carro", "agregar a la bolsa", "agregar al carrito", "añadir a la cesta", "comprar", "adicionar ao carrinho",
    "aggiungi al carrello", "toevoegen aan winkelwagen", "in winkelwagen", "lägg i varukorg", "köp", "legg i handlekurv", "læg i kurv", "lisää ostoskoriin", "do koszyka", "dodaj do koszyka", "do košíka", "do košíku", "pridať do košíka", "vložit do košíku", "kosárba",
    "adaugă în coș", "adauga in cos", "sepete ekle", "в корзину", "добавить в корзину", "купить", "додати до кошика", "купити", "добави в количката", "dodaj v košarico", "v košarico", "dodaj u košaricu", "カートに入れる", "장바구니", "thêm vào giỏ", "beli sekarang", "הוסף לסל", "הוספה לסל", "أضف إلى السلة", "buy mp3", "make offer", "see all buying options",
];
/// What a page says of a thing that cannot be bought.
pub(super) const OUT: &[&str] = &[
    "out of stock", "out-of-stock", "sold out", "currently unavailable", "temporarily unavailable", "no longer available", "not available", "unavailable", "temporarily out of stock", "item is unavailable", "discontinued", "notify me when available", "email me when available",
    "缺货", "无货", "售罄", "已下架", "商品已下架", "下架", "暂时缺货", "已售完", "补货中", "缺貨", "售完", "完售", "nicht verfügbar", "nicht auf lager", "ausverkauft", "derzeit nicht verfügbar", "nicht lieferbar", "rupture de stock", "épuisé", "en rupture", "indisponible", "non disponible", "agotado", "sin stock", "sin existencias",
    "no disponible", "esgotado", "indisponível", "produto indisponível", "sem estoque", "esaurito", "non disponibile", "uitverkocht", "niet op voorraad", "slutsåld", "slut i lager", "udsolgt", "utsolgt", "loppunut", "brak w magazynie", "niedostępny", "produkt niedostępny", "vyprodáno", "vypredané", "není skladem", "nie je skladom", "momentálne nedostupné", "nedostupné", "momentálně nedostupné", "nincs készleten",
    "stoc epuizat", "indisponibil", "tükendi", "stokta yok", "нет в наличии", "распродано", "немає в наявності", "изчерпан", "ni na zalogi", "nema na zalihi", "在庫切れ", "품절", "hết hàng", "stok habis", "אזל", "אזל מהמלאי",
];
/// What a page says of a thing that is there.
pub(super) const IN: &[&str] = &[
    "in stock", "available now", "available", "instock", "ships today", "only 1 left", "有货", "现货", "在售", "有貨", "現貨", "auf lager", "sofort lieferbar", "lieferbar", "verfügbar", "en stock", "disponible", "disponível", "em estoque", "disponibile", "op voorraad", "i lager", "på lager",
    "varastossa", "w magazynie", "dostępny", "skladem", "skladom", "na sklade", "na sklade", "raktáron", "în stoc", "in stoc", "stokta", "в наличии", "есть в наличии", "в наявності", "наличен", "na zalogi", "na zalihi", "在庫あり", "còn hàng", "במלאי", "not sold", "for sale",
];
/// Labels of article numbers, the surest first.
pub(super) const SKU_LABELS: &[&str] = &[
    "sku", "asin", "item number", "item no", "item #", "item#", "item id", "product code", "product no", "product number", "product id", "article number", "article no", "art. no", "art.no", "art no", "art.", "artikelnummer", "artikel-nummer", "artikelnr", "artikel-nr", "artikel nr", "art.-nr", "art.nr", "art. nr", "bestellnummer", "best.-nr", "produktnummer",
    "anzeigennummer", "anzeige", "anzeigen-id", "web id", "webcode", "web code", "catalog no", "catalogue number", "cat. no", "stock code", "stock no", "style no", "style #", "style code", "ref.", "ref", "réf.", "réf", "référence", "reference", "referencia", "referência", "referentie", "riferimento", "codice prodotto", "codice articolo", "codice", "cod.", "cod", "código do produto", "código de producto", "código", "codigo", "cód.", "cód",
    "ean/sku", "kod produktu", "nr katalogowy", "indeks", "kód produktu", "kód zboží", "kód", "kod", "objednací číslo", "katalogové číslo", "šifra", "sifra", "šifra artikla", "cikkszám", "termékkód", "cod produs", "ürün kodu", "stok kodu", "артикул", "код товара", "код товару", "код продукта", "код", "номер товара", "каталожен номер", "varenr", "varenummer", "artikelnummer", "tuotenumero",
    "货号", "商品编号", "商品编码", "商品货号", "款号", "商品代碼", "商品編號", "品號", "商品番号", "品番", "型番", "상품번호", "상품코드", "mã sản phẩm", "mã sp", "mã hàng", "kode produk", "מק\"ט", "מקט", "listing id", "ad id", "ad number", "post id", "lot number", "dpci", "tcin", "ebay item number", "numéro de l'objet", "internet #", "model #", "model no", "model number", "model:", "mpn", "part number", "part no", "isbn-13", "isbn",
];
/// Labels of brands.
pub(super) const BRAND_LABELS: &[&str] = &[
    "brand", "brand name", "manufacturer", "品牌", "品牌名称", "marke", "hersteller", "marque", "fabricant", "marca", "fabricante", "merk", "merknaam", "märke", "varemærke", "merke", "marka", "producent", "značka", "výrobce", "výrobca", "gyártó", "brend", "blagovna znamka", "proizvajalec", "proizvođač", "бренд", "производитель", "марка", "виробник", "ブランド", "メーカー", "브랜드", "thương hiệu", "merek", "מותג", "יצרן", "label", "publisher", "författare",
];
/// Attributes that carry an article number.
pub(super) const SKU_ATTRIBUTES: &[&str] = &[
    "data-sku", "data-product-sku", "data-productsku", "data-asin", "data-product-code", "data-item-number", "data-product-id", "data-productid", "data-product_id", "data-item-id", "data-itemid", "data-pid", "data-prodid", "data-listing-id", "data-adid", "data-article", "data-code",
];
/// Names of form fields that carry one.
pub(super) const SKU_FIELDS: &[&str] = &[
    "sku", "asin", "product_sku", "productsku", "product_code", "productcode", "product_id", "productid", "product", "pid", "item_id", "itemid", "add-to-cart", "id_product", "goods_id", "goodsid", "skuid", "prodid", "catalogentryid",
];
/// Parameters of an address that carry one.
pub(super) const SKU_PARAMETERS: &[&str] =
    &["sku", "skuid", "sku_id", "itemid", "item_id", "goods_id", "goodsid", "productid", "product_id", "prodid", "pid", "id", "offerid"];

/// A brand as its label, link or placeholder leaves it; none when nothing is left.
pub(super) fn brand(text: &str) -> Option<String> {
    let labelled = text.rsplit_once([':', '：']).filter(|(label, _)| {
        let label = label.trim().to_lowercase();
        BRAND_LABELS.iter().any(|known| label.ends_with(known))
    });
    let text = labelled.map_or(text, |(_, rest)| rest).trim();
    let text = text.strip_prefix("by ").or_else(|| text.strip_prefix("By ")).unwrap_or(text);
    let text = text.strip_prefix("Visit the ").and_then(|rest| rest.strip_suffix(" Store")).unwrap_or(text);
    let is_placeholder = text.starts_with('$')
        || text.contains("{{")
        || text.eq_ignore_ascii_case("null")
        || text.eq_ignore_ascii_case("n/a");
    let fits = !text.is_empty() && text.chars().any(char::is_alphanumeric) && text.chars().count() <= 80;
    (fits && !is_placeholder).then(|| text.to_owned())
}

/// schema.org's word for an availability, from its address, a code word or a phrase.
pub(super) fn availability(text: &str) -> Option<&'static str> {
    const WORDS: &[(&str, &str)] = &[
        ("instock", "InStock"), ("available", "InStock"), ("availablefororder", "InStock"), ("yes", "InStock"), ("true", "InStock"), ("outofstock", "OutOfStock"), ("oos", "OutOfStock"),
        ("unavailable", "OutOfStock"), ("notavailable", "OutOfStock"), ("false", "OutOfStock"), ("soldout", "SoldOut"), ("preorder", "PreOrder"), ("presale", "PreSale"), ("backorder", "BackOrder"),
        ("discontinued", "Discontinued"), ("limitedavailability", "LimitedAvailability"), ("onlineonly", "OnlineOnly"), ("instoreonly", "InStoreOnly"), ("reserved", "Reserved"), ("madetoorder", "MadeToOrder"), ("pending", "InStock"),
    ];
    let last = text.trim().trim_end_matches('/').rsplit(['/', '#']).next().unwrap_or("");
    let word: String = last.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(40).collect();
    if let Some((_, found)) = WORDS.iter().find(|(known, _)| *known == word) {
        return Some(found);
    }
    let lower: String = text.chars().take(120).flat_map(char::to_lowercase).collect();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    if lower.contains("not sold") {
        Some("InStock")
    } else if says(OUT) {
        Some("OutOfStock")
    } else if says(IN) || says(BUY) {
        Some("InStock")
    } else {
        None
    }
}

/// A path of categories written in one text.
pub(super) fn category(path: &str) -> Vec<String> {
    let separator = [" > ", ">", " › ", "›", " » ", " | ", " / ", "/"].into_iter().find(|sign| path.contains(sign));
    let parts = separator.map_or_else(|| vec![path], |sign| path.split(sign).collect());
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).take(20).map(str::to_owned).collect()
}
