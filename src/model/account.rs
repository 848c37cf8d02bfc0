//! People who sign in, what they may do, and which part of the data they see.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::AccountName;

/// Someone who may sign in to the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Sign-in name.
    pub name: AccountName,
    /// What they may do.
    pub roles: Roles,
    /// Which part of the data they see.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
}

/// What an account is for; it may be for several things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything, also the audit log, and changes nothing.
    Auditor,
    /// Looks after sources, schedules and coverage.
    Operator,
    /// Decides hits.
    Reviewer,
    /// Decides hits, and is the second person for what needs one.
    Approver,
    /// Writes rules and tries them.
    Author,
    /// A rights holder: registers marks and follows hits, only their own.
    Holder,
    /// Everything, also accounts.
    Admin,
}

/// One thing that somebody may do. Every route of the desk names the one it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// See hits, their listings and captures.
    ReadHits,
    /// Claim, decide, skip and undo hits.
    Decide,
    /// See marks and where they stand.
    ReadMarks,
    /// Register and change marks, and try what they would find.
    ChangeMarks,
    /// Be the second person who verifies a mark.
    VerifyMarks,
    /// Put sellers on lists, and take them off: who may, who is known for not, who is watched.
    ListSellers,
    /// See rules, campaigns and what became of their hits.
    ReadRules,
    /// Try rules on texts and listings.
    TryRules,
    /// See sources, schedules, coverage and the queue's health.
    ReadSources,
    /// Pause sources, let them go on, and acknowledge alarms.
    RunSources,
    /// Read what the program counts, for monitoring from outside.
    ReadMetrics,
    /// Read, verify and export the journal.
    ReadAudit,
    /// See what is known of a seller, a listing, a mark or rule over all hits, and how well decisions hold.
    ReadRecords,
    /// Decide many hits as one act, and leave notes for others.
    DecideMany,
    /// Settle what two reviewers saw differently, and draw samples of listings without hits.
    LeadReview,
    /// Be told of hits by webhook or mail.
    UseAlerts,
    /// Add, change and remove accounts, and end sessions of others.
    ManageAccounts,
}

use Permission as P;

impl Permission {
    /// All of them.
    pub const ALL: [Self; 17] = [
        P::ReadHits,
        P::Decide,
        P::ReadMarks,
        P::ChangeMarks,
        P::VerifyMarks,
        P::ListSellers,
        P::ReadRules,
        P::TryRules,
        P::ReadSources,
        P::RunSources,
        P::ReadMetrics,
        P::ReadAudit,
        P::ReadRecords,
        P::DecideMany,
        P::LeadReview,
        P::UseAlerts,
        P::ManageAccounts,
    ];

    /// Its stable code, as in a token's scope.
    pub fn code(self) -> &'static str {
        match self {
            P::ReadHits => "read-hits",
            P::Decide => "decide",
            P::ReadMarks => "read-marks",
            P::ChangeMarks => "change-marks",
            P::VerifyMarks => "verify-marks",
            P::ListSellers => "list-sellers",
            P::ReadRules => "read-rules",
            P::TryRules => "try-rules",
            P::ReadSources => "read-sources",
            P::RunSources => "run-sources",
            P::ReadMetrics => "read-metrics",
            P::ReadAudit => "read-audit",
            P::ReadRecords => "read-records",
            P::DecideMany => "decide-many",
            P::LeadReview => "lead-review",
            P::UseAlerts => "use-alerts",
            P::ManageAccounts => "manage-accounts",
        }
    }

    /// The permission that `code` names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.code() == code)
    }

    /// Whether it is about all tenants at once, so that nobody has it who sees only a part of them.
    pub fn spans_tenants(self) -> bool {
        matches!(
            self,
            P::ReadRules
                | P::TryRules
                | P::ReadSources
                | P::RunSources
                | P::ReadMetrics
                | P::ReadAudit
                | P::ReadRecords
                | P::DecideMany
                | P::LeadReview
                | P::ManageAccounts
        )
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Auditor, Self::Operator, Self::Reviewer, Self::Approver, Self::Author, Self::Holder, Self::Admin];

    /// What the role may do.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Auditor => &[P::ReadHits, P::ReadMarks, P::ReadRules, P::ReadSources, P::ReadAudit, P::ReadRecords],
            Self::Operator => &[
                P::ReadHits,
                P::ReadMarks,
                P::ListSellers,
                P::ReadRules,
                P::ReadSources,
                P::RunSources,
                P::ReadMetrics,
                P::ReadRecords,
                P::UseAlerts,
            ],
            Self::Reviewer => {
                &[P::ReadHits, P::Decide, P::DecideMany, P::ReadMarks, P::ReadRules, P::ReadRecords, P::UseAlerts]
            }
            Self::Approver => &[
                P::ReadHits,
                P::Decide,
                P::DecideMany,
                P::LeadReview,
                P::ReadMarks,
                P::VerifyMarks,
                P::ReadRules,
                P::ReadRecords,
                P::UseAlerts,
            ],
            Self::Author => &[P::ReadHits, P::ReadMarks, P::ReadRules, P::TryRules, P::UseAlerts],
            Self::Holder => &[P::ReadHits, P::ReadMarks, P::ChangeMarks, P::ListSellers, P::UseAlerts],
            Self::Admin => &Permission::ALL,
        }
    }

    /// Its stable code, as in files and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Reviewer => "reviewer",
            Self::Approver => "approver",
            Self::Author => "author",
            Self::Holder => "holder",
            Self::Admin => "admin",
        }
    }

    /// The role that `code` names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

/// The roles of an account, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Whether `role` is among them.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether one of them allows this.
    pub fn may(&self, permission: Permission) -> bool {
        self.0.iter().any(|role| role.permissions().contains(&permission))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        Self(BTreeSet::from([role]))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        Self(roles.into_iter().collect())
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = self.iter().map(Role::code).collect();
        f.write_str(&codes.join(","))
    }
}

/// Which part of the data somebody sees: the tenants. Without a list nothing is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Only these holders and rule families.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holders: Option<BTreeSet<String>>,
    /// Only listings of these platforms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<BTreeSet<String>>,
}

impl Scope {
    /// Everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// What belongs to these holders, on any platform.
    pub fn of_holders<I: IntoIterator<Item: Into<String>>>(holders: I) -> Self {
        Self { holders: Some(holders.into_iter().map(Into::into).collect()), platforms: None }
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it reaches what belongs to `holder`.
    pub fn has_holder(&self, holder: &str) -> bool {
        self.holders.as_ref().is_none_or(|holders| holders.contains(holder))
    }

    /// Whether it reaches a hit for `family` on a listing of `platform`.
    pub fn has(&self, family: &str, platform: Option<&str>) -> bool {
        self.has_holder(family)
            && self
                .platforms
                .as_ref()
                .is_none_or(|platforms| platform.is_some_and(|platform| platforms.contains(platform)))
    }
}

impl Account {
    /// An account with one role that sees everything; a holder sees nothing before holders are named.
    pub fn new(name: AccountName, role: Role) -> Self {
        Self { name, roles: role.into(), scope: Scope::default() }
    }

    /// Whether they may do this. What is about all tenants is for those who see all of them.
    pub fn may(&self, permission: Permission) -> bool {
        self.roles.may(permission) && (!permission.spans_tenants() || self.sees().is_everything())
    }

    /// Whether they may decide hits.
    pub fn decides(&self) -> bool {
        self.may(Permission::Decide)
    }

    /// What they see: a holder whose holders nobody named sees nothing.
    pub fn sees(&self) -> Scope {
        let mut scope = self.scope.clone();
        if self.roles.has(Role::Holder) && scope.holders.is_none() {
            scope.holders = Some(BTreeSet::new());
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(role: Role, scope: Scope) -> Account {
        Account { scope, ..Account::new(AccountName::new("lin").unwrap(), role) }
    }

    #[test]
    fn every_permission_is_somebodys_and_codes_name_one_thing() {
        for permission in Permission::ALL {
            assert!(Role::ALL.iter().any(|role| role.permissions().contains(&permission)));
            assert_eq!(Permission::from_code(permission.code()), Some(permission));
        }
        for role in Role::ALL {
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
        assert!(!account(Role::Auditor, Scope::default()).decides());
        assert!(account(Role::Reviewer, Scope::default()).decides());
    }

    #[test]
    fn a_holder_sees_nothing_until_holders_are_named_and_then_only_theirs() {
        let bare = account(Role::Holder, Scope::default());
        assert!(!bare.sees().has("云雀", None));
        let own = account(Role::Holder, Scope::of_holders(["云雀"]));
        assert!(own.sees().has("云雀", Some("星河商城")) && !own.sees().has("鹿鸣", None));
    }

    #[test]
    fn who_sees_a_part_may_do_nothing_that_spans_all() {
        let scope = Scope { platforms: Some(BTreeSet::from(["星河商城".to_owned()])), ..Scope::default() };
        let part = account(Role::Admin, scope.clone());
        assert!(part.may(Permission::Decide) && !part.may(Permission::ReadAudit));
        assert!(!part.may(Permission::ManageAccounts));
        assert!(
            scope.has("云雀", Some("星河商城")) && !scope.has("云雀", None) && !scope.has("云雀", Some("老街集市"))
        );
    }
}
