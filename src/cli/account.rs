//! `markwarden account`: who may sign in to the desk.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use super::{Context, Done};
use crate::{
    app::ACCOUNTS,
    model::{Account, AccountName, Role, Scope},
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
        /// What they may do: auditor, operator, reviewer, approver, author, holder or admin; several separated by commas.
        #[arg(long, value_delimiter = ',', value_parser = role, default_value = "reviewer")]
        role: Vec<Role>,
        /// See only what belongs to this holder or rule family; may be given again. A holder's account needs one.
        #[arg(long, value_name = "NAME")]
        holder: Vec<String>,
        /// See only listings of this platform; may be given again.
        #[arg(long, value_name = "NAME")]
        platform: Vec<String>,
        /// Make a password up and print it once on stdout.
        #[arg(long)]
        generate: bool,
    },
    /// Show who may sign in.
    List,
    /// Give somebody another password.
    Password {
        /// The name.
        name: String,
        /// Make a password up and print it once on stdout.
        #[arg(long)]
        generate: bool,
        /// Take the second factor away too, for whoever lost it.
        #[arg(long)]
        without_second: bool,
    },
    /// Let somebody sign in no longer; their sessions end.
    Remove {
        /// The name.
        name: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the accounts file cannot be read or written, or the name or password does not do.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let data = args.data.map_or_else(|| context.settings().map(|settings| settings.data), Ok)?;
    let accounts = Accounts::open(&data.join(ACCOUNTS))?;
    match args.act {
        Act::Add { name, role, holder, platform, generate } => {
            let list = |names: Vec<String>| (!names.is_empty()).then(|| names.into_iter().collect());
            let scope = Scope { holders: list(holder), platforms: list(platform) };
            let account = Account { name: account_name(&name)?, roles: role.into_iter().collect(), scope };
            add(&accounts, &account, generate, context)
        }
        Act::Password { name, generate, without_second } => {
            let name = account_name(&name)?;
            let new = if generate { generate_password()? } else { read_password()? };
            accounts.set_password(&name, &new)?;
            if without_second {
                accounts.remove_second(&name)?;
            }
            context.say(&format!("{name} has another password now"));
            if generate { show_password(&name, &new, context) } else { Ok(Done::Fine) }
        }
        Act::List => list(&accounts, context),
        Act::Remove { name } => remove(&accounts, &name, context),
    }
}

fn add(accounts: &Accounts, account: &Account, generate: bool, context: &Context) -> Result<Done> {
    let password = if generate { generate_password()? } else { read_password()? };
    accounts.add(account, &password)?;
    context.say(&format!("{} may sign in now as {}", account.name, account.roles));
    if generate { show_password(&account.name, &password, context) } else { Ok(Done::Fine) }
}

/// Prints a password that was made up, once.
fn show_password(name: &AccountName, password: &str, context: &Context) -> Result<Done> {
    let shown = if context.json() {
        serde_json::json!({ "name": name, "password": password }).to_string()
    } else {
        password.to_owned()
    };
    context.data(&shown)?;
    Ok(Done::Fine)
}

fn role(code: &str) -> Result<Role, String> {
    let known = || Role::ALL.map(Role::code).join(", ");
    Role::from_code(code).ok_or_else(|| format!("one of {}", known()))
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
            format!("{:<10} {}", account.roles.to_string(), account.name)
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
