//! Accounts, for who manages them.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::{AccountLine, Problem};
use crate::{
    model::{Role, Roles, Scope},
    web::{Desk, WebError, people, visit::Visit},
};

/// What an account may do, and for whom.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Standing {
    /// `operator`, `reviewer`, `approver`, `holder`, `author`, `auditor`, `admin`.
    roles: Vec<String>,
    /// The only holders it sees; all of them when absent or empty.
    #[serde(default)]
    holders: BTreeSet<String>,
    /// The only platforms it sees; all of them when absent or empty.
    #[serde(default)]
    platforms: BTreeSet<String>,
}

impl Standing {
    fn read(self) -> Result<(Roles, Scope), WebError> {
        let role = |code: &String| Role::from_code(code).ok_or(WebError::Field("roles"));
        let roles = self.roles.iter().map(role).collect::<Result<Roles, WebError>>()?;
        let (holders, platforms) =
            (people::tenants("holders", self.holders)?, people::tenants("platforms", self.platforms)?);
        Ok((roles, Scope { holders, platforms }))
    }
}

/// An account to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountWanted {
    name: String,
    standing: Standing,
}

/// A password that is told this once.
#[derive(Serialize, ToSchema)]
pub(super) struct PasswordMade {
    name: String,
    password: String,
}

/// Who may sign in.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts", responses((status = 200, body = Vec<AccountLine>)))]
pub(super) async fn list(State(desk): State<Desk>) -> Result<Json<Vec<AccountLine>>, WebError> {
    Ok(Json(desk.inner.accounts.list()?.into_iter().map(AccountLine::from).collect()))
}

/// Adds an account with a password that is told this once.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", request_body = AccountWanted, responses((status = 200, body = PasswordMade), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn add(
    State(desk): State<Desk>,
    visit: Visit,
    Json(wanted): Json<AccountWanted>,
) -> Result<Json<PasswordMade>, WebError> {
    let (roles, scope) = wanted.standing.read()?;
    let (name, password) = people::added(&desk, &visit, &wanted.name, roles, scope).await?;
    Ok(Json(PasswordMade { name: name.into(), password }))
}

/// Gives an account other roles and tenants.
#[utoipa::path(put, path = "/api/v1/accounts/{name}", tag = "accounts", params(("name" = String, Path)), request_body = Standing, responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
    Json(standing): Json<Standing>,
) -> Result<StatusCode, WebError> {
    let (roles, scope) = standing.read()?;
    people::changed(&desk, &visit, &name, roles, scope).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new password that is told this once; the second factor, tokens and sessions end.
#[utoipa::path(post, path = "/api/v1/accounts/{name}/password", tag = "accounts", params(("name" = String, Path)), responses((status = 200, body = PasswordMade), (status = 404, body = Problem)))]
pub(super) async fn new_password(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Json<PasswordMade>, WebError> {
    let (name, password) = people::renewed(&desk, &visit, &name).await?;
    Ok(Json(PasswordMade { name: name.into(), password }))
}

/// Ends all sessions of an account.
#[utoipa::path(post, path = "/api/v1/accounts/{name}/sign-out", tag = "accounts", params(("name" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn sign_out(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<StatusCode, WebError> {
    people::signed_out(&desk, &visit, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes an account, unless nobody would be left to manage accounts.
#[utoipa::path(delete, path = "/api/v1/accounts/{name}", tag = "accounts", params(("name" = String, Path)), responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn remove(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<StatusCode, WebError> {
    people::removed(&desk, &visit, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
