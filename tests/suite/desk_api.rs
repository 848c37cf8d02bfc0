//! The API from outside: tokens, pages, versions, requests done once, exports, and its description.

use std::collections::BTreeSet;

use markwarden::{
    model::{HitState, Role},
    web::{api_document, routes},
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    desk::Visitor,
    desk_shop::{PASSWORD, Shop, hits},
};

/// A program with a token of lin's.
struct Program<'a> {
    shop: &'a Shop,
    client: reqwest::Client,
    token: String,
}

impl<'a> Program<'a> {
    async fn with(shop: &'a Shop, scope: &[&str]) -> Self {
        Self::of("lin", shop, scope).await
    }

    async fn of(name: &str, shop: &'a Shop, scope: &[&str]) -> Self {
        let mut visitor = Visitor::stranger(shop);
        visitor.sign_in(name, PASSWORD).await;
        let mut form = vec![("label", "a program"), ("days", "30")];
        form.extend(scope.iter().map(|code| ("scope", *code)));
        let page = visitor.post("/account/tokens", &form).await.text().await.unwrap();
        let token = format!("mw_{}", page.split("mw_").nth(1).unwrap().split('<').next().unwrap());
        Self { shop, client: visitor.client.clone(), token }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}/api/v1/{path}", self.shop.address));
        request.header("authorization", format!("Bearer {}", self.token))
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        value(self.get(path).await).await
    }

    fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.ask(Method::POST, path).header("content-type", "application/json").body(body.to_string())
    }
}

async fn value(answer: Response) -> Value {
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[test]
fn the_description_names_every_address_and_no_other() {
    let document: Value = serde_json::from_str(&api_document()).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        described.extend(methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let there: BTreeSet<(String, String)> = routes()
        .filter(|route| route.path.starts_with("/api/v1/") && !route.path.ends_with("openapi.json"))
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    assert_eq!(described, there);
}

#[test]
fn the_description_is_the_one_that_was_reviewed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/api/openapi.json");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    if written != api_document() {
        let new = concat!(env!("CARGO_MANIFEST_DIR"), "/target/openapi.json");
        std::fs::write(new, api_document()).unwrap();
        panic!("src/web/api/openapi.json differs from what the program says: look at {new}, and copy it there");
    }
}

#[tokio::test]
async fn a_program_claims_decides_and_undoes() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["read-hits", "decide"]).await;
    let lent = value(program.post("hits/claim", json!({"max": 2})).send().await.unwrap()).await;
    assert_eq!((lent[0]["hit"]["id"].as_u64(), lent.as_array().unwrap().len()), (Some(1), 2));
    let body = json!({"verdict": "confirm", "reason": "disguised", "fence": lent[0]["fence"], "note": "by a program"});
    let stale = program.post("hits/1/decide", body.clone()).header("if-match", "\"7\"").send().await.unwrap();
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    let wrong = json!({"verdict": "confirm", "reason": "common-word", "fence": lent[0]["fence"]});
    assert_eq!(program.post("hits/1/decide", wrong).send().await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
    let made = program.post("hits/1/decide", body).header("if-match", "\"0\"").send().await.unwrap();
    assert_eq!((made.status(), made.headers()["etag"].to_str().unwrap()), (StatusCode::OK, "\"1\""));
    assert_eq!(shop.hit(1).await.state, HitState::Confirmed);
    let whole = program.get("hits/1").await;
    assert_eq!(whole.headers()["etag"], "\"1\"");
    assert_eq!(value(whole).await["decisions"][0]["note"], "by a program");
    let undone = program.post("hits/1/undo", json!({})).header("if-match", "\"1\"").send().await.unwrap();
    assert_eq!(value(undone).await["verdict"], "reopen");
    assert_eq!(program.json("counts").await["open"], 8);
    for (act, done) in [("renew", true), ("release", true), ("release", false)] {
        let answer = program.post(&format!("hits/2/{act}"), json!({"fence": lent[1]["fence"]})).send().await.unwrap();
        assert_eq!(value(answer).await["done"], done, "{act}");
    }
    assert_eq!(program.json("hits/1/capture").await["status"], 200);
    assert_eq!(program.get("hits/4/capture").await.status(), StatusCode::NOT_FOUND);
    let found = value(program.post("check", json!({"text": "云雀 跑鞋"})).send().await.unwrap()).await;
    assert_eq!(found["findings"], json!([]), "no mark is registered here");
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["read-hits", "decide"]).await;
    let claim = |body: Value| program.post("hits/claim", body).header("idempotency-key", "night-1");
    let first = claim(json!({"max": 1})).send().await.unwrap();
    assert!(first.headers().get("idempotent-replayed").is_none());
    let first = first.text().await.unwrap();
    let again = claim(json!({"max": 1})).send().await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.text().await.unwrap(), first);
    let other = claim(json!({"max": 2})).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(value(other).await["type"], "urn:markwarden:problem-reused");
    let long = program.post("hits/claim", json!({})).header("idempotency-key", "k".repeat(201)).send().await.unwrap();
    assert_eq!(long.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn lists_are_pages_and_cursors_fit_their_list() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["read-hits"]).await;
    let (mut path, mut seen) = ("hits?limit=3".to_owned(), Vec::new());
    loop {
        let page = program.get(&path).await;
        let link = page.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        seen.extend(value(page).await.as_array().unwrap().iter().map(|hit| hit["id"].as_u64().unwrap()));
        let Some(link) = link else { break };
        path = link.trim_start_matches("</api/v1/").split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 8);
    assert_eq!(seen.len(), 8);
    let cursor = path.split("cursor=").nth(1).unwrap();
    for wrong in [format!("hits?severity=high&cursor={cursor}"), "hits?cursor=x".into(), "hits?limit=201".into()] {
        assert_eq!(program.get(&wrong).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(program.json("hits?state=confirmed").await, json!([]));
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_until_it_ends() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["read-hits"]).await;
    for (path, status) in
        [("hits", 200), ("rules", 403), ("audit", 403), ("hits/1", 200), ("nowhere", 404), ("hits/x", 400)]
    {
        let answer = program.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        if status != 200 {
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        }
    }
    assert_eq!(program.post("hits/claim", json!({})).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let more = program.post("tokens", json!({"label": "x", "scope": ["decide"], "days": 1})).send().await.unwrap();
    assert_eq!(more.status(), StatusCode::FORBIDDEN, "a token makes no tokens");
    let foreign = program.post("check", json!({"text": "x"})).header("origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let forged = program.client.get(format!("{}/api/v1/hits", shop.address)).header("authorization", "Bearer mw_0");
    assert_eq!(forged.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let page = program
        .client
        .get(format!("{}/queue", shop.address))
        .header("authorization", format!("Bearer {}", program.token));
    assert_eq!(page.send().await.unwrap().status(), StatusCode::SEE_OTHER, "pages are for people");
    let id = program.json("tokens").await[0]["id"].as_str().unwrap().to_owned();
    shop.clock.advance(jiff::SignedDuration::from_hours(24 * 30));
    assert_eq!(program.get("hits").await.status(), StatusCode::UNAUTHORIZED, "expired");
    let program = Program::with(&shop, &["read-hits"]).await;
    assert_eq!(
        program.ask(Method::DELETE, &format!("tokens/{id}")).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    let id = program.json("tokens").await[0]["id"].as_str().unwrap().to_owned();
    let revoked = program.ask(Method::DELETE, &format!("tokens/{id}")).send().await.unwrap();
    assert_eq!((revoked.status(), program.get("hits").await.status().as_u16()), (StatusCode::NO_CONTENT, 401));
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_wait() {
    let shop = Shop::open_with(Vec::new()).await;
    let program = Program::with(&shop, &["read-hits"]).await;
    let first = program.get("counts").await;
    assert_eq!(first.headers()["ratelimit"], "\"minute\";r=599;t=60");
    for _ in 1..600 {
        program.get("counts").await;
    }
    let refused = program.get("counts").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "60"));
    shop.clock.advance(jiff::SignedDuration::from_secs(60));
    assert_eq!(program.get("counts").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn exports_are_read_by_others_and_hold_no_formulas() {
    let mut hostile = hits().swap_remove(0);
    hostile.listing.title = "=HYPERLINK(\"http://evil.example\")\u{202e}\u{1b}[2J,\"x\n".into();
    hostile.dedupe = format!("{:032x}", 900);
    let many = (0..250_u32).map(|number| {
        let mut hit = hits().swap_remove((number % 8) as usize);
        hit.dedupe = format!("{number:032x}");
        hit
    });
    let shop = Shop::open_with(many.chain([hostile]).collect()).await;
    let program = Program::with(&shop, &["read-hits"]).await;
    let answer = program.get("exports/hits.csv").await;
    assert!(answer.headers()["content-disposition"].to_str().unwrap().contains("markwarden-hits.csv"));
    let text = answer.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 251);
    assert!(rows.iter().flatten().all(|cell| !cell.starts_with('=') && !cell.contains(['\u{202e}', '\u{1b}'])));
    assert!(rows.iter().any(|row| row[5].starts_with("'=HYPERLINK")));
    let lines = program.get("exports/hits.jsonl?severity=critical").await.text().await.unwrap();
    assert!(lines.lines().count() > 50 && lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert_eq!(program.get("exports/marks.csv").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(program.get("exports/hits.xlsx").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_parquet_export_is_read_back_to_the_letter_in_bounded_row_groups() {
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };
    let hostile = "=HYPERLINK(\"http://evil.example\")\u{202e}\u{1b}[2J,\"x\n";
    let many = (0..9_000_u32).map(|number| {
        let mut hit = hits().swap_remove((number % 8) as usize);
        hit.dedupe = format!("{number:032x}");
        if number == 17 {
            hit.listing.title = hostile.to_owned();
        }
        hit
    });
    let shop = Shop::open_with(many.collect()).await;
    let program = Program::with(&shop, &["read-hits", "decide", "read-marks"]).await;
    program.post("hits/18/claim", json!({})).send().await.unwrap();
    let made = json!({ "verdict": "dismiss", "reason": "common-word", "fence": 1, "note": "=1+1" });
    assert_eq!(program.post("hits/18/decide", made).send().await.unwrap().status(), StatusCode::OK);
    let read = async |path: &str| {
        let answer = program.get(path).await;
        assert_eq!(answer.headers()["content-type"], "application/vnd.apache.parquet");
        SerializedFileReader::new(answer.bytes().await.unwrap()).unwrap()
    };
    let reader = read("exports/hits.parquet").await;
    let metadata = reader.metadata();
    assert_eq!(metadata.file_metadata().num_rows(), 9_000);
    assert!(metadata.row_groups().iter().all(|group| group.num_rows() <= 4_200), "groups are bounded");
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    let row = rows.iter().find(|row| row.get_long(0).unwrap() == 18).unwrap();
    assert_eq!((row.get_string(5).unwrap().as_str(), row.get_string(1).unwrap().as_str()), (hostile, "dismissed"));
    assert!(row.get_timestamp_micros(9).unwrap() > 0 && !row.get_list(10).unwrap().elements().is_empty());
    let decided = read("exports/decisions.parquet?state=dismissed").await;
    let rows: Vec<_> = decided.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!((rows.len(), rows[0].get_string(7).unwrap().as_str()), (1, "=1+1"), "text stays as it is");
    assert_eq!(read("exports/marks.parquet").await.metadata().file_metadata().num_rows(), 0);
}

#[tokio::test]
async fn alerts_of_the_account_are_made_and_removed_by_programs() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["use-alerts", "read-hits"]).await;
    let wanted = json!({ "name": "严重", "query": "severity=high", "kind": "webhook", "to": "https://127.0.0.1:9/x", "when": "now" });
    let made = value(program.post("alerts", wanted).send().await.unwrap()).await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"), "{made}");
    let id = made["id"].as_str().unwrap();
    let list = program.json("alerts").await;
    assert_eq!((&list[0]["id"], &list[0]["secret"]), (&json!(id), &Value::Null), "the key is told once");
    let stopped = program.post(&format!("alerts/{id}/stop"), json!({})).send().await.unwrap();
    assert_eq!(stopped.status(), StatusCode::NO_CONTENT);
    assert!(program.json("alerts").await[0]["stopped"].is_string());
    let wrong = json!({ "name": "x", "kind": "webhook", "to": "ftp://x", "when": "now" });
    assert_eq!(program.post("alerts", wrong).send().await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
    let removed = program.ask(Method::DELETE, &format!("alerts/{id}")).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(program.json("alerts").await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_keys_known_answers_and_accounts_are_kept_by_programs() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["read-hits", "decide", "decide-many"]).await;
    let status = |answer: Response| answer.status();
    let put = |path: &str, body: Value| program.ask(Method::PUT, path).json(&body).send();
    let delete = |path: &str| program.ask(Method::DELETE, path).send();

    let wanted = json!({ "name": "严重", "query": "severity=high", "shared": true });
    let saved = value(program.post("filters", wanted).send().await.unwrap()).await;
    assert_eq!((&saved["name"], &saved["shared"]), (&json!("严重"), &json!(true)), "{saved}");
    assert_eq!(program.json("filters").await, json!([saved]));
    let key = saved["key"].as_str().unwrap();
    assert_eq!(status(delete(&format!("filters/{key}")).await.unwrap()), StatusCode::NO_CONTENT);
    assert_eq!(status(delete(&format!("filters/{key}")).await.unwrap()), StatusCode::NOT_FOUND);
    assert_eq!(program.json("filters").await, json!([]));

    assert_eq!(program.json("keys").await["dismiss"], "x");
    assert_eq!(status(put("keys", json!({ "dismiss": "q" })).await.unwrap()), StatusCode::NO_CONTENT);
    assert_eq!(program.json("keys").await["dismiss"], "q");
    for wrong in [json!({ "dismiss": "s" }), json!({ "dismiss": "12" }), json!({ "nothing": "q" })] {
        assert_eq!(status(put("keys", wrong).await.unwrap()), StatusCode::UNPROCESSABLE_ENTITY);
    }

    assert_eq!(status(put("hits/1/gold", json!({})).await.unwrap()), StatusCode::CONFLICT, "an open hit has no answer");
    let lease = value(program.post("hits/1/claim", json!({})).send().await.unwrap()).await;
    let decision = json!({ "verdict": "dismiss", "reason": "common-word", "fence": lease["fence"] });
    let decided = program.post("hits/1/decide", decision).send().await.unwrap();
    assert!(decided.status().is_success(), "{decided:?}");
    assert_eq!(status(put("hits/1/gold", json!({})).await.unwrap()), StatusCode::NO_CONTENT);
    assert_eq!(status(delete("hits/1/gold").await.unwrap()), StatusCode::NO_CONTENT);

    assert_eq!(status(program.post("accounts", json!({})).send().await.unwrap()), StatusCode::FORBIDDEN);
    let program = Program::of("root", &shop, &["read-audit", "manage-accounts"]).await;
    let put = |path: &str, body: Value| program.ask(Method::PUT, path).json(&body).send();
    let delete = |path: &str| program.ask(Method::DELETE, path).send();
    let standing = json!({ "roles": ["reviewer"], "platforms": ["shop"] });
    let wanted = json!({ "name": "qian", "standing": standing });
    let made = value(program.post("accounts", wanted.clone()).send().await.unwrap()).await;
    assert_eq!(made["name"], "qian", "{made}");
    let first = made["password"].as_str().unwrap().to_owned();
    assert!(first.len() > 11, "{first}");
    assert!(status(program.post("accounts", wanted).send().await.unwrap()).is_client_error(), "the name is taken");
    let listed = program.json("accounts").await;
    let qian = |list: &Value| list.as_array().unwrap().iter().find(|one| one["name"] == "qian").cloned();
    assert_eq!(qian(&listed).unwrap()["platforms"], json!(["shop"]));
    let changed = json!({ "roles": ["auditor", "author"] });
    assert_eq!(status(put("accounts/qian", changed).await.unwrap()), StatusCode::NO_CONTENT);
    let changed = qian(&program.json("accounts").await).unwrap();
    assert_eq!((&changed["roles"], &changed["platforms"]), (&json!(["auditor", "author"]), &Value::Null));
    let wrong = json!({ "roles": ["emperor"] });
    assert_eq!(status(put("accounts/qian", wrong).await.unwrap()), StatusCode::UNPROCESSABLE_ENTITY);
    let renewed = value(program.post("accounts/qian/password", json!({})).send().await.unwrap()).await;
    assert_ne!(renewed["password"], json!(first));
    assert_eq!(status(program.post("accounts/qian/sign-out", json!({})).send().await.unwrap()), StatusCode::NO_CONTENT);
    assert_eq!(status(delete("accounts/qian").await.unwrap()), StatusCode::NO_CONTENT);
    assert_eq!(qian(&program.json("accounts").await), None);
    let audit = program.json("audit?limit=100").await.to_string();
    for act in ["account.added", "account.roles", "account.new-password", "account.signed-out", "account.removed"] {
        assert!(audit.contains(act), "{act} is not in the journal");
    }
    assert!(!audit.contains(&first), "no password is in the journal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_does_all_that_a_reviewer_does_on_a_running_server() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["read-hits", "decide", "decide-many", "read-records"]).await;
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_markwarden"));
        command.arg("queue").args(arguments).env("MARKWARDEN_SERVER", &shop.address);
        command.env("MARKWARDEN_TOKEN", &program.token);
        async move {
            let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
            (output.status.code().unwrap(), out, said)
        }
    };
    let (code, lent, said) = run(&["claim", "--max", "2"]).await;
    assert_eq!((code, lent.lines().count()), (0, 2), "{said}");
    assert!(lent.contains("云<U+200B>雀"), "{lent}");
    let (code, shown, _) = run(&["show", "1"]).await;
    assert!(code == 0 && shown.contains("m-yunque-25") && shown.contains("商标法"), "{shown}");
    let (code, _, said) = run(&["decide", "confirm:counterfeit", "1", "2", "--note", "吊牌不符"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!((shop.hit(1).await.state, shop.hit(2).await.state), (HitState::Confirmed, HitState::Confirmed));
    let (code, told, _) = run(&["decide", "dismiss:common-word", "1", "3"]).await;
    assert_eq!(code, 1, "one was decided already: {told}");
    assert_eq!(shop.hit(3).await.state, HitState::Dismissed, "the other is decided all the same");
    let (code, ..) = run(&["undo", "1"]).await;
    assert_eq!((code, shop.hit(1).await.state), (0, HitState::Open));
    let (code, ..) = run(&["escalate", "4", "--reason", "needs-authority"]).await;
    assert_eq!((code, shop.hit(4).await.state), (0, HitState::Escalated));
    let (code, _, said) = run(&["skip", "5"]).await;
    assert_eq!(code, 0, "{said}");
    let (_, lent, _) = run(&["claim", "--max", "200"]).await;
    assert!(lent.lines().count() == 4 && !lent.contains("收纳箱"), "what was skipped does not come again: {lent}");
    assert_eq!(run(&["release", "6"]).await.0, 0);
    assert_eq!(run(&["note", "6", "同一卖家\u{1b}[2J"]).await.0, 0);
    let (_, notes, _) = run(&["note", "6"]).await;
    assert!(notes.contains("同一卖家") && !notes.contains('\u{1b}'), "{notes}");
    // The same person's same act at the same moment would be the one that is there.
    shop.clock.advance(jiff::SignedDuration::from_secs(60));
    let (code, list, said) = run(&["freeze", "--text", "云雀", "--format", "json"]).await;
    assert_eq!(code, 0, "{said}");
    let list: Value = serde_json::from_str(&list).unwrap();
    let (name, total) = (list["name"].as_str().unwrap(), list["total"].as_u64().unwrap());
    assert!(total >= 2, "{list}");
    let (code, settled, said) = run(&["settle", name, "dismiss:nominative-use"]).await;
    assert!(code == 0 && settled.contains(&format!("{total} decided")), "{settled} {said}");
    assert_eq!(shop.hit(7).await.state, HitState::Dismissed);
    let (code, undone, said) = run(&["undo", "--act", name]).await;
    assert!(code == 0 && undone.contains(&format!("{total} taken back")), "{undone} {said}");
    assert_eq!(shop.hit(7).await.state, HitState::Open);
    assert_eq!(run(&["decide", "dismiss", "7"]).await.0, 2, "a reason must be named");
}

#[tokio::test]
async fn the_audit_log_is_filtered_and_handed_out() {
    let shop = Shop::open().await;
    let lin = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    lin.page("/hits/1").await;
    lin.post("/hits/1/decide", &[("reason", "confirm:counterfeit"), ("fence", "1"), ("seen", "0")]).await;
    let audit = Visitor::signed_in(&shop, "audit", Role::Auditor).await;
    let page = audit.page("/audit?actor=lin&act=decide").await;
    assert!(page.contains("decide.confirm") && !page.contains("account.sign-in"), "{page}");
    assert!(audit.page("/audit?object=1&act=decide").await.contains("decide.confirm"));
    assert!(!audit.page("/audit?day=2020-01-01").await.contains("class=\"row\""));
    let lines = audit.get("/audit/export?actor=lin").await.text().await.unwrap();
    assert!(lines.lines().count() >= 2 && lines.lines().all(|line| line.contains("\"actor\":\"lin\"")));
    let api: Value = serde_json::from_str(&audit.page("/api/v1/audit?limit=2").await).unwrap();
    assert!(api[0]["seq"].as_u64() > api[1]["seq"].as_u64());
    let hostile = audit.page("/audit").await;
    assert!(!hostile.contains("<script>alert") && !hostile.contains('\u{202E}'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_shows_the_queue_of_a_running_server() {
    let shop = Shop::open().await;
    let program = Program::with(&shop, &["read-hits"]).await;
    let run = |token: String, more: &'static [&'static str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_markwarden"));
        command.args(["queue", "--server", &shop.address]).args(more).env("MARKWARDEN_TOKEN", token);
        async move { tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap() }
    };
    let shown = run(program.token.clone(), &["--limit", "3"]).await;
    let text = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(text.lines().count(), 3, "{}", String::from_utf8_lossy(&shown.stderr));
    assert!(text.contains("云<U+200B>雀") && !text.contains('\u{200b}'), "{text}");
    let lines = run(program.token.clone(), &["--format", "json", "--state", "all"]).await;
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert!(lines.lines().count() == 8 && lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let refused = run("mw_0".to_owned(), &[]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"));
}

#[tokio::test]
async fn rules_are_shown_tried_and_explained_why_and_why_not() {
    let shop = Shop::open_with_rules().await;
    let author = Visitor::signed_in(&shop, "author", Role::Author).await;
    let rules: Value = serde_json::from_str(&author.page("/api/v1/rules").await).unwrap();
    let rules = rules.as_array().unwrap();
    assert!(rules.len() > 50);
    let list = author.page("/rules").await;
    for rule in rules.iter().take(5) {
        let id = rule["id"].as_str().unwrap();
        assert!(list.contains(&format!("/rules/{id}\"")), "{id}");
        let page = author.page(&format!("/rules/{id}")).await;
        assert!(page.contains("format = 1") && page.contains("<textarea") && !page.contains("⟦"), "{id}");
    }
    let (id, text) = ("ad.superlative", "全国第一 国家级 最佳");
    let id = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .find(|known| *known == id)
        .unwrap_or_else(|| rules[0]["id"].as_str().unwrap());
    let hit = author.post(&format!("/rules/{id}"), &[("text", text)]).await.text().await.unwrap();
    let miss = author.post(&format!("/rules/{id}"), &[("text", "一双<b>普通</b>的鞋")]).await.text().await.unwrap();
    assert!(hit.contains("class=\"steps\"") && miss.contains("class=\"steps\""));
    assert!(!miss.contains("<b>普通"), "what is tried is shown as text");
    let odd = author.post(&format!("/rules/{id}"), &[("text", "{\"no\":1}")]).await;
    assert_eq!(odd.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let tests = author.send(&Method::POST, &format!("/api/v1/rules/{id}/tests")).await;
    assert_eq!(value(tests).await["failed"], 0);
    let explained = author.send(&Method::POST, &format!("/api/v1/rules/{id}/explain")).await;
    assert_eq!(value(explained).await["hits"], false);
    let reviewer = Visitor::signed_in(&shop, "lin", Role::Reviewer).await;
    assert!(!reviewer.page(&format!("/rules/{id}")).await.contains("<textarea"), "who reads rules does not try them");
}
