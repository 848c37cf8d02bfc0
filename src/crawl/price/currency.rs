//! How people write currencies, and what ISO 4217 calls them.

/// Ways of writing, with the code. A form that several currencies share stands for the commonest.
const FORMS: &[(&str, &str)] = &[
    // China and its neighbours
    ("人民币", "CNY"),
    ("CN¥", "CNY"),
    ("RMB¥", "CNY"),
    ("RMB", "CNY"),
    ("元", "CNY"),
    ("圆", "CNY"),
    ("块钱", "CNY"),
    ("yuan", "CNY"),
    ("¥", "CNY"),
    ("CNH", "CNY"),
    ("圓", "TWD"),
    ("NT$", "TWD"),
    ("NTD", "TWD"),
    ("NT", "TWD"),
    ("新台币", "TWD"),
    ("新台幣", "TWD"),
    ("台币", "TWD"),
    ("HK$", "HKD"),
    ("港币", "HKD"),
    ("港元", "HKD"),
    ("港幣", "HKD"),
    ("MOP$", "MOP"),
    ("JP¥", "JPY"),
    ("日元", "JPY"),
    ("日圆", "JPY"),
    ("円", "JPY"),
    ("yen", "JPY"),
    ("₩", "KRW"),
    ("원", "KRW"),
    ("韩元", "KRW"),
    ("₮", "MNT"),
    ("₫", "VND"),
    ("đ", "VND"),
    ("vnđ", "VND"),
    ("฿", "THB"),
    ("บาท", "THB"),
    ("baht", "THB"),
    ("₱", "PHP"),
    ("Php", "PHP"),
    ("RM", "MYR"),
    ("S$", "SGD"),
    ("SG$", "SGD"),
    ("Rp", "IDR"),
    ("₭", "LAK"),
    ("៛", "KHR"),
    // Dollars
    ("US$", "USD"),
    ("US $", "USD"),
    ("U$S", "USD"),
    ("USD$", "USD"),
    ("美元", "USD"),
    ("dollars", "USD"),
    ("dollar", "USD"),
    ("$", "USD"),
    ("AU$", "AUD"),
    ("A$", "AUD"),
    ("澳元", "AUD"),
    ("CA$", "CAD"),
    ("CAN$", "CAD"),
    ("C$", "CAD"),
    ("加元", "CAD"),
    ("NZ$", "NZD"),
    ("J$", "JMD"),
    ("TT$", "TTD"),
    ("G$", "GYD"),
    ("MX$", "MXN"),
    ("Mex$", "MXN"),
    ("MXN$", "MXN"),
    ("CLP$", "CLP"),
    ("COL$", "COP"),
    ("R$", "BRL"),
    ("reais", "BRL"),
    ("AR$", "ARS"),
    ("$U", "UYU"),
    ("S/.", "PEN"),
    ("S/", "PEN"),
    ("B/.", "PAB"),
    ("Bs.", "BOB"),
    ("₲", "PYG"),
    ("₡", "CRC"),
    // Europe
    ("€", "EUR"),
    ("euros", "EUR"),
    ("euro", "EUR"),
    ("欧元", "EUR"),
    ("£", "GBP"),
    ("￡", "GBP"),
    ("₤", "GBP"),
    ("英镑", "GBP"),
    ("pound", "GBP"),
    ("Fr.", "CHF"),
    ("SFr.", "CHF"),
    ("sFr", "CHF"),
    ("CHf", "CHF"),
    ("zł", "PLN"),
    ("Kč", "CZK"),
    ("Kčs", "CZK"),
    ("Ft", "HUF"),
    ("lei", "RON"),
    ("leu", "RON"),
    ("лв.", "BGN"),
    ("лв", "BGN"),
    ("kn", "HRK"),
    ("ден", "MKD"),
    ("дин", "RSD"),
    ("din.", "RSD"),
    ("SEK", "SEK"),
    ("kr.", "SEK"),
    ("kr", "SEK"),
    ("Kr", "SEK"),
    ("skr", "SEK"),
    ("nkr", "NOK"),
    ("dkr", "DKK"),
    ("ISK", "ISK"),
    ("₺", "TRY"),
    ("TL", "TRY"),
    ("PTE", "PTE"),
    ("Esc", "CVE"),
    ("₴", "UAH"),
    ("грн.", "UAH"),
    ("грн", "UAH"),
    ("hrn", "UAH"),
    ("рублей", "RUB"),
    ("рубля", "RUB"),
    ("руб.", "RUB"),
    ("руб", "RUB"),
    ("RUR", "RUB"),
    ("₽", "RUB"),
    ("р.", "RUB"),
    ("Р", "RUB"),
    ("р", "RUB"),
    ("Rbl", "BYN"),
    ("Br", "BYN"),
    ("тг.", "KZT"),
    ("тг", "KZT"),
    ("₸", "KZT"),
    ("сум", "UZS"),
    ("so'm", "UZS"),
    ("som", "KGS"),
    ("сом", "KGS"),
    ("с", "KGS"),
    ("₾", "GEL"),
    ("ლ", "GEL"),
    ("lari", "GEL"),
    ("֏", "AMD"),
    ("₼", "AZN"),
    ("SPL", "SPL"),
    // South and west Asia
    ("₹", "INR"),
    ("र", "INR"),
    ("Rs.", "INR"),
    ("Rs", "INR"),
    ("₨", "INR"),
    ("INR", "INR"),
    ("රු", "LKR"),
    ("৳", "BDT"),
    ("Tk", "BDT"),
    ("؋", "AFN"),
    ("Nu.", "BTN"),
    ("﷼", "IRR"),
    ("تومان", "IRT"),
    ("ریال", "IRR"),
    ("₪", "ILS"),
    ("ש\"ח", "ILS"),
    ("NIS", "ILS"),
    ("ش.ج", "ILS"),
    ("Dhs", "AED"),
    ("Dh", "AED"),
    ("د.إ", "AED"),
    ("SR", "SAR"),
    ("ر.س", "SAR"),
    ("ريال", "SAR"),
    ("KD", "KWD"),
    ("د.ك", "KWD"),
    ("BD", "BHD"),
    (".د.ب", "BHD"),
    ("ر.ع", "OMR"),
    ("ر.ق", "QAR"),
    ("ر.ي", "YER"),
    ("د.ا", "JOD"),
    ("دينار أردني", "JOD"),
    ("JD", "JOD"),
    ("ID", "IQD"),
    ("د.ع", "IQD"),
    ("ل.ل", "LBP"),
    // Africa
    ("R", "ZAR"),
    ("E£", "EGP"),
    ("LE", "EGP"),
    ("جنيه", "EGP"),
    ("ج.م", "EGP"),
    ("ج.س", "SDG"),
    ("د.م", "MAD"),
    ("د.ت", "TND"),
    ("د.", "MAD"),
    ("₦", "NGN"),
    ("₵", "GHS"),
    ("GH₵", "GHS"),
    ("KShs", "KES"),
    ("KSh", "KES"),
    ("TSh", "TZS"),
    ("USh", "UGX"),
    ("FRw", "RWF"),
    ("R₣", "RWF"),
    ("FBu", "BIF"),
    ("Fdj", "DJF"),
    ("Nfk", "ERN"),
    ("نافكا", "ERN"),
    ("ብር", "ETB"),
    ("UM", "MRU"),
    ("FCFA", "XOF"),
    ("CFA", "XOF"),
    ("FG", "GNF"),
    ("Ar", "MGA"),
    ("MT", "MZN"),
    ("ZK", "ZMW"),
    ("P", "BWP"),
    ("Sl", "SZL"),
    ("₣", "CHF"),
    ("francs", "XOF"),
    ("VT", "VUV"),
    ("Vt", "VUV"),
    ("G", "HTG"),
    ("S'", "SOS"),
    ("₿", "BTC"),
];

/// Codes of ISO 4217 that shops use, and two that are not in it but stand on pages.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTC BTN BWP BYN BYR BZD \
    CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD \
    HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL LTL LVL LYD MAD \
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PTE PYG QAR RON \
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD \
    UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL";

/// A currency found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// ISO 4217.
    pub code: &'static str,
    /// How many bytes of text name it.
    pub length: usize,
    /// Whether the way of writing belongs to several currencies (`$`, `kr`, `¥`).
    pub shared: bool,
}

/// The currency that `text` begins with.
pub(super) fn at_start(text: &str) -> Option<Found> {
    let mut best: Option<Found> = None;
    for (form, code) in FORMS {
        let longer = same_letter(text.as_bytes().first(), form.as_bytes().first())
            && best.is_none_or(|found| form.len() > found.length);
        if longer && starts_with(text, form) && !joins(form.chars().next_back(), text.get(form.len()..)) {
            best = Some(Found { code, length: form.len(), shared: is_shared(form) });
        }
    }
    let code = text.get(..3).and_then(code).filter(|_| !joins(Some('A'), text.get(3..)));
    match (best, code) {
        (Some(found), Some(_)) if found.length > 3 => Some(found),
        (_, Some(code)) => Some(Found { code, length: 3, shared: false }),
        (found, None) => found,
    }
}

/// The currency that `text` ends with.
pub(super) fn at_end(text: &str) -> Option<Found> {
    let mut best: Option<Found> = None;
    for (form, code) in FORMS {
        if !same_letter(text.as_bytes().last(), form.as_bytes().last()) {
            continue;
        }
        let Some(start) = text.len().checked_sub(form.len()).filter(|&at| text.is_char_boundary(at)) else { continue };
        let longer = best.is_none_or(|found| form.len() > found.length);
        if longer && starts_with(&text[start..], form) && !joined_before(form.chars().next(), text.get(..start)) {
            best = Some(Found { code, length: form.len(), shared: is_shared(form) });
        }
    }
    let start = text.len().saturating_sub(3);
    let code = text.get(start..).and_then(code).filter(|_| !joined_before(Some('A'), text.get(..start)));
    match (best, code) {
        (Some(found), Some(_)) if found.length > 3 => Some(found),
        (_, Some(code)) => Some(Found { code, length: 3, shared: false }),
        (found, None) => found,
    }
}

/// The first currency named anywhere in `text`, single letters left aside.
pub(super) fn anywhere(text: &str) -> Option<Found> {
    let mut shared = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let may_begin = !(before.is_alphabetic() && c.is_alphabetic() && c.is_ascii() && before.is_ascii());
        if may_begin
            && !c.is_ascii_digit()
            && let Some(found) = text.get(at..).and_then(at_start)
            && (found.length > 1 && text.get(at..at + found.length).is_some_and(|form| form.chars().count() > 1)
                || !c.is_alphabetic()
                || !c.is_ascii() && !('А'..='я').contains(&c))
        {
            if !found.shared {
                return Some(found);
            }
            shared = shared.or(Some(found));
        }
        before = c;
    }
    shared
}

/// The code itself, if `text` is one, in capitals or small letters.
pub(super) fn code(text: &str) -> Option<&'static str> {
    if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let upper = text.to_ascii_uppercase();
    if text != upper && text != text.to_ascii_lowercase() {
        return None;
    }
    CODES.split_ascii_whitespace().find(|code| *code == upper).map(|code| match code {
        "BYR" => "BYN",
        other => other,
    })
}

/// Whether prices in `code` are written without decimals, so that three digits after a point are thousands.
pub(super) fn has_no_decimals(code: &str) -> bool {
    const NONE: &str =
        "ARS CLP COP CRC HUF IDR IQD IRR IRT JPY KHR KRW LAK MMK MNT PYG RSD TZS UGX UZS VND VUV XAF XOF XPF";
    NONE.split_ascii_whitespace().any(|known| known == code)
}

/// Whether prices in `code` have three decimals.
pub(super) fn has_three_decimals(code: &str) -> bool {
    ["BHD", "JOD", "KWD", "LYD", "OMR", "TND"].contains(&code)
}

/// Whether a form that means `$` may mean `code`.
pub(super) fn shares_sign(form_code: &str, code: &str) -> bool {
    const DOLLARS: &str = "ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUP DOP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD SRD TTD TWD USD UYU XCD";
    let is_in = |list: &str| list.split_ascii_whitespace().any(|known| known == code);
    match form_code {
        "USD" => is_in(DOLLARS),
        "CNY" => is_in("CNY JPY"),
        "SEK" => is_in("SEK NOK DKK ISK"),
        "GBP" => is_in("GBP EGP LBP SYP"),
        "INR" => is_in("INR PKR LKR NPR MUR SCR"),
        other => other == code,
    }
}

fn is_shared(form: &str) -> bool {
    matches!(form, "$" | "¥" | "kr" | "kr." | "Kr" | "£" | "Rs" | "Rs." | "₨")
}

fn same_letter(left: Option<&u8>, right: Option<&u8>) -> bool {
    left.zip(right).is_some_and(|(left, right)| left.eq_ignore_ascii_case(right))
}

/// Forms of three letters and more are known in any case; `Ft` and `ft` are different things.
fn starts_with(text: &str, form: &str) -> bool {
    if form.len() >= 3 && form.is_ascii() {
        return text.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form));
    }
    text.starts_with(form)
}

/// Whether a letter at the end of a form runs on into a word.
fn joins(last: Option<char>, rest: Option<&str>) -> bool {
    let next = rest.and_then(|rest| rest.chars().next());
    last.is_some_and(is_spaced_letter) && next.is_some_and(is_spaced_letter)
}

fn joined_before(first: Option<char>, before: Option<&str>) -> bool {
    let previous = before.and_then(|before| before.chars().next_back());
    first.is_some_and(is_spaced_letter) && previous.is_some_and(is_spaced_letter)
}

/// A letter of a script that puts spaces between words.
fn is_spaced_letter(c: char) -> bool {
    c.is_alphabetic() && !('\u{2E80}'..='\u{D7FF}').contains(&c)
}
