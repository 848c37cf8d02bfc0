//! Accounts, for who manages them: add, change roles and tenants, new password, sign out everywhere, remove.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};

use super::{
    Desk, WebError,
    accounts::generate_password,
    door,
    frame::Frame,
    me::{role_words, scope_words},
    noted::note,
    visit::Visit,
};
use crate::model::{Account, AccountName, Role, Roles, Scope};

/// Most names of one list of tenants, and the longest of them in characters.
const MAX_TENANTS: usize = 200;
const MAX_TENANT_CHARS: usize = 200;

#[derive(Template)]
#[template(path = "desk/people.html")]
struct PeoplePage {
    f: Frame,
    people: Vec<Person>,
    roles: Vec<RoleChoice>,
    /// A password that was made just now, and for whom: shown once.
    made: Option<(String, String)>,
}

struct Person {
    name: String,
    /// As a part of an address.
    path: String,
    roles: String,
    sees: String,
    second: bool,
    sessions: usize,
    own: bool,
    choices: Vec<RoleChoice>,
    holders: String,
    platforms: String,
}

struct RoleChoice {
    code: &'static str,
    words: String,
    meaning: String,
    chosen: bool,
}

/// A form with boxes that may be ticked several at a time.
type Sent = Vec<(String, String)>;

pub(super) async fn page(State(desk): State<Desk>, visit: Visit) -> Result<Response, WebError> {
    show(&desk, &visit, None)
}

fn show(desk: &Desk, visit: &Visit, made: Option<(String, String)>) -> Result<Response, WebError> {
    let now = desk.inner.clock.now();
    let own = &visit.account()?.name;
    let mut people = Vec::new();
    for account in desk.inner.accounts.list()? {
        let joined = |list: &Option<BTreeSet<String>>| list.iter().flatten().cloned().collect::<Vec<_>>().join("; ");
        people.push(Person {
            name: account.name.to_string(),
            path: url::form_urlencoded::byte_serialize(account.name.as_str().as_bytes())
                .collect::<String>()
                .replace('+', "%20"),
            roles: role_words(&account, visit.words).join("、"),
            sees: scope_words(&account, visit.words),
            second: desk.inner.accounts.has_second(&account.name)?,
            sessions: desk.inner.sessions.of(&account.name, now).len(),
            own: account.name == *own,
            choices: choices(visit, |role| account.roles.has(role)),
            holders: joined(&account.scope.holders),
            platforms: joined(&account.scope.platforms),
        });
    }
    let page = PeoplePage {
        people,
        roles: choices(visit, |role| role == Role::Reviewer),
        made,
        f: Frame::new(visit, "accounts"),
    };
    Ok(Html(page.render()?).into_response())
}

fn choices(visit: &Visit, chosen: impl Fn(Role) -> bool) -> Vec<RoleChoice> {
    let words = visit.words;
    let choice = |role: Role| RoleChoice {
        code: role.code(),
        words: words.say(&format!("role-{}", role.code())),
        meaning: words.say(&format!("role-{}-meaning", role.code())),
        chosen: chosen(role),
    };
    Role::ALL.into_iter().map(choice).collect()
}

/// Adds an account with a password that is shown once.
pub(super) async fn add(State(desk): State<Desk>, visit: Visit, Form(sent): Form<Sent>) -> Result<Response, WebError> {
    let (roles, scope) = (roles(&sent)?, scope(&sent)?);
    let (name, password) = added(&desk, &visit, one(&sent, "name"), roles, scope).await?;
    show(&desk, &visit, Some((name.to_string(), password)))
}

/// Adds an account; its name, and the password that was made for it.
pub(super) async fn added(
    desk: &Desk,
    visit: &Visit,
    name: &str,
    roles: Roles,
    scope: Scope,
) -> Result<(AccountName, String), WebError> {
    let name = AccountName::new(name).map_err(|_| WebError::Field("name"))?;
    let account = Account { name: name.clone(), roles: roles.clone(), scope: scope.clone() };
    let password = generate_password()?;
    let (accounts, first) = (desk.inner.accounts.clone(), password.clone());
    door::checked(desk, move || accounts.add(&account, &first)).await?;
    tell(desk, visit, "account.added", &name, Some((&roles, &scope))).await?;
    Ok((name, password))
}

/// Gives an account other roles and tenants.
pub(super) async fn set_roles(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, WebError> {
    changed(&desk, &visit, &name, roles(&sent)?, scope(&sent)?).await?;
    Ok(Redirect::to("/accounts").into_response())
}

/// Gives the account `name` other roles and tenants.
pub(super) async fn changed(
    desk: &Desk,
    visit: &Visit,
    name: &str,
    roles: Roles,
    scope: Scope,
) -> Result<(), WebError> {
    let name = known(desk, name)?;
    desk.inner.accounts.set_roles(&name, roles.clone(), scope.clone())?;
    tell(desk, visit, "account.roles", &name, Some((&roles, &scope))).await
}

/// Gives an account a new password that is shown once; its second factor and sessions end.
pub(super) async fn new_password(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, WebError> {
    let (name, password) = renewed(&desk, &visit, &name).await?;
    if visit.account()?.name == name {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    show(&desk, &visit, Some((name.to_string(), password)))
}

/// Makes a new password for the account `name`; its second factor, tokens and sessions end.
pub(super) async fn renewed(desk: &Desk, visit: &Visit, name: &str) -> Result<(AccountName, String), WebError> {
    let name = known(desk, name)?;
    let password = generate_password()?;
    let (accounts, of, new) = (desk.inner.accounts.clone(), name.clone(), password.clone());
    door::checked(desk, move || accounts.set_password(&of, &new)).await?;
    desk.inner.accounts.remove_second(&name)?;
    desk.inner.access.revoke_all(&name)?;
    desk.inner.sessions.end_of(&name, |_| true);
    tell(desk, visit, "account.new-password", &name, None).await?;
    Ok((name, password))
}

/// Ends all sessions of an account.
pub(super) async fn sign_out(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, WebError> {
    signed_out(&desk, &visit, &name).await?;
    Ok(Redirect::to("/accounts").into_response())
}

/// Ends all sessions of the account `name`.
pub(super) async fn signed_out(desk: &Desk, visit: &Visit, name: &str) -> Result<(), WebError> {
    let name = known(desk, name)?;
    desk.inner.sessions.end_of(&name, |_| true);
    tell(desk, visit, "account.signed-out", &name, None).await
}

/// Removes an account, unless nobody would be left to manage accounts.
pub(super) async fn remove(
    State(desk): State<Desk>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, WebError> {
    removed(&desk, &visit, &name).await?;
    Ok(Redirect::to("/accounts").into_response())
}

/// Removes the account `name`, unless nobody would be left to manage accounts.
pub(super) async fn removed(desk: &Desk, visit: &Visit, name: &str) -> Result<(), WebError> {
    let name = known(desk, name)?;
    desk.inner.accounts.remove_but_last(&name)?;
    desk.inner.access.revoke_all(&name)?;
    desk.inner.sessions.end_of(&name, |_| true);
    tell(desk, visit, "account.removed", &name, None).await
}

async fn tell(
    desk: &Desk,
    visit: &Visit,
    what: &str,
    name: &AccountName,
    now: Option<(&Roles, &Scope)>,
) -> Result<(), WebError> {
    let mut details = vec![("account", name.as_str().into())];
    if let Some((roles, scope)) = now {
        details.push(("roles", serde_json::to_value(roles).unwrap_or_default()));
        details.push(("scope", serde_json::to_value(scope).unwrap_or_default()));
    }
    note(desk, &visit.account()?.name, what, &details).await
}

fn known(desk: &Desk, name: &str) -> Result<AccountName, WebError> {
    let name = AccountName::new(name).map_err(|_| WebError::NotFound)?;
    desk.inner.accounts.find(&name)?.map(|account| account.name).ok_or(WebError::NotFound)
}

fn one<'s>(sent: &'s Sent, wanted: &str) -> &'s str {
    sent.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
}

fn roles(sent: &Sent) -> Result<Roles, WebError> {
    let chosen = sent.iter().filter(|(name, _)| name == "role");
    chosen.map(|(_, code)| Role::from_code(code).ok_or(WebError::Field("role"))).collect()
}

fn scope(sent: &Sent) -> Result<Scope, WebError> {
    let list = |name: &'static str| {
        let names = one(sent, name).split([';', '；', '\n']).map(str::trim).filter(|name| !name.is_empty());
        tenants(name, names.map(str::to_owned).collect())
    };
    Ok(Scope { holders: list("holders")?, platforms: list("platforms")? })
}

/// The tenants an account is bound to, none where it sees all.
pub(super) fn tenants(field: &'static str, names: BTreeSet<String>) -> Result<Option<BTreeSet<String>>, WebError> {
    let fits = names.len() <= MAX_TENANTS
        && names.iter().all(|one| one.chars().count() <= MAX_TENANT_CHARS && !one.chars().any(char::is_control));
    if fits { Ok((!names.is_empty()).then_some(names)) } else { Err(WebError::Field(field)) }
}
