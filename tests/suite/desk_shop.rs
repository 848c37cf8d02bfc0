//! A desk on loopback over a store with realistic hits, for the tests of the desk.

use std::{sync::Arc, time::Duration};

use markwarden::{
    alert::{self, Book, Sender},
    archive::Keeper,
    crawl::{self, Fetcher},
    model::{
        Account, AccountName, Capture, Finding, Hit, HitId, Listing, ListingId, ManualClock, NewHit, Role, Severity,
    },
    monitor::{Gate, Monitor, Sellers, Works},
    review,
    rules::{Floor, RuleSet},
    store::{Batch, ContentStore, MemoryStore, SledStore, Store, StoredListing, Write},
    web::{
        Accounts, Alerts, Desk, EvidenceReader, ListingReader, Oidc, OidcSettings, Parts, PasswordCost, Settings,
        Verification,
    },
};
use serde_json::{Value, json};

/// The password of every account here.
pub const PASSWORD: &str = "correct horse battery";

/// A running desk.
pub struct Shop {
    pub address: String,
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub desk: Desk,
    pub monitor: Option<Arc<Monitor>>,
    accounts: Arc<Accounts>,
    _folder: tempfile::TempDir,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

struct Reader;

/// The listings of the hits, as a store on the disk would show them.
struct Listings(Arc<dyn Store>);

impl ListingReader for Listings {
    fn each(&self, show: &mut dyn FnMut(&StoredListing) -> bool) -> Result<(), String> {
        for number in 1..=300 {
            let hit = futures_util::FutureExt::now_or_never(self.0.hit(HitId(number))).unwrap().unwrap();
            let Some(hit) = hit else { break };
            let (first_seen, last_seen) = (hit.what.found_at, hit.what.found_at);
            let stored = StoredListing { listing: hit.what.listing, capture: None, first_seen, last_seen };
            if !show(&stored) {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl EvidenceReader for Reader {
    async fn verify(&self, capture: &Capture) -> Verification {
        match capture.status {
            200 => Verification::Intact,
            _ => Verification::Damaged("sha-256 differs".into()),
        }
    }
}

impl Shop {
    /// A desk with the hits of [`hits`], and accounts lin (reviewer), audit (auditor), root (admin).
    pub async fn open() -> Self {
        Self::open_with(hits()).await
    }

    pub async fn open_with(hits: Vec<NewHit>) -> Self {
        Self::build(hits, review::Settings::default(), None).await
    }

    /// The same, with other settings of review.
    pub async fn open_as(hits: Vec<NewHit>, review: review::Settings) -> Self {
        Self::build(hits, review, None).await
    }

    /// The same, with the rules that come with the program.
    pub async fn open_with_rules() -> Self {
        Self::build(hits(), review::Settings::default(), Some(Arc::new(RuleSet::builtin().unwrap()))).await
    }

    async fn build(hits: Vec<NewHit>, review: review::Settings, rules: Option<Arc<RuleSet>>) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-20T09:30:00Z".parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
        let mut writes: Vec<Write> = hits.into_iter().map(Write::Hit).collect();
        writes.push(Write::Capture(capture("urn:uuid:1", 200)));
        writes.push(Write::Capture(capture("urn:uuid:2", 503)));
        store.apply(Batch { actor: "monitor".into(), writes }).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sellers = Arc::new(Sellers::open(folder.path().join("sellers.json")).unwrap());
        let monitor = match rules {
            Some(rules) => {
                let settings = markwarden::matcher::Settings::default();
                let monitor = Monitor::new(store.clone(), clock.clone(), Some(rules), settings).await.unwrap();
                Some(Arc::new(monitor.with_sellers(sellers.clone()).await.unwrap()))
            }
            None => None,
        };
        Self::start((store, clock), review, (monitor, None), (sellers, folder)).await
    }

    /// A desk without hits whose people may sign in at a provider.
    pub async fn open_with_provider(settings: OidcSettings) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-20T09:30:00Z".parse().unwrap()));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
        let folder = tempfile::tempdir().unwrap();
        let review = review::Settings::default();
        let beside = (Arc::default(), folder);
        Self::assemble((store, clock), review, (None, None), beside, (None, Some(settings))).await
    }

    /// A desk over a store on the disk, which holds `listings`, with their archive and with `rules` behind a gate.
    pub async fn open_kept(hits: Vec<NewHit>, listings: Vec<Listing>, mut rules: RuleSet) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-20T09:30:00Z".parse().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let settings = markwarden::store::Settings::default();
        let kept = Arc::new(SledStore::open(&folder.path().join("data"), &settings, clock.clone()).unwrap());
        let store: Arc<dyn Store> = kept.clone();
        let listed = listings.into_iter().map(|listing| Write::Listing {
            id: ListingId::new(&listing.id).unwrap(),
            listing,
            capture: None,
        });
        let writes = hits.into_iter().map(Write::Hit).chain(listed).collect();
        store.apply(Batch { actor: "monitor".into(), writes }).await.unwrap();
        let gate = Gate::open(folder.path().join("rules.json"), &*store, &rules, true).await.unwrap();
        gate.hold(&mut rules);
        let settings = markwarden::matcher::Settings::default();
        let monitor = Monitor::new(store.clone(), clock.clone(), Some(Arc::new(rules)), settings).await.unwrap();
        let monitor = Arc::new(monitor.with_gate(gate, Floor { min_precision: 0.5, min_decisions: 1_000 }));
        let sellers = Arc::new(Sellers::open(folder.path().join("sellers.json")).unwrap());
        let archive = Arc::new(Keeper::new(folder.path().join("archive"), kept));
        let review = review::Settings::default();
        Self::assemble((store, clock), review, (Some(monitor), None), (sellers, folder), (Some(archive), None)).await
    }

    /// A desk over a store that something filled, with what runs behind it.
    pub async fn start(
        kept: (Arc<dyn Store>, Arc<ManualClock>),
        review: review::Settings,
        behind: (Option<Arc<Monitor>>, Option<Arc<Works>>),
        beside: (Arc<Sellers>, tempfile::TempDir),
    ) -> Self {
        Self::assemble(kept, review, behind, beside, (None, None)).await
    }

    async fn assemble(
        (store, clock): (Arc<dyn Store>, Arc<ManualClock>),
        review: review::Settings,
        (monitor, works): (Option<Arc<Monitor>>, Option<Arc<Works>>),
        (sellers, folder): (Arc<Sellers>, tempfile::TempDir),
        (archive, oidc): (Option<Arc<Keeper>>, Option<OidcSettings>),
    ) -> Self {
        let accounts = Arc::new(open_cheap(&folder.path().join("accounts.json")));
        for (name, role) in [("lin", Role::Reviewer), ("audit", Role::Auditor), ("root", Role::Admin)] {
            accounts.add(&account(name, role), PASSWORD).unwrap();
        }
        let desk = Desk::new(Parts {
            store: store.clone(),
            accounts: accounts.clone(),
            clock: clock.clone(),
            settings: Settings::default(),
            review,
            evidence: Some(Arc::new(Reader)),
            journal: None,
            listings: Some(Arc::new(Listings(store.clone()))),
            archive,
            oidc: oidc.map(|settings| Arc::new(provider(settings, &clock))),
            content: Some(ContentStore::open(folder.path()).unwrap()),
            sellers: sellers.clone(),
            alerts: Some(alerts(folder.path(), &clock)),
            monitor: monitor.clone(),
            works,
        })
        .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serving = desk.clone();
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            markwarden::web::serve(listener, serving, stopped).await.unwrap();
        });
        Self { address, store, clock, desk, monitor, accounts, _folder: folder, stop: Some(stop) }
    }

    /// More hits, as a crawl brings them.
    pub async fn bring(&self, hits: Vec<NewHit>) {
        let writes = hits.into_iter().map(Write::Hit).collect();
        self.store.apply(Batch { actor: "monitor".into(), writes }).await.unwrap();
    }

    pub async fn hit(&self, id: u64) -> Hit {
        self.store.hit(HitId(id)).await.unwrap().unwrap()
    }

    /// A one-time address that signs `name` in.
    pub fn link(&self, name: &str, role: Role) -> String {
        self.link_as(account(name, role))
    }

    /// What the journal's notes say happened, in order.
    pub async fn noted(&self) -> Vec<String> {
        let changes = self.store.changes_since(0, 10_000).await.unwrap();
        let writes = changes.iter().flat_map(|change| {
            let batch = change.what.get("applied").and_then(|applied| applied.get("writes")).unwrap_or(&change.what);
            batch.as_array().cloned().unwrap_or_default()
        });
        writes.filter_map(|write| Some(write.get("what")?.as_str()?.to_owned())).collect()
    }

    /// The accounts, each in words.
    pub async fn listed(&self) -> Vec<String> {
        self.accounts.list().unwrap().iter().map(|account| format!("{account:?}")).collect()
    }

    /// A one-time address that signs this account in, whether or not it is kept.
    pub fn link_as(&self, who: Account) -> String {
        let path = self.desk.one_time_link(who, Duration::from_secs(600)).unwrap();
        format!("{}{path}", self.address)
    }

    /// Keeps this account, with the password of all of them.
    pub fn keep_account(&self, who: &Account) {
        self.accounts.add(who, PASSWORD).unwrap();
    }

    /// As `markwarden account remove` does.
    pub fn remove_account(&self, name: &str) {
        assert!(self.accounts.remove(&AccountName::new(name).unwrap()).unwrap());
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// A workbook whose only sheet is `sheet` (the inside of `sheetData`).
pub fn workbook(sheet: &str) -> Vec<u8> {
    let parts = [
        ("[Content_Types].xml", r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#.to_owned()),
        ("_rels/.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
        ("xl/workbook.xml", r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>"#.to_owned()),
        ("xl/_rels/workbook.xml.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#.to_owned()),
        ("xl/worksheets/sheet1.xml", format!(r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{sheet}</sheetData></worksheet>"#)),
    ];
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Alerts whose webhooks may be on this machine.
fn alerts(folder: &std::path::Path, clock: &Arc<ManualClock>) -> Alerts {
    let settings = alert::Settings { private_hosts: vec!["127.0.0.1".into()], ..alert::Settings::default() };
    let fetcher = Fetcher::new(Arc::new(crawl::Settings::default()), clock.clone()).unwrap();
    let book = Arc::new(Book::open(folder.join("alerts.json")).unwrap());
    Alerts { book, sender: Sender::new(settings, Arc::new(fetcher), clock.clone()) }
}

/// A provider on this machine.
fn provider(settings: OidcSettings, clock: &Arc<ManualClock>) -> Oidc {
    let fetcher = Fetcher::new(Arc::new(crawl::Settings::default()), clock.clone()).unwrap();
    Oidc::new(settings, Arc::new(fetcher), clock.clone())
}

/// Accounts whose passwords are hashed in no time: what hashes cost is tested where they are made.
fn open_cheap(path: &std::path::Path) -> Accounts {
    Accounts::open_at_cost(path, PasswordCost { memory_kib: 8, passes: 1 }).unwrap()
}

pub fn account(name: &str, role: Role) -> Account {
    Account::new(AccountName::new(name).unwrap(), role)
}

fn capture(id: &str, status: u16) -> Capture {
    serde_json::from_value(json!({
        "id": id, "url": "http://xinghe.example/p/1.html", "fetched_at": "2026-11-20T08:12:31Z", "status": status,
        "file": "markwarden-20261120-0001.warc.gz", "offset": 48213, "length": 9120,
        "record_sha256": "7f1c3a7be0c1a94d40ad3bdb6b3b3fbb5ee9f0aa7d6a3f6dd3af0bb1a9c5e210",
        "payload_sha256": "19b04c5e6f7a8b9c0d1e2f30415263748596a7b8c9dae0f1a2b3c4d5e6f70819"
    }))
    .unwrap()
}

/// A finding on `surface` of `listing` at the first place of `text`.
fn finding(listing: &Value, surface: &str, text: &str, rest: Value) -> Finding {
    let pointer = format!("/{}", surface.replace(['.', '['], "/").replace(']', ""));
    let whole = listing.pointer(&pointer).and_then(Value::as_str).unwrap();
    let at = whole.find(text).unwrap();
    let start = whole[..at].chars().count();
    let mut value = json!({
        "kind": "mark", "ref": "m-yunque-25", "family": "云雀体育用品有限公司", "surface": surface, "start": start,
        "end": start + text.chars().count(), "text": text, "word": "云雀", "channels": [], "score": 0.9,
        "severity": "high", "citation": "商标法 第五十七条第（二）项", "explanation": []
    });
    let object = value.as_object_mut().unwrap();
    object.extend(rest.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn new_hit(number: u32, priority: u8, listing: Value, findings: Vec<Finding>, capture: Option<&str>) -> NewHit {
    serde_json::from_value(json!({
        "dedupe": format!("{number:032x}"), "family": findings[0].family, "listing": listing,
        "severity": findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Low),
        "findings": findings, "priority": priority, "capture": capture, "evidence": null, "matched_with": "g7",
        "found_at": format!("2026-11-20T0{}:1{number}:00Z", number % 9)
    }))
    .unwrap()
}

/// Hits as a day brings them: disguises, rules, a hostile page, a long one, a live room.
pub fn hits() -> Vec<NewHit> {
    vec![disguised(), wide_and_cyrillic(), advertising(), hostile(), long(), live(), fitting(), traditional()]
}

fn disguised() -> NewHit {
    let listing = json!({
        "title": "2026新款 云\u{200B}雀·Skylark 男女同款气垫跑鞋 工厂直发", "platform": "星河商城",
        "url": "http://xinghe.example/p/1.html", "subtitle": "专柜同款，支持验货",
        "description": "云雀同厂同料，鞋底防滑耐磨。\n尺码36-45，拍下备注颜色。",
        "attributes": {"品牌": "云 雀", "货号": "YQ-2026", "适用季节": "四季", "鞋面材质": "飞织网布"},
        "price": {"amount": "89.00", "currency": "CNY"}, "sku": "YQ-2026",
        "seller": {"id": "s-771", "name": "莆仙优品鞋业", "license": "91350300MA31ABCD0X"},
        "category": ["运动户外", "跑步鞋"], "captured_at": "2026-11-20T08:12:31Z"
    });
    let steps = json!([
        {"code": "fold.invisible", "before": "云\u{200B}雀", "after": "云雀", "zh": "去掉词中看不见的字符 U+200B", "en": "Dropped the invisible character U+200B inside the word"},
        {"code": "match.exact", "before": "云雀", "after": "云雀", "zh": "与商标「云雀」逐字相同（第 25 类）", "en": "The same as the mark 云雀, character by character (class 25)"},
        {"code": "context.disguise", "factor": 1.2, "zh": "无辜的词里不会有隐形字符", "en": "Nobody puts an invisible character into an innocent word"}
    ]);
    let title = json!({"channels": ["invisible"], "score": 0.97, "severity": "critical", "explanation": steps});
    let attribute = json!({"channels": ["separator"], "score": 0.9, "explanation": [
        {"code": "fold.separator", "before": "云 雀", "after": "云雀", "zh": "去掉词中的空格", "en": "Dropped the space inside the word"}]});
    let skylark = json!({"ref": "m-skylark-25", "word": "Skylark", "score": 0.88});
    let findings = vec![
        finding(&listing, "title", "云\u{200B}雀", title),
        finding(&listing, "title", "雀·Skylark", skylark),
        finding(&listing, "attributes.品牌", "云 雀", attribute),
    ];
    new_hit(1, 243, listing, findings, Some("urn:uuid:1"))
}

fn wide_and_cyrillic() -> NewHit {
    let listing = json!({
        "title": "Ｎоvаlеnt 降噪耳机 原装正品 同款蓝牙5.3", "platform": "老街集市", "url": "https://laojie.example/item?id=88",
        "attributes": {"品牌": "其他"}, "price": {"amount": "1299.00", "currency": "CNY"},
        "seller": {"name": "数码小铺2026"}, "category": ["数码", "耳机"]
    });
    let steps = json!([
        {"code": "fold.width", "before": "Ｎоvаlеnt", "after": "Nоvаlеnt", "zh": "全角 Ｎ 改为 N", "en": "Full-width Ｎ to N"},
        {"code": "fold.confusable", "before": "Nоvаlеnt", "after": "novalent", "zh": "西里尔字母 о а е 改为拉丁字母", "en": "Cyrillic о а е to Latin letters"},
        {"code": "match.exact", "zh": "与商标「Novalent」相同", "en": "The same as the mark Novalent"}
    ]);
    let rest = json!({"ref": "m-novalent-9", "family": "诺瓦声学股份有限公司", "word": "Novalent",
        "channels": ["width", "confusable"], "score": 0.95, "severity": "critical", "explanation": steps});
    let findings = vec![finding(&listing, "title", "Ｎоvаlеnt", rest)];
    new_hit(2, 231, listing, findings, Some("urn:uuid:2"))
}

fn advertising() -> NewHit {
    let listing = json!({
        "title": "苦荞茶 根治糖尿病 全国第一 国家级配方 250g", "platform": "星河商城", "url": "http://xinghe.example/p/77.html",
        "description": "坚持饮用三个月，血糖恢复正常，无效退款。", "price": {"amount": "199.00", "currency": "CNY"},
        "seller": {"name": "康源草本旗舰店"}, "category": ["食品", "代用茶"]
    });
    let rule = |id: &str, word: &str, score: f64, severity: &str, law: &str| {
        json!({"kind": "rule", "ref": id, "family": "ad.food", "word": word, "score": score, "severity": severity, "citation": law,
            "explanation": [{"code": "rule.clause", "before": word, "after": word, "zh": "食品声称治疗疾病", "en": "A food claims to cure a disease"}]})
    };
    let findings = vec![
        finding(
            &listing,
            "title",
            "根治糖尿病",
            rule("ad.disease-claim", "根治糖尿病", 0.93, "critical", "广告法 第十七条"),
        ),
        finding(
            &listing,
            "title",
            "全国第一",
            rule("ad.superlative", "第一", 0.8, "medium", "广告法 第九条第（三）项"),
        ),
        finding(
            &listing,
            "title",
            "国家级",
            rule("ad.superlative", "国家级", 0.78, "medium", "广告法 第九条第（三）项"),
        ),
    ];
    new_hit(3, 210, listing, findings, Some("urn:uuid:1"))
}

fn hostile() -> NewHit {
    let listing = json!({
        "title": "<script>alert(1)</script><b>云雀</b> \u{202E}gnihton\u{202C} \"'&", "platform": "<img src=x onerror=alert(2)>",
        "url": "javascript:alert(3)", "description": "</div><style>body{display:none}</style>云雀 {{ 7*7 }}",
        "attributes": {"<svg onload=alert(4)>": "\" onmouseover=\"alert(5)"},
        "seller": {"name": "</title><script>alert(6)</script>"}
    });
    let findings = vec![
        finding(&listing, "title", "云雀", json!({"family": "<script>alert(7)</script>", "score": 0.7})),
        finding(
            &listing,
            "description",
            "云雀",
            json!({"explanation": [
            {"code": "x", "before": "<i>", "after": "\u{202E}<i>", "zh": "<script>alert(8)</script>", "en": "<script>alert(8)</script>"}]}),
        ),
    ];
    new_hit(4, 180, listing, findings, None)
}

fn long() -> NewHit {
    let filler = "本店所有商品均为实物拍摄，支持七天无理由退换，下单前请联系客服确认库存。".repeat(70);
    let listing = json!({
        "title": "家用收纳箱 大号 加厚 三件套", "platform": "简铺", "url": "http://jianpu.example/goods/501",
        "description": format!("{filler}内附Skylark云雀吊牌一枚。{filler}"),
        "reviews": [{"text": "质量不错"}, {"text": "和云雀专柜的一样"}], "price": {"amount": "59.90", "currency": "CNY"},
        "seller": {"name": "简居生活馆"}
    });
    let findings = vec![finding(&listing, "description", "云雀", json!({"score": 0.61, "severity": "medium"}))];
    new_hit(5, 120, listing, findings, Some("urn:uuid:1"))
}

fn live() -> NewHit {
    let listing = json!({
        "title": "今晚八点 源头工厂直播间", "platform": "星河直播",
        "timeline": [
            {"at_ms": 61000, "speaker": "主播", "text": "家人们晚上好，先点点关注", "kind": "caption"},
            {"at_ms": 725000, "speaker": "主播", "text": "云雀 原·单 懂的来，不解释", "kind": "caption"},
            {"at_ms": 731000, "speaker": "观众", "text": "是正品吗", "kind": "danmaku"}],
        "seller": {"name": "源头工厂直播"}
    });
    let steps = json!([{"code": "fold.separator", "before": "原·单", "after": "原单", "zh": "去掉词中的间隔号", "en": "Dropped the dot inside the word"}]);
    let rest = json!({"kind": "rule", "ref": "live.counterfeit-signal", "family": "live.counterfeit", "word": "原单",
        "channels": ["separator"], "score": 0.84, "explanation": steps});
    let findings = vec![finding(&listing, "timeline[1].text", "原·单", rest)];
    new_hit(6, 165, listing, findings, None)
}

fn fitting() -> NewHit {
    let listing = json!({
        "title": "适用于云雀X3手环的替换表带 硅胶", "platform": "简铺", "url": "http://jianpu.example/goods/9",
        "price": {"amount": "12.80", "currency": "CNY"}, "seller": {"name": "腕间配件"}
    });
    let steps = json!([{"code": "context.nominative", "factor": 0.4, "zh": "前有「适用于」：说明配件适用的商品", "en": "Follows 适用于: names the goods it fits"}]);
    let rest = json!({"score": 0.36, "severity": "low", "suppressed": "nominative use: 适用于", "explanation": steps});
    let findings = vec![finding(&listing, "title", "云雀", rest)];
    new_hit(7, 44, listing, findings, Some("urn:uuid:1"))
}

fn traditional() -> NewHit {
    let listing = json!({
        "title": "雲雀品牌登山杖 碳纖維 超輕", "platform": "老街集市", "url": "https://laojie.example/item?id=12",
        "price": {"amount": "168.00", "currency": "CNY"}, "seller": {"name": "山行户外"}
    });
    let steps = json!([{"code": "fold.traditional", "before": "雲雀", "after": "云雀", "zh": "繁体 雲 改为 云", "en": "Traditional 雲 to 云"}]);
    let rest = json!({"channels": ["traditional"], "score": 0.83, "explanation": steps});
    let findings = vec![finding(&listing, "title", "雲雀", rest)];
    new_hit(8, 150, listing, findings, Some("urn:uuid:1"))
}
