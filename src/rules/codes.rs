//! Every kind of mistake that the checks of rules know, with what it means.
//!
//! Main type: [`Code`]. `rules/README.md` has the same table; other programs get it with SARIF.

/// A kind of mistake.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// Its name, as diagnostics give it.
    pub id: &'static str,
    /// What it means, in English.
    pub en: &'static str,
    /// What it means, in Chinese.
    pub zh: &'static str,
}

/// All kinds, by name.
pub const CODES: &[Code] = &[
    code("list.cycle", "a list takes itself in, at once or by way of others", "词表直接或间接包含自身"),
    code("list.missing", "a list takes in one that does not exist", "词表引用了不存在的词表"),
    code("list.repeated-word", "a word stands in a list twice", "词表中同一词重复"),
    code("list.taken-in", "a list takes in too many others", "词表引用过多"),
    code("list.word", "a line of a list can never match, or matches everywhere", "词表中的一行无法匹配或到处匹配"),
    code("lock.syntax", "the record of versions cannot be read", "版本记录无法读取"),
    code("rule.clause", "a clause looks in no way or in several", "条款没有或有多种匹配方式"),
    code(
        "rule.clause-fields",
        "a clause is kept to surfaces that its rule does not read",
        "条款限定的部分不在规则所看之内",
    ),
    code("rule.clauses", "a rule has too many clauses and exceptions", "条款与例外过多"),
    code("rule.condition", "the condition cannot be read", "条件无法读取"),
    code(
        "rule.contained-word",
        "a word that is only asked for is found by a shorter one already",
        "较短的词已包含此词的全部命中",
    ),
    code("rule.contradicting-tests", "two tests expect different things of one listing", "两个测试对同一商品期望相反"),
    code("rule.date", "a date is no day", "不是有效日期"),
    code("rule.dead-word", "a word is nothing but separators and can never match", "词只由分隔符组成，永不匹配"),
    code("rule.duplicate-id", "two files hold the same rule", "两个文件规则编号相同"),
    code("rule.empty-clause", "a clause has no words", "条款没有任何词"),
    code("rule.encoding", "a file is not UTF-8", "文件不是 UTF-8"),
    code("rule.expired-exception", "an exception has ended", "例外已过期"),
    code("rule.family", "a rule has no family", "规则没有类别"),
    code("rule.file-name", "file and rule have different names", "文件名与规则编号不同"),
    code("rule.format", "the form of the file is of another program version", "文件格式版本不符"),
    code(
        "rule.gate",
        "a gate without its question, or a question without a gate",
        "门槛规则缺少提问，或非门槛规则有提问",
    ),
    code(
        "rule.gate-answer",
        "nothing is named, or nothing looks for, what would answer a gate",
        "没有写明或没有条款查找可回答提问的证明",
    ),
    code("rule.gate-question", "what a gate says is no question, or accuses", "门槛规则所说的不是提问，或带有指控"),
    code("rule.guard", "a `when` cannot be read", "`when` 无法读取"),
    code("rule.guidance", "the reviewer is not told what to look at", "没有告诉审核员看什么"),
    code("rule.id", "a rule’s name has other characters than it may", "规则编号含有不允许的字符"),
    code("rule.kind", "the kind of the rule is not what it does", "规则种类与其内容不符"),
    code("rule.law-lapsed", "a cited topic has no article in force any more", "所引主题已无现行条文"),
    code(
        "rule.law-lapses",
        "a cited article lapses within 90 days and nothing follows",
        "所引条文 90 日内失效且无后继",
    ),
    code("rule.law-not-in-force", "no cited article is in force", "所引条文均未在施行"),
    code("rule.list-missing", "a rule names a list that does not exist", "规则引用了不存在的词表"),
    code("rule.long-word", "a word is too long", "词过长"),
    code(
        "rule.misses-itself",
        "a page with the very characters of a word is not matched",
        "页面逐字写出该词也不会命中",
    ),
    code("rule.missing-law", "a rule rests on no law, or on too many", "规则没有法律依据或依据过多"),
    code("rule.never-holds", "the condition holds for no listing", "条件对任何商品都不成立"),
    code("rule.no-literal", "a regex that no word calls", "正则没有可先行查找的词"),
    code("rule.no-reason", "an exception gives no reason", "例外没有理由"),
    code("rule.no-wording", "the condition looks for no wording", "条件不查找任何文字"),
    code(
        "rule.number",
        "a number is counted in no known unit, or its bounds let every one through",
        "数字的单位未知，或界限不起作用",
    ),
    code("rule.read", "a file or folder cannot be read", "文件或文件夹无法读取"),
    code("rule.reference", "a near refers to a clause that is no wording of its own", "near 引用的条款自身没有文字"),
    code("rule.regex", "a regex cannot be read", "正则无法读取"),
    code("rule.regex-size", "a regex is too large", "正则过大"),
    code("rule.repeated-test", "a listing is tested twice", "同一商品重复测试"),
    code("rule.repeated-word", "a word stands in a clause twice", "条款中同一词重复"),
    code("rule.score", "a score is not 1 to 100", "分数不在 1 至 100"),
    code("rule.sectors", "the file of sectors cannot be read", "行业文件无法读取"),
    code(
        "rule.single-character",
        "a word is a single character, which stands inside countless words",
        "单个汉字，出现在无数词中",
    ),
    code("rule.sla", "the time within which to decide is none", "办理时限无法读取或超出范围"),
    code("rule.syntax", "the file is no TOML, or a value is of the wrong sort", "文件不是 TOML，或值的类型不对"),
    code("rule.test", "a test’s listing cannot be read", "测试中的商品无法读取"),
    code("rule.tests", "a rule has too many tests", "测试过多"),
    code("rule.todo-passes", "a test of what was not reached yet passes now", "待实现的测试现已通过"),
    code(
        "rule.too-few-tests",
        "fewer than five tests that must hit or that must miss",
        "应命中或应不命中的测试不足五个",
    ),
    code("rule.too-large", "a file is too large", "文件过大"),
    code("rule.too-many", "a folder holds too many files", "文件夹中文件过多"),
    code("rule.undefined-clause", "a clause is asked that does not exist", "引用了不存在的条款"),
    code("rule.unknown-key", "a key that rules do not have", "规则没有此键"),
    code("rule.unknown-law", "no statute has the cited topic or article", "法规中没有所引主题或条文"),
    code("rule.unknown-sector", "a sector that does not exist", "没有此行业"),
    code(
        "rule.unreachable-branch",
        "a part of the condition never changes whether it holds",
        "条件的一部分从不影响结果",
    ),
    code("rule.unrecorded", "a version is not recorded", "版本未记录"),
    code("rule.unseen-test", "the rule reads nothing of a test’s listing", "规则不看该测试商品的任何部分"),
    code("rule.unused-clause", "a clause that nothing asks", "没有任何地方使用的条款"),
    code(
        "rule.version",
        "what the rule finds changed, or the version went back, under a recorded version",
        "规则逻辑已变而版本未提高，或版本倒退",
    ),
    code("rule.within", "a near reaches too far", "near 距离过大"),
    code("rule.words", "too many words in a clause or in all", "条款或全部词数过多"),
    code("rule.yields-cycle", "rules give way to one another in a circle", "规则互相让位，形成循环"),
    code("rule.yields-unknown", "a rule gives way to one that does not exist", "规则让位于不存在的规则"),
    code("statute.date", "a date is no day", "不是有效日期"),
    code("statute.dates", "an article ends before it begins", "条文失效早于施行"),
    code("statute.duplicate-id", "an article’s name is taken", "条文编号重复"),
    code("statute.file-name", "file and statute have different names", "文件名与法规编号不同"),
    code("statute.format", "the form of the file is of another program version", "文件格式版本不符"),
    code("statute.gap", "days on which a topic has no article", "主题在一段时间内没有条文"),
    code("statute.id", "an article or topic is not named after its statute", "条文或主题未以法规编号开头"),
    code("statute.language", "a name or summary is missing in one language", "名称或摘要缺一种语言"),
    code("statute.overlap", "days on which a topic has two articles", "主题在同一天有两条条文"),
    code("statute.penalty", "the least penalty is above the greatest", "最低罚款高于最高罚款"),
    code("statute.syntax", "the file is no TOML, or lacks a key", "文件不是 TOML，或缺少键"),
    code("statute.too-many", "a statute has too many articles", "条文过多"),
    code("statute.verified", "how an article was checked is not said by a known word", "核对方式不是已知的词"),
];

const fn code(id: &'static str, en: &'static str, zh: &'static str) -> Code {
    Code { id, en, zh }
}
