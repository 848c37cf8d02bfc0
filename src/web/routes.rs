//! Every address of the desk in one table: how it is asked, what it needs, who answers. The router is built from it, and so
//! are the tests that ask each of them as everybody who must not.

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{MethodRouter, get, post},
};
use http::Method;

use super::{
    Desk, MAX_BODY_BYTES, WebError, acts as many, alarms, alerts, api, assets, audit, bulk, checks, disputes,
    documents::{self, MAX_FORM_BYTES},
    door, guard, hit, imports, mark_pages,
    marks::MAX_MARKS_BYTES,
    me, metrics, oidc, people, quality, queue, recall, rule_pages, saved,
    seller_file::{self, MAX_FILE_BYTES},
    seller_lists, source, sources, subjects, trials,
    visit::Visit,
};
use crate::model::Permission;

/// What an address asks of who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: also strangers are answered.
    Nothing,
    /// Somebody who signed in, whoever it is: it is about themselves.
    SignedIn,
    /// An account with this permission, and only within what it sees.
    May(Permission),
}

/// One address.
#[derive(Debug, Clone)]
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Its path, with names in braces.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Longest body, in bytes.
    pub body: usize,
    answers: fn() -> MethodRouter<Desk>,
}

pub(super) const fn reads(path: &'static str, needs: Needs, answers: fn() -> MethodRouter<Desk>) -> Route {
    Route { method: Method::GET, path, needs, body: 0, answers }
}

pub(super) const fn acts(path: &'static str, needs: Needs, answers: fn() -> MethodRouter<Desk>) -> Route {
    Route { method: Method::POST, path, needs, body: MAX_BODY_BYTES, answers }
}

/// Any other address.
pub(super) const fn of(
    method: Method,
    path: &'static str,
    needs: Needs,
    body: usize,
    answers: fn() -> MethodRouter<Desk>,
) -> Route {
    Route { method, path, needs, body, answers }
}

use Needs::{May, Nothing, SignedIn};
use Permission as P;

const PAGES: &[Route] = &[
    reads("/", SignedIn, || get(door::home)),
    reads("/healthz", Nothing, || get(door::health)),
    reads("/readyz", Nothing, || get(door::ready)),
    reads("/assets/{hash}/{name}", Nothing, || get(assets::asset)),
    reads("/sign-in", Nothing, || get(door::sign_in_page)),
    acts("/sign-in", Nothing, || post(door::sign_in)),
    acts("/sign-in/code", Nothing, || post(door::second)),
    reads("/sign-in/oidc", Nothing, || get(oidc::begin)),
    reads("/sign-in/oidc/back", Nothing, || get(oidc::back)),
    reads("/sign-in/oidc/out", Nothing, || get(oidc::out)),
    acts("/sign-out", SignedIn, || post(door::sign_out)),
    reads("/enter/{token}", Nothing, || get(door::enter)),
    acts("/preferences", Nothing, || post(door::preferences)),
    reads("/help", SignedIn, || get(door::help)),
    reads("/queue", May(P::ReadHits), || get(queue::page)),
    reads("/review", May(P::ReadHits), || get(hit::next)),
    acts("/review/claim", May(P::Decide), || post(hit::claim)),
    acts("/review/release", May(P::Decide), || post(hit::release)),
    reads("/hits/{id}", May(P::ReadHits), || get(hit::page)),
    acts("/hits/{id}/claim", May(P::Decide), || post(hit::claim_one)),
    acts("/hits/{id}/decide", May(P::Decide), || post(hit::decide)),
    acts("/hits/{id}/skip", May(P::Decide), || post(hit::skip)),
    acts("/hits/{id}/undo", May(P::Decide), || post(hit::undo)),
    acts("/hits/{id}/gold", May(P::DecideMany), || post(checks::gold)),
    reads("/acts/{act}", May(P::ReadRecords), || get(many::page)),
    acts("/acts/{act}/undo", May(P::Decide), || post(many::undo)),
    acts("/bulk", May(P::DecideMany), || post(bulk::freeze)),
    reads("/bulk/{name}", May(P::DecideMany), || get(bulk::page)),
    acts("/bulk/{name}/decide", May(P::DecideMany), || post(bulk::decide)),
    reads("/sellers/{key}", May(P::ReadRecords), || get(subjects::seller)),
    acts("/sellers/{key}/notes", May(P::DecideMany), || post(subjects::note)),
    reads("/listings/{key}", May(P::ReadRecords), || get(subjects::listing)),
    reads("/references/{name}", May(P::ReadRecords), || get(subjects::reference)),
    acts("/filters", May(P::ReadHits), || post(saved::filters)),
    reads("/keys", SignedIn, || get(saved::keys)),
    acts("/keys", SignedIn, || post(saved::set_keys)),
    reads("/quality", May(P::ReadRecords), || get(quality::page)),
    reads("/disputes", May(P::LeadReview), || get(disputes::list)),
    reads("/disputes/{id}", May(P::LeadReview), || get(disputes::page)),
    acts("/disputes/{id}/view", May(P::LeadReview), || post(disputes::view)),
    acts("/disputes/{id}/decide", May(P::LeadReview), || post(disputes::decide)),
    reads("/recall", May(P::ReadRecords), || get(recall::page)),
    acts("/recall", May(P::LeadReview), || post(recall::begin)),
    acts("/recall/stop", May(P::LeadReview), || post(recall::stop)),
    reads("/recall/next", May(P::DecideMany), || get(recall::next)),
    reads("/recall/{name}/{id}", May(P::ReadRecords), || get(recall::task)),
    acts("/recall/{name}/{id}", May(P::DecideMany), || post(recall::looked)),
    acts("/recall/{name}/{id}/undo", May(P::DecideMany), || post(recall::undo)),
    reads("/account", SignedIn, || get(me::page)),
    acts("/account/password", SignedIn, || post(me::password)),
    acts("/account/second", SignedIn, || post(me::set_second)),
    acts("/account/second/remove", SignedIn, || post(me::remove_second)),
    acts("/account/sessions/end", SignedIn, || post(me::end_session)),
    acts("/account/tokens", SignedIn, || post(me::make_token)),
    acts("/account/tokens/revoke", SignedIn, || post(me::revoke_token)),
    reads("/marks", May(P::ReadMarks), || get(mark_pages::list)),
    reads("/marks/new", May(P::ChangeMarks), || get(mark_pages::new)),
    acts("/marks/new", May(P::ChangeMarks), || post(mark_pages::add)),
    of(Method::POST, "/imports", May(P::ChangeMarks), MAX_MARKS_BYTES, || post(imports::begin)),
    reads("/imports/{name}", May(P::ChangeMarks), || get(imports::page)),
    acts("/imports/{name}/columns", May(P::ChangeMarks), || post(imports::columns)),
    acts("/imports/{name}/draft", May(P::ChangeMarks), || post(imports::save)),
    reads("/imports/{name}/mistakes.csv", May(P::ChangeMarks), || get(imports::mistakes)),
    reads("/marks/template.csv", May(P::ReadMarks), || get(mark_pages::template)),
    reads("/marks/{id}", May(P::ReadMarks), || get(mark_pages::page)),
    acts("/marks/{id}/trial", May(P::ChangeMarks), || post(mark_pages::try_out)),
    acts("/marks/{id}/channels", May(P::ChangeMarks), || post(mark_pages::channels)),
    acts("/marks/{id}/{act}", May(P::ReadMarks), || post(mark_pages::step)),
    reads("/seller-lists", May(P::ReadMarks), || get(seller_lists::page)),
    acts("/seller-lists", May(P::ListSellers), || post(seller_lists::add)),
    of(Method::POST, "/seller-lists/file", May(P::ListSellers), MAX_FILE_BYTES, || post(seller_file::upload)),
    acts("/seller-lists/{id}/remove", May(P::ListSellers), || post(seller_lists::remove)),
    reads("/alerts", May(P::UseAlerts), || get(alerts::page)),
    acts("/alerts", May(P::UseAlerts), || post(alerts::add)),
    acts("/alerts/{id}/{act}", May(P::UseAlerts), || post(alerts::act)),
    reads("/documents", May(P::ReadMarks), || get(documents::page)),
    of(Method::POST, "/documents", May(P::ChangeMarks), MAX_FORM_BYTES, || post(documents::add)),
    reads("/documents/{id}", May(P::ReadMarks), || get(documents::download)),
    acts("/documents/{id}/{act}", May(P::ReadMarks), || post(documents::step)),
    reads("/rules", May(P::ReadRules), || get(rule_pages::list)),
    reads("/rules/{id}", May(P::ReadRules), || get(rule_pages::page)),
    acts("/rules/{id}", May(P::TryRules), || post(rule_pages::tried)),
    acts("/rules/{id}/backtest", May(P::TryRules), || post(trials::begin)),
    acts("/rules/{id}/backtest/stop", May(P::TryRules), || post(trials::stop)),
    reads("/sources", May(P::ReadSources), || get(sources::page)),
    reads("/sources/{name}", May(P::ReadSources), || get(source::page)),
    reads("/sources/{name}/addresses", May(P::ReadSources), || get(source::addresses)),
    acts("/sources/{name}/pause", May(P::RunSources), || post(source::pause)),
    acts("/sources/{name}/continue", May(P::RunSources), || post(source::go_on)),
    reads("/alarms", May(P::ReadSources), || get(alarms::page)),
    acts("/alarms/acknowledge", May(P::RunSources), || post(alarms::acknowledged)),
    reads("/metrics", May(P::ReadMetrics), || get(metrics::page)),
    reads("/audit", May(P::ReadAudit), || get(audit::page)),
    acts("/audit/verify", May(P::ReadAudit), || post(audit::verify)),
    reads("/audit/export", May(P::ReadAudit), || get(audit::export)),
    reads("/accounts", May(P::ManageAccounts), || get(people::page)),
    acts("/accounts", May(P::ManageAccounts), || post(people::add)),
    acts("/accounts/{name}/roles", May(P::ManageAccounts), || post(people::set_roles)),
    acts("/accounts/{name}/password", May(P::ManageAccounts), || post(people::new_password)),
    acts("/accounts/{name}/sign-out", May(P::ManageAccounts), || post(people::sign_out)),
    acts("/accounts/{name}/remove", May(P::ManageAccounts), || post(people::remove)),
];

/// Every address, in the order of the table.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    PAGES.iter().chain(api::ROUTES)
}

/// The desk's pages.
pub fn router(desk: Desk) -> Router {
    let table =
        routes().fold(Router::new(), |table, route| {
            let (needs, body) = (route.needs, route.body);
            let ask = move |State(desk): State<Desk>,
                            Extension(visit): Extension<Visit>,
                            request: Request,
                            next: Next| async move {
                match admit(&visit, needs, body, request).await {
                    Ok(request) if visit.is_api => api::answer(&desk, &visit, request, next).await,
                    Ok(request) => next.run(request).await,
                    Err(refusal) => refusal.into_response(),
                }
            };
            table.route(route.path, (route.answers)().route_layer(middleware::from_fn_with_state(desk.clone(), ask)))
        });
    table
        // Bodies were read whole within the bound of their route.
        .layer(DefaultBodyLimit::disable())
        .fallback(door::nothing_here)
        .layer(middleware::from_fn_with_state(desk.clone(), guard::guard))
        .with_state(desk)
}

/// Lets who comes through to an answer, with the body read whole and its form token checked.
async fn admit(visit: &Visit, needs: Needs, body: usize, request: Request) -> Result<Request, WebError> {
    match needs {
        Nothing => {}
        SignedIn => drop(visit.account()?),
        May(permission) if visit.may(permission) => drop(visit.account()?),
        May(_) => return Err(if visit.session.is_some() { WebError::MayNot } else { WebError::SignedOut }),
    }
    guard::with_token(visit, body, request).await
}
