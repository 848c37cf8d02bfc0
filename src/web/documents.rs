//! Documents of holders: certificates and letters, kept by their hash, verified by a second person, given out only as files.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use http::header;
use jiff::{SpanRound, Unit, civil::Date};

use super::{
    Desk, WebError, acts,
    api::today,
    card::{time_words, visible},
    frame::Frame,
    seller_lists::{self, day, days, holder},
    upload::Upload,
    visit::Visit,
};
use crate::{
    model::{Account, Document, DocumentKind, DocumentState, MarkId, Permission},
    monitor,
};

/// Largest document, in bytes.
pub(super) const MAX_DOCUMENT_BYTES: usize = 10 << 20;
/// The form around one.
pub(super) const MAX_FORM_BYTES: usize = MAX_DOCUMENT_BYTES + (64 << 10);
/// Rows of the page.
const ROWS: usize = 200;
/// Days before its end on which a document is told as expiring.
const REMIND_DAYS: i32 = 90;

#[derive(Template)]
#[template(path = "desk/documents.html")]
struct DocumentsPage {
    f: Frame,
    rows: Vec<Row>,
    due: Vec<(String, String)>,
    more: usize,
    changes: bool,
    holders: Vec<String>,
    problem: Option<String>,
}

struct Row {
    path: String,
    title: String,
    kind: String,
    holder: String,
    mark: String,
    days: String,
    state: String,
    code: &'static str,
    hash: String,
    by: String,
    at: String,
    acts: Vec<(&'static str, String)>,
}

/// The documents that `account` sees.
fn own<'d>(account: &Account, documents: impl Iterator<Item = &'d Document>) -> Vec<&'d Document> {
    let sees = account.sees();
    let mut own: Vec<&Document> = documents.filter(|document| sees.has_holder(&document.holder)).collect();
    own.sort_by_key(|document| (std::cmp::Reverse(document.at), document.id.clone()));
    own
}

/// Days until a document ends, as seen on `today`.
fn days_left(document: &Document, today: Date) -> Option<i32> {
    let left = today.until((Unit::Day, document.until?)).ok()?;
    left.round(SpanRound::new().largest(Unit::Day).days_are_24_hours()).ok().map(|left| left.get_days())
}

/// Where it stands on `today`: its days count beside its state.
fn stage(document: &Document, today: Date) -> &'static str {
    let open = matches!(document.state, DocumentState::Filed | DocumentState::Verified);
    match days_left(document, today).filter(|_| open) {
        Some(left) if left < 0 => "expired",
        Some(left) if left <= REMIND_DAYS => "expiring",
        _ => document.state.code(),
    }
}

/// The list, and the form that hands one in.
pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Html<String>, WebError> {
    show(&desk, &visit, None).await
}

async fn show(desk: &Desk, visit: &Visit, problem: Option<String>) -> Result<Html<String>, WebError> {
    let (account, words, day) = (visit.account()?, visit.words, today(desk));
    let known = seller_lists::known(desk).await?;
    let own = own(account, known.documents());
    let mut due: Vec<(i32, &Document)> = own
        .iter()
        .filter(|document| stage(document, day) == "expiring")
        .filter_map(|document| Some((days_left(document, day)?, *document)))
        .collect();
    due.sort_by_key(|(left, _)| *left);
    let due = due.into_iter().take(20).map(|(left, document)| {
        let left = words.count("mark-days-left", u64::try_from(left).unwrap_or(0));
        (format!("/documents/{}", document.id), format!("{} · {left}", visible(&document.title)))
    });
    let page = DocumentsPage {
        due: due.collect(),
        more: own.len().saturating_sub(ROWS),
        rows: own
            .into_iter()
            .take(ROWS)
            .map(|document| {
                let code = stage(document, day);
                Row {
                    path: format!("/documents/{}", document.id),
                    title: visible(&document.title),
                    kind: words.say(&format!("document-{}", document.kind.code())),
                    holder: visible(&document.holder),
                    mark: document.mark.as_ref().map(|mark| visible(mark.as_str())).unwrap_or_default(),
                    days: days(document.from, document.until),
                    state: words.say(&format!("document-{code}")),
                    code,
                    hash: document.sha256.chars().take(12).collect(),
                    by: visible(document.by.as_str()),
                    at: time_words(document.at, &desk.inner.zone),
                    acts: STEPS
                        .into_iter()
                        .filter(|step| step.may(visit, account, document))
                        .map(|step| (step.code, words.say(&format!("document-act-{}", step.code))))
                        .collect(),
                }
            })
            .collect(),
        changes: visit.may(Permission::ChangeMarks) && desk.inner.content.is_some(),
        holders: account.sees().holders.unwrap_or_default().into_iter().collect(),
        problem,
        f: Frame::new(visit, "documents"),
    };
    Ok(Html(page.render()?))
}

/// What kind of file the first bytes say it is, with the ending of its name.
fn media(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const KINDS: [(&[u8], &str, &str); 3] = [
        (b"%PDF-", "application/pdf", "pdf"),
        (&[0xFF, 0xD8, 0xFF], "image/jpeg", "jpg"),
        (&[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A], "image/png", "png"),
    ];
    KINDS.into_iter().find(|(begin, ..)| bytes.starts_with(begin)).map(|(_, media, ending)| (media, ending))
}

/// A document that is handed in.
pub(super) struct Filed<'a> {
    /// What its file is called.
    pub title: &'a str,
    pub bytes: &'a Bytes,
    pub kind: &'a str,
    pub holder: &'a str,
    /// The mark it is about; empty for none.
    pub mark: &'a str,
    pub from: &'a str,
    pub until: &'a str,
}

/// Keeps a document; the very same again is the one that is there.
pub(super) async fn file(desk: &Desk, account: &Account, filed: Filed<'_>) -> Result<Document, WebError> {
    let content = desk.inner.content.clone().ok_or(WebError::NotFound)?;
    let Filed { title, bytes, kind, holder: sent, mark, from, until } = filed;
    let (media, _) = media(bytes).ok_or(WebError::Field("file"))?;
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(WebError::TooLong);
    }
    let mark = Some(mark.trim()).filter(|mark| !mark.is_empty());
    let mark = mark.map(|mark| MarkId::new(mark).map_err(|_| WebError::Field("mark"))).transpose()?;
    if let Some(mark) = &mark {
        super::marks::one(desk, account, mark.as_str()).await.map_err(|_| WebError::Field("mark"))?;
    }
    let mut document = Document {
        id: acts::act_name("")?,
        holder: holder(account, sent)?.ok_or(WebError::Field("holder"))?,
        kind: match kind {
            "certificate" => DocumentKind::Certificate,
            "letter" => DocumentKind::Letter,
            _ => return Err(WebError::Field("kind")),
        },
        title: title.to_owned(),
        sha256: String::new(),
        bytes: bytes.len() as u64,
        media: media.to_owned(),
        mark,
        from: day(from, "from")?,
        until: day(until, "until")?,
        state: DocumentState::Filed,
        by: account.name.clone(),
        at: desk.inner.clock.now(),
    };
    let kept = bytes.clone();
    let put = tokio::task::spawn_blocking(move || content.put(&kept)).await;
    document.sha256 = put.map_err(|error| WebError::Check(error.to_string()))??;
    let known = seller_lists::known(desk).await?;
    let same = |known: &&Document| {
        (&known.sha256, &known.holder, known.kind, &known.mark, known.from, known.until)
            == (&document.sha256, &document.holder, document.kind, &document.mark, document.from, document.until)
            && known.state != DocumentState::Withdrawn
    };
    if let Some(known) = known.documents().find(same) {
        return Ok(known.clone());
    }
    seller_lists::write(desk, account, monitor::file(&document).into()).await?;
    Ok(document)
}

/// Takes a document from the page.
pub(super) async fn add(State(desk): State<Desk>, visit: Visit, upload: Upload) -> Result<Response, WebError> {
    let refused = |key: &'static str| Some(visit.words.say(key));
    let Some((title, bytes)) = upload.file("file") else {
        return Ok(show(&desk, &visit, refused("document-no-file")).await?.into_response());
    };
    if media(bytes).is_none() {
        return Ok(show(&desk, &visit, refused("document-no-kind")).await?.into_response());
    }
    let field = |name| upload.text(name);
    let (kind, holder, mark) = (field("kind"), field("holder"), field("mark"));
    let filed = Filed { title, bytes, kind, holder, mark, from: field("from"), until: field("until") };
    file(&desk, visit.account()?, filed).await?;
    Ok(Redirect::to("/documents").into_response())
}

/// The documents that `account` sees, the newest first.
pub(super) async fn all(desk: &Desk, account: &Account) -> Result<Vec<Document>, WebError> {
    let known = seller_lists::known(desk).await?;
    Ok(own(account, known.documents()).into_iter().cloned().collect())
}

/// One that `account` sees.
pub(super) async fn one(desk: &Desk, account: &Account, id: &str) -> Result<Document, WebError> {
    let known = seller_lists::known(desk).await?;
    let found = known.document(id).filter(|document| account.sees().has_holder(&document.holder));
    found.cloned().ok_or(WebError::NotFound)
}

/// Gives a document out as a file: nothing of it is shown or run by the desk's own pages.
pub(super) async fn download(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let document = one(&desk, visit.account()?, &id).await?;
    let content = desk.inner.content.clone().ok_or(WebError::NotFound)?;
    let hash = document.sha256.clone();
    let read = tokio::task::spawn_blocking(move || content.get(&hash)).await;
    let body = read.map_err(|error| WebError::Check(error.to_string()))??.ok_or(WebError::NotFound)?;
    let name: String = url::form_urlencoded::byte_serialize(document.title.as_bytes()).collect();
    let ending = media(&body).map_or("bin", |(_, ending)| ending);
    let attachment =
        format!("attachment; filename=\"document.{ending}\"; filename*=UTF-8''{}", name.replace('+', "%20"));
    let headers = [
        (header::CONTENT_TYPE, document.media),
        (header::CONTENT_DISPOSITION, attachment),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
    ];
    Ok((headers, body).into_response())
}

/// A step with a document.
#[derive(Debug, Clone, Copy)]
struct Step {
    code: &'static str,
    to: DocumentState,
    needs: Permission,
}

const STEPS: [Step; 3] = [
    Step { code: "verify", to: DocumentState::Verified, needs: Permission::VerifyMarks },
    Step { code: "refuse", to: DocumentState::Refused, needs: Permission::VerifyMarks },
    Step { code: "withdraw", to: DocumentState::Withdrawn, needs: Permission::ChangeMarks },
];

impl Step {
    /// Whether it may be taken: a second person verifies or refuses what was filed; what still holds is withdrawn.
    fn may(self, visit: &Visit, account: &Account, document: &Document) -> bool {
        let stands = match self.to {
            DocumentState::Withdrawn => matches!(document.state, DocumentState::Filed | DocumentState::Verified),
            _ => document.state == DocumentState::Filed && document.by != account.name,
        };
        stands && visit.may(self.needs)
    }
}

/// Takes a step with a document that the visitor sees.
pub(super) async fn go(desk: &Desk, visit: &Visit, id: &str, act: &str) -> Result<(), WebError> {
    let account = visit.account()?;
    let document = one(desk, account, id).await?;
    let step = STEPS.into_iter().find(|step| step.code == act).ok_or(WebError::NotFound)?;
    if !step.may(visit, account, &document) {
        return Err(WebError::MayNot);
    }
    seller_lists::write(desk, account, vec![monitor::set_state(&document, step.to)]).await
}

/// Takes a step with a document.
pub(super) async fn step(
    State(desk): State<Desk>,
    visit: Visit,
    Path((id, act)): Path<(String, String)>,
) -> Result<Redirect, WebError> {
    go(&desk, &visit, &id, &act).await?;
    Ok(Redirect::to("/documents"))
}
