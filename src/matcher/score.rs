//! From a verified spelling to a finding: a chance of infringement, each factor a step of the explanation.

use jiff::civil::Date;

use super::{calibration, context, nice::Classes, sellers, surprise, verify::Fit};
use crate::{
    marks::Occurrence,
    model::{
        Channel, Finding, FindingKind, Handling, Listing, Mark, MarkStatus, SellerLists, Severity, Step, SurfaceKind,
    },
    text::{FoldedSurface, lexicon::Cuts, undone},
};

/// Goods of another class than the mark's: by their category, and by no more than a word of the title.
const OTHER_CATEGORY: f64 = 0.5;
const OTHER_TITLE: f64 = 0.65;

/// What an occurrence stands in.
pub(super) struct Scene<'a> {
    pub(super) surface: &'a FoldedSurface<'a>,
    pub(super) surroundings: &'a context::Surroundings,
    /// The surface as everyday words.
    pub(super) cuts: &'a Cuts,
    pub(super) listing: &'a Listing,
    /// Nice classes that the listing's words point to.
    pub(super) classes: &'a Classes,
    /// The article that is infringed, in force on the day of capture.
    pub(super) citation: &'a str,
    /// Whether the mark is watched for its holder; else it only stands in the registry.
    pub(super) watched: bool,
    /// Who is on which list, and the day that counts.
    pub(super) sellers: (&'a SellerLists, Date),
}

/// Makes the finding of one verified occurrence.
pub(super) fn finding(occurrence: &Occurrence<'_>, fit: &Fit, scene: &Scene<'_>) -> Finding {
    let Scene { surface, surroundings, cuts, listing, classes, citation, watched, sellers: (lists, on) } = *scene;
    let mark = occurrence.mark;
    let original = surface.surface.text;
    let span = occurrence.span.clone();
    let text = original.get(span.bytes.clone()).unwrap_or("").to_owned();
    let channels = disguises(occurrence, surface, &text);
    let mut steps = vec![recognised(occurrence)];
    let folding = surface.folded.steps(original, occurrence.units.clone());
    steps.extend(
        folding.into_iter().filter(|step| channels.iter().any(|channel| step.code.ends_with(&channel.to_string()))),
    );
    let changes = occurrence.alignment.iter().flat_map(|alignment| &alignment.changes);
    steps.extend(changes.map(|change| undone(change.channel, &change.before, &change.after, &change.detail)));
    steps.extend(match &occurrence.alignment {
        Some(alignment) => vec![surprise::of_disguise(occurrence, alignment, &surface.folded, cuts)],
        None => std::iter::once(distinctiveness(occurrence, fit))
            .chain(surprise::of_word(occurrence, &surface.folded, cuts))
            .collect(),
    });
    if !watched {
        steps.push(unwatched(occurrence.units.len()));
    }
    if fit.glued {
        steps.push(plain_step("score.glued", 0.8, "与别的单词连写", "written together with other words"));
    }
    steps.extend(offer(occurrence, fit, surface, listing, classes));
    if channels.iter().any(|channel| channel.is_disguise() && !channel.is_guess()) {
        steps.push(plain_step(
            "score.disguise",
            2.5,
            "无人会在无辜的词里使用这种伪装",
            "nobody writes an innocent word in such a disguise",
        ));
    }
    steps.extend(surroundings.around(&surface.folded, cuts, &occurrence.units));
    steps.push(place(surface.surface.kind));
    let slang = steps.iter().any(|step| step.code == "context.counterfeit-slang");
    let disguised = channels.iter().any(|channel| channel.is_disguise());
    let on_lists = sellers::look(lists, mark, listing, classes, on);
    steps.extend(on_lists.steps);
    steps.extend(on_lists.allowed.clone());
    let unwatched = unwatched_channel(mark, &channels);
    steps.extend(unwatched.clone());
    let mut score = run_up(&mut steps);
    if watched
        && !channels.iter().any(|channel| channel.is_guess())
        && let Some(step) = calibration::step(score)
    {
        steps.push(step);
        score = run_up(&mut steps);
    }
    Finding {
        kind: FindingKind::Mark,
        reference: mark.id.as_str().to_owned(),
        family: mark.holder.clone(),
        surface: surface.surface.path.clone(),
        start: span.chars.start,
        end: span.chars.end,
        text,
        version: None,
        campaign: None,
        continues: Vec::new(),
        moment: None,
        word: occurrence.spelling.text.clone(),
        channels,
        score,
        severity: match (mark.status, slang || disguised) {
            (MarkStatus::Pending, _) => Severity::Low,
            (_, true) => Severity::High,
            _ => Severity::Medium,
        },
        citation: citation.to_owned(),
        explanation: steps,
        suppressed: on_lists.allowed.or(unwatched).map(|step| step.en),
        handling: Handling::default(),
    }
}

/// Notes the score after each step that changes it; gives the last.
fn run_up(steps: &mut [Step]) -> f64 {
    let mut score = 1.0;
    for step in steps.iter_mut().filter(|step| (step.factor - 1.0).abs() > f64::EPSILON) {
        score = applied(score, step.factor);
        step.score = Some(rounded(score));
    }
    rounded(score)
}

/// A factor up to 1 multiplies the chance; above 1 it divides the chance of the opposite.
fn applied(score: f64, factor: f64) -> f64 {
    if factor <= 1.0 { score * factor } else { 1.0 - (1.0 - score) / factor }
}

/// Three places are enough: what follows is not known.
pub(super) fn rounded(score: f64) -> f64 {
    (score * 1000.0).round() / 1000.0
}

/// The step that lowered a finding most: why it was set aside.
pub(super) fn weakest_step(finding: &Finding) -> String {
    finding
        .explanation
        .iter()
        .min_by(|a, b| a.factor.total_cmp(&b.factor))
        .map_or_else(|| "the score is low".to_owned(), |step| step.en.clone())
}

/// Channels that the registered spelling does not use itself.
pub(super) fn disguises(occurrence: &Occurrence<'_>, surface: &FoldedSurface<'_>, text: &str) -> Vec<Channel> {
    if text == occurrence.spelling.text || text.to_lowercase() == occurrence.spelling.text.to_lowercase() {
        return Vec::new();
    }
    let mut folding = surface.folded.channels(occurrence.units.clone());
    if !folding.is_empty() {
        let foreign = occurrence.foreign_gaps(&surface.folded);
        let own = crate::text::Folded::new(&occurrence.spelling.text);
        let own = own.channels(0..own.len());
        folding.retain(|channel| match channel {
            Channel::Invisible | Channel::Emoji | Channel::Separator => !foreign.is_empty(),
            other => !own.contains(other),
        });
    }
    let changes = occurrence.alignment.iter().flat_map(|alignment| &alignment.changes);
    folding.extend(changes.map(|change| change.channel));
    folding
}

pub(super) fn plain_step(code: &str, factor: f64, zh: &str, en: &str) -> Step {
    Step {
        code: code.into(),
        before: String::new(),
        after: String::new(),
        factor,
        score: None,
        zh: zh.into(),
        en: en.into(),
    }
}

fn recognised(occurrence: &Occurrence<'_>) -> Step {
    let mark = occurrence.mark;
    let (what_zh, what_en) =
        if occurrence.spelling.alias { ("商标别名", "alias of a mark") } else { ("注册商标", "mark") };
    let (mut zh, mut en) = (vec![mark.holder.clone()], vec![mark.holder.clone()]);
    if !mark.nice_classes.is_empty() {
        let classes: Vec<String> = mark.nice_classes.iter().map(u8::to_string).collect();
        zh.push(format!("第 {} 类", classes.join("、")));
        en.push(format!("class {}", classes.join(" and ")));
    }
    if !mark.number.is_empty() {
        zh.push(format!("注册号 {}", mark.number));
        en.push(format!("registration {}", mark.number));
    }
    let word = &occurrence.spelling.text;
    Step {
        code: "mark.word".into(),
        before: String::new(),
        after: word.clone(),
        factor: 1.0,
        score: None,
        zh: format!("{what_zh}“{word}”（{}）", zh.join("，")),
        en: format!("{what_en} “{word}” ({})", en.join(", ")),
    }
}

/// How sure a word of this length and script is to be meant as the mark.
fn distinctiveness(occurrence: &Occurrence<'_>, fit: &Fit) -> Step {
    let length = occurrence.units.len();
    let word = match (fit.latin, length) {
        (true, 0..=2) => 0.2,
        (true, 3) => 0.55,
        (true, 4) => 0.75,
        (true, 5) => 0.85,
        (true, _) => 0.92,
        (false, 1) => 0.15,
        (false, 2) => 0.62,
        (false, 3) => 0.82,
        (false, _) => 0.92,
    };
    let inside = if fit.leads || fit.broken || fit.latin { 1.0 } else { 0.9 };
    let mut step = plain_step("score.distinctiveness", rounded(word * inside), "", "");
    step.zh = format!("{length} 个字的词");
    step.en = format!("a word of {length} characters");
    step
}

/// The holder does not want to know of words that are written so.
fn unwatched_channel(mark: &Mark, channels: &[Channel]) -> Option<Step> {
    let channel = channels.iter().find(|channel| mark.unwatched.contains(channel))?;
    let mut step = plain_step("mark.unwatched", 0.02, "", "");
    step.zh = format!("该商标不监测这种写法（{channel}）");
    step.en = format!("this mark is not watched for this way of writing ({channel})");
    Some(step)
}

/// A word of the registry stands in listings by accident, short ones all the time.
fn unwatched(length: usize) -> Step {
    let factor = if length > 2 { 0.4 } else { 0.12 };
    plain_step(
        "registry.unwatched",
        factor,
        "仅见于商标注册簿，无人委托监测",
        "only in the registry: no holder watches for it",
    )
}

/// How much a mark on this surface says about the offer: a buyer's review says little.
fn place(kind: SurfaceKind) -> Step {
    let mut step = plain_step("score.surface", context::surface_weight(kind), "", "");
    step.zh = format!("出现在{}", surface_zh(kind));
    step.en = format!("stands in the {kind}");
    step
}

fn surface_zh(kind: SurfaceKind) -> &'static str {
    match kind {
        SurfaceKind::Title => "标题",
        SurfaceKind::Subtitle => "副标题",
        SurfaceKind::Description => "详情",
        SurfaceKind::Attribute => "商品参数",
        SurfaceKind::Brand => "品牌栏",
        SurfaceKind::SellerName => "店铺名",
        SurfaceKind::PictureText => "图片文字",
        SurfaceKind::Review => "买家评价",
        SurfaceKind::Spoken => "直播口播",
        SurfaceKind::Danmaku => "弹幕",
        SurfaceKind::Shelf => "直播货架",
    }
}

/// What the offer around the word says: its classes of goods, and whether it names the word as its brand.
fn offer(
    occurrence: &Occurrence<'_>,
    fit: &Fit,
    surface: &FoldedSurface<'_>,
    listing: &Listing,
    classes: &Classes,
) -> Vec<Step> {
    let mark = occurrence.mark;
    let mut steps = Vec::new();
    let brand_surface = surface.surface.kind == SurfaceKind::Brand
        || surface.surface.kind == SurfaceKind::Attribute && surface.surface.path.ends_with("品牌");
    if brand_surface && fit.alone && occurrence.units.len() == surface.folded.len() {
        steps.push(plain_step("offer.brand", 3.0, "商品自称就是这个品牌", "the offer names it as its brand"));
    }
    // Class 35 (retail services) says nothing about goods.
    let of_goods: Vec<u8> = mark.nice_classes.iter().copied().filter(|class| *class != 35).collect();
    let known = !classes.of.is_empty() && !of_goods.is_empty();
    if known && of_goods.iter().any(|class| classes.of.contains(class)) {
        steps.push(plain_step(
            "offer.same-class",
            1.4,
            "商品属于商标核定的类别",
            "the goods are in a class of the mark",
        ));
    } else if known && mark.well_known {
        steps.push(plain_step(
            "offer.well-known",
            1.0,
            "类别不同，但商标跨类保护",
            "another class, but the mark is protected across classes",
        ));
    } else if known && of_goods.len() == mark.nice_classes.len() {
        let listed: Vec<String> = classes.of.iter().map(u8::to_string).collect();
        let listed = listed.join(", ");
        let factor = if classes.by_category { OTHER_CATEGORY } else { OTHER_TITLE };
        let mut step = plain_step("offer.other-class", factor, "", "");
        step.zh = format!("商品看来属于第 {listed} 类，不在商标核定的类别内");
        step.en = format!("the goods look like class {listed}, not a class of the mark");
        steps.push(step);
    }
    let corroborated = steps.iter().any(|step| step.factor > 1.0);
    // A mark without classes has one thing that speaks for it: where brands stand, in front.
    if (!of_goods.is_empty() || !fit.leads)
        && !corroborated
        && occurrence.alignment.is_none()
        && surprise::is_everyday(occurrence, &surface.folded)
    {
        steps.push(plain_step(
            "offer.everyday-word",
            0.55,
            "是日常用语，又没有别的迹象指向该商标",
            "an everyday word, and nothing else points to the mark",
        ));
    }
    let own_brand = listing.brand.as_deref().map(crate::text::fold).filter(|brand| !brand.is_empty());
    if let Some(brand) = own_brand
        && !brand_surface
        && !fit.broken
        && !crate::text::fold(&mark.text).contains(&brand)
        && !brand.contains(&crate::text::fold(&occurrence.spelling.text))
    {
        steps.push(plain_step("offer.other-brand", 0.75, "商品自称是另一个品牌", "the offer names another brand"));
    }
    steps
}
