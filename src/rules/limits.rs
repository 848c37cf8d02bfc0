//! The bounds of everything a rule folder may bring. Each is crossed by a test.

/// Bytes of one rule file.
pub const MAX_RULE_BYTES: u64 = 256 << 10;
/// Bytes of one word list or of the sectors file.
pub const MAX_LIST_BYTES: u64 = 1 << 20;
/// Rule files and lists in one folder.
pub const MAX_FILES: usize = 10_000;
/// Words of one clause, lists included.
pub const MAX_WORDS: usize = 20_000;
/// Words of all rules together.
pub const MAX_ALL_WORDS: usize = 500_000;
/// Characters of one word.
pub const MAX_WORD_CHARS: usize = 64;
/// Clauses of one rule, exceptions included.
pub const MAX_CLAUSES: usize = 64;
/// Tests of one rule.
pub const MAX_TESTS: usize = 1_000;
/// Bytes of one condition or guard.
pub const MAX_EXPRESSION_BYTES: usize = 4 << 10;
/// Parentheses and `not`s inside one another in a condition or guard.
pub const MAX_NESTING: usize = 32;
/// Bytes of a regex as written.
pub const MAX_REGEX_BYTES: usize = 1 << 10;
/// Bytes of a compiled regex.
pub const MAX_REGEX_COMPILED: usize = 1 << 20;
/// Characters between the two sides of a `near`.
pub const MAX_WITHIN: usize = 64;
/// Matches of one clause kept on one surface; further ones tell a reviewer nothing new.
pub const MAX_MATCHES: usize = 256;
/// Matches of a covering clause kept on one surface.
pub const MAX_COVERS: usize = 2_048;
/// Mistakes of one sort of look that are told of one file; further ones are told when these are mended.
pub const MAX_TOLD: usize = 64;
/// Fewest tests of each sort a rule must carry.
pub const MIN_TESTS: usize = 5;
/// Articles of one statute.
pub const MAX_ARTICLES: usize = 1_000;
/// Laws one rule may cite.
pub const MAX_CITES: usize = 32;
/// Lists that one list may take in, and those again.
pub const MAX_TAKEN_IN: usize = 64;
/// Clauses of a condition whose every combination is tried, to find what never matters.
pub const MAX_TRIED_CLAUSES: usize = 12;
