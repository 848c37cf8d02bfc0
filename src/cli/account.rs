//! `markwarden account`: who may sign in to the desk.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};

use super::{Context, Done};
use crate::{
    app::ACCOUNTS,
    model::{Account, AccountName, Role},
    web::{Accounts, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, generate_password},
};

/// Arguments of `account`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The password is read from stdin, one line:\n  markwarden account add lin --role reviewer < password.txt\n\
                  or made up and printed once:\n  markwarden account add lin --role reviewer --generate"
)]
pub struct Args {
    /// The data folder; the settings' when absent.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Let somebody sign in.
    Add {
        /// The name to sign in with.
        name: String,
        /// What they may do.
        #[arg(long, value_enum, default_value_t = RoleName::Reviewer)]
        role: RoleName,
        /// Make a password up and print it once on stdout.
        #[arg(long)]
        generate: bool,
    },
    /// Show who may sign in.
    List,
    /// Let somebody sign in no longer; their sessions end.
    Remove {
        /// The name.
        name: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// Reads everything, decides nothing.
    Auditor,
    /// Decides hits.
    Reviewer,
    /// Decides hits and takes back what others decided.
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Auditor => Self::Auditor,
            RoleName::Reviewer => Self::Reviewer,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the accounts file cannot be read or written, or the name or password does not do.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let data = args.data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
    let accounts = Accounts::open(&data.join(ACCOUNTS))?;
    match args.act {
        Act::Add { name, role, generate } => add(&accounts, &name, role.into(), generate, context),
        Act::List => list(&accounts, context),
        Act::Remove { name } => remove(&accounts, &name, context),
    }
}

fn add(accounts: &Accounts, name: &str, role: Role, generate: bool, context: &Context) -> Result<Done> {
    let account = Account { name: account_name(name)?, role };
    let password = if generate { generate_password()? } else { read_password()? };
    accounts.add(&account, &password)?;
    context.say(&format!("{} may sign in now as {}", account.name, role_name(role)));
    if generate {
        let shown = if context.json() {
            serde_json::json!({ "name": account.name, "role": role, "password": password }).to_string()
        } else {
            password
        };
        context.data(&shown)?;
    }
    Ok(Done::Fine)
}

fn account_name(name: &str) -> Result<AccountName> {
    AccountName::new(name).with_context(|| format!("cannot use `{name}` as an account's name"))
}

/// Asked for twice on a terminal, without showing it; else one line of stdin.
fn read_password() -> Result<String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let ask = format!("Password, at least {MIN_PASSWORD_CHARS} characters (it does not show): ");
        let password = rpassword::prompt_password(ask).context("cannot read the password")?;
        let again = rpassword::prompt_password("The same again: ").context("cannot read the password")?;
        anyhow::ensure!(password == again, "the two passwords differ; nobody was added");
        return Ok(password);
    }
    let mut line = String::new();
    let most = MAX_PASSWORD_BYTES as u64 + 2;
    stdin.lock().take(most).read_line(&mut line).context("cannot read the password from stdin")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password came on stdin: write one line to it, or use --generate");
    }
    Ok(password.to_owned())
}

fn list(accounts: &Accounts, context: &Context) -> Result<Done> {
    let list = accounts.list()?;
    if list.is_empty() {
        context.say("nobody may sign in yet: markwarden account add NAME");
    }
    for account in list {
        let line = if context.json() {
            serde_json::to_string(&account)?
        } else {
            format!("{:<10} {}", role_name(account.role), account.name)
        };
        context.data(&line)?;
    }
    Ok(Done::Fine)
}

fn remove(accounts: &Accounts, name: &str, context: &Context) -> Result<Done> {
    if !accounts.remove(&account_name(name)?)? {
        bail!("there is no account `{name}`: markwarden account list shows all");
    }
    context.say(&format!("{name} can sign in no longer"));
    Ok(Done::Fine)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Auditor => "auditor",
        Role::Reviewer => "reviewer",
        Role::Admin => "admin",
    }
}
