//! Tokens of programs: a person makes them in the browser; a token makes none.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::shape::{Problem, TokenLine, TokenMade, TokenWanted};
use crate::{
    model::Permission,
    web::{
        Desk, WebError,
        access::{AccessToken, Wanted},
        noted::note,
        visit::Visit,
    },
};

impl From<AccessToken> for TokenLine {
    fn from(token: AccessToken) -> Self {
        Self {
            id: token.id,
            label: token.label,
            scope: token.scope.iter().map(|permission| permission.code().to_owned()).collect(),
            made: token.made.to_string(),
            expires: token.expires.to_string(),
            last_used: token.last_used.map(|at| at.to_string()),
        }
    }
}

/// One's own tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "accounts", responses((status = 200, body = Vec<TokenLine>)))]
pub(super) async fn list(State(desk): State<Desk>, visit: Visit) -> Result<Json<Vec<TokenLine>>, WebError> {
    let own = desk.inner.access.of(&visit.account()?.name, desk.inner.clock.now());
    Ok(Json(own.into_iter().map(TokenLine::from).collect()))
}

/// Makes a token; it is shown only in this answer.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "accounts", request_body = TokenWanted, responses((status = 201, body = TokenMade), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn make(
    State(desk): State<Desk>,
    visit: Visit,
    Json(wanted): Json<TokenWanted>,
) -> Result<Response, WebError> {
    let scope: Option<_> = wanted.scope.iter().map(|code| Permission::from_code(code)).collect();
    let scope = scope.ok_or(WebError::Field("scope"))?;
    let (token, line) = make_for(&desk, &visit, Wanted { label: wanted.label, scope, days: wanted.days }).await?;
    Ok((StatusCode::CREATED, Json(TokenMade { token, line: line.into() })).into_response())
}

/// Makes a token for who is signed in at a browser with an account that is kept.
pub(in super::super) async fn make_for(
    desk: &Desk,
    visit: &Visit,
    wanted: Wanted,
) -> Result<(String, AccessToken), WebError> {
    let account = visit.account()?;
    if visit.token.is_some() || visit.session.as_ref().is_none_or(|session| session.by_link) {
        return Err(WebError::MayNot);
    }
    let (token, made) = desk.inner.access.make(&account.name, wanted, desk.inner.clock.now())?;
    note(desk, &account.name, "token.made", &[("token", made.id.clone().into())]).await?;
    Ok((token, made))
}

/// Revokes one of one's own tokens.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "accounts", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn revoke(
    State(desk): State<Desk>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<StatusCode, WebError> {
    let name = &visit.account()?.name;
    if !desk.inner.access.revoke(name, &id)? {
        return Err(WebError::NotFound);
    }
    note(&desk, name, "token.revoked", &[("token", id.into())]).await?;
    Ok(StatusCode::NO_CONTENT)
}
