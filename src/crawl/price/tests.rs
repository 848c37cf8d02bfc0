use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    match parse(text, None) {
        Some(price) => format!("{} {}", price.amount, price.currency.as_deref().unwrap_or("-")),
        None => "none".into(),
    }
}

#[test]
fn prices_are_read_as_people_write_them() {
    for (text, expected) in [
        ("1.2万", "12000 -"),
        ("¥1.25万起", "12500 CNY"),
        ("到手价 ¥199", "199 CNY"),
        ("￥1,299.00起", "1299.00 CNY"),
        ("券后 ￥99", "99 CNY"),
        ("原价¥299 券后¥199", "199 CNY"),
        ("¥299 到手价¥199", "199 CNY"),
        ("满300减40 ¥269", "269 CNY"),
        ("199元/2件", "199 CNY"),
        ("１９９．００元", "199.00 CNY"),
        ("1.299,00 €", "1299.00 EUR"),
        ("1 299,00 kr", "1299.00 SEK"),
        ("$.75", "0.75 USD"),
        ("1250€ 600", "1250 EUR"),
        ("35€ 99", "35.99 EUR"),
        ("US $1.23", "1.23 USD"),
        ("$1,190.00 AUD", "1190.00 AUD"),
        ("SGD$4.90", "4.90 SGD"),
        ("HK$ 88", "88 HKD"),
        ("R$ 1.500,00", "1500.00 BRL"),
        ("8.000.000 ₫", "8000000 VND"),
        ("CHF 1'049,95", "1049.95 CHF"),
        ("12,000원", "12000 KRW"),
        ("423.923 KD", "423.923 KWD"),
        ("Buy Now - 2 Litre Was $120.00 Now $60.00", "60.00 USD"),
        ("1.198,- Kr", "1198 SEK"),
        ("45,00 zł", "45.00 PLN"),
        ("₹2,433", "2433 INR"),
        ("249 ₽", "249 RUB"),
        ("Free!", "0.00 -"),
        ("免费", "0.00 -"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn a_range_means_its_lowest_price() {
    for (text, expected) in [
        ("From 26 to 50 €", "26 EUR"),
        ("841,00 zł – 995,00 zł", "841.00 PLN"),
        ("¥99-199", "99 CNY"),
        ("99~199元", "99 CNY"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_price_is_none() {
    for text in ["", "40% OFF", "15.08.2017", "i", "CR2032", "Ops!", "-", "€", "免费送货上门"] {
        assert_eq!(read(text), "none", "{text}");
    }
}

#[test]
fn a_hint_decides_between_currencies_that_share_a_sign() {
    let with = |text, hint| parse(text, Some(hint)).unwrap().currency.unwrap();
    assert_eq!(with("¥1200", "JPY"), "JPY");
    assert_eq!(with("$60", "CAD"), "CAD");
    assert_eq!(with("199", "元"), "CNY");
    assert_eq!(with("€60", "CAD"), "EUR");
}

#[test]
fn what_a_program_wrote_has_a_decimal_point() {
    let machine = |text, hint| parse_machine(text, hint).map(|price| price.amount.to_string());
    assert_eq!(machine("71.910401", None).as_deref(), Some("71.9104"));
    assert_eq!(machine("12.345", Some("EUR")).as_deref(), Some("12.345"));
    assert_eq!(machine("229.990", Some("CLP")).as_deref(), Some("229990"));
    assert_eq!(machine("$60", None).as_deref(), Some("60"));
    assert_eq!(machine("", None), None);
}

#[test]
fn a_text_past_its_bound_is_not_read() {
    let long = format!("{}¥199", "价".repeat(PRICE_TEXT_BYTES));
    assert_eq!(parse(&long, None), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_text_makes_it_panic(text in "[\\PC0-9€$.,'  万kKr%-]{0,60}", hint in proptest::option::of("\\PC{0,8}")) {
        let _ = parse(&text, hint.as_deref());
        let _ = parse_machine(&text, hint.as_deref());
    }
}
