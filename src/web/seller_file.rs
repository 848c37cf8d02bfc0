//! Lists of sellers by file: CSV or a workbook, columns known by name in Chinese and English. It is taken whole or not at
//! all; the same file again changes nothing.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    Desk, WebError,
    card::visible,
    seller_lists::{self, Sent, listed, show, write},
    upload::Upload,
    visit::Visit,
};
use crate::{
    intake,
    model::{Account, SellerList},
    monitor,
};

/// Longest file, in bytes, and most sellers of one.
pub(super) const MAX_FILE_BYTES: usize = 4 << 20;
const MAX_ROWS: usize = 20_000;
/// Mistakes that are told.
const TOLD: usize = 20;
/// Sellers written in one act.
const BATCH: usize = 500;

/// What columns are called, by field.
const NAMES: [(&str, &[&str]); 11] = [
    ("seller", &["seller", "shop", "卖家", "店铺", "商家"]),
    ("list", &["list", "名单"]),
    ("holder", &["holder", "权利人"]),
    ("platforms", &["platforms", "platform", "平台"]),
    ("classes", &["classes", "nice_classes", "类别", "国际分类"]),
    ("goods", &["goods", "商品", "商品词"]),
    ("territory", &["territory", "注册地", "地域"]),
    ("from", &["from", "自", "开始日期", "生效日"]),
    ("until", &["until", "至", "截止日期", "到期日"]),
    ("letter", &["letter", "授权书"]),
    ("why", &["why", "原因", "说明"]),
];

/// What lists are called in files besides their codes.
const LISTS: [(&str, SellerList); 6] = [
    ("获授权", SellerList::Allow),
    ("授权", SellerList::Allow),
    ("白名单", SellerList::Allow),
    ("已知侵权", SellerList::Deny),
    ("黑名单", SellerList::Deny),
    ("关注", SellerList::Watch),
];

/// A row that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Its number in the file, from 1.
    pub row: u64,
    /// What is wrong.
    pub what: String,
}

fn field(header: &str) -> Option<&'static str> {
    let name = header.trim().trim_start_matches('\u{feff}').to_lowercase();
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(field, _)| *field)
}

/// The rows of a file as the form would send them, each with its number.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Vec<(u64, Sent)>, Vec<Mistake>> {
    let whole = |what: String| vec![Mistake { row: 1, what }];
    let (mut rows, left_out) = intake::cells(name, bytes).map_err(|error| whole(error.to_string()))?;
    if !left_out.is_empty() {
        return Err(left_out.into_iter().take(TOLD).map(|row| Mistake { row: row.row, what: row.what }).collect());
    }
    if rows.is_empty() {
        return Err(whole("it is empty: its first row names the columns".into()));
    }
    let (_, header) = rows.remove(0);
    let fields: Vec<Option<&str>> = header.iter().map(|name| field(name)).collect();
    if !fields.contains(&Some("seller")) {
        let names: Vec<&str> = NAMES.iter().map(|(field, _)| *field).collect();
        return Err(whole(format!("no column is called `seller` or 卖家; known are {}", names.join(", "))));
    }
    rows.retain(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty()));
    if rows.len() > MAX_ROWS {
        return Err(whole(format!("{} sellers; at most {MAX_ROWS} are taken at once: split the file", rows.len())));
    }
    let sent = rows.into_iter().map(|(row, cells)| {
        let mut sent = Sent::default();
        for (name, cell) in fields.iter().zip(&cells) {
            if let Some(name) = name {
                sent.set(name, cell);
            }
        }
        if let Some((_, list)) = LISTS.into_iter().find(|(word, _)| *word == sent.list.trim()) {
            list.code().clone_into(&mut sent.list);
        }
        (row, sent)
    });
    Ok(sent.collect())
}

/// Puts all sellers of a file on their lists; `list` is for rows that name none. Returns how many.
pub(super) async fn take(
    desk: &Desk,
    account: &Account,
    (name, bytes, list): (&str, &[u8], &str),
) -> Result<Result<usize, Vec<Mistake>>, WebError> {
    let (name, bytes) = (name.to_owned(), bytes.to_vec());
    let rows = tokio::task::spawn_blocking(move || read(&name, &bytes)).await;
    let rows = match rows.map_err(|error| WebError::Check(error.to_string()))? {
        Ok(rows) => rows,
        Err(mistakes) => return Ok(Err(mistakes)),
    };
    let known = seller_lists::known(desk).await?;
    let (mut writes, mut mistakes) = (Vec::new(), Vec::new());
    for (row, mut sent) in rows {
        if sent.list.trim().is_empty() {
            list.clone_into(&mut sent.list);
        }
        match listed(desk, account, &known, &sent) {
            Ok(listed) if known.listed(&listed.id).is_some() => {}
            Ok(listed) => writes.push(monitor::list(&listed)),
            Err(WebError::Field(field)) => mistakes.push(Mistake { row, what: format!("`{field}` cannot be taken") }),
            Err(other) => return Err(other),
        }
        if mistakes.len() >= TOLD {
            break;
        }
    }
    if !mistakes.is_empty() {
        return Ok(Err(mistakes));
    }
    let new = writes.len();
    for part in writes.chunks(BATCH) {
        write(desk, account, part.to_vec()).await?;
    }
    Ok(Ok(new))
}

/// Takes a file from the page.
pub(super) async fn upload(State(desk): State<Desk>, visit: Visit, upload: Upload) -> Result<Response, WebError> {
    let account = visit.account()?;
    let Some((name, bytes)) = upload.file("file") else {
        let words = visit.words.say("list-no-file");
        return Ok(show(&desk, &visit, "", Some(words)).await?.into_response());
    };
    match take(&desk, account, (name, bytes, upload.text("list"))).await? {
        Ok(new) => Ok(Redirect::to(&format!("/seller-lists?added={new}")).into_response()),
        Err(mistakes) => {
            let told: Vec<String> = mistakes.iter().map(|one| format!("{}: {}", one.row, visible(&one.what))).collect();
            let words = visit.words.with("list-mistakes", &[("mistakes", &told.join("; "))]);
            Ok(show(&desk, &visit, "", Some(words)).await?.into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_known_by_name_and_rows_keep_their_number() {
        let file = "卖家,名单,平台,类别,备用\n莆仙优品,黑名单,星河商城;简铺,25 18,x\n\n云雀旗舰店,allow,,,\n";
        let rows = read("a.csv", file.as_bytes()).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].0, rows[0].1.list.as_str(), rows[0].1.platforms.as_str()), (2, "deny", "星河商城;简铺"));
        assert_eq!((rows[1].0, rows[1].1.list.as_str()), (4, "allow"));
    }

    #[test]
    fn a_file_without_sellers_one_too_long_and_one_of_another_kind_are_refused() {
        for (name, file) in
            [("a.csv", "list\nallow\n"), ("a.csv", ""), ("a.pdf", "seller\nx\n"), ("a.xlsx", "seller\n")]
        {
            assert_eq!(read(name, file.as_bytes()).unwrap_err()[0].row, 1, "{name} {file}");
        }
        let many = format!("seller\n{}", "x\n".repeat(MAX_ROWS + 1));
        assert!(read("a.csv", many.as_bytes()).unwrap_err()[0].what.contains("split the file"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_mistakes(bytes in prop::collection::vec(any::<u8>(), 0..300), head in any::<bool>()) {
            let mut file = if head { b"seller,list,until\n".to_vec() } else { Vec::new() };
            file.extend(bytes);
            for name in ["a.csv", "a.xlsx"] {
                drop(read(name, &file));
            }
        }
    }
}
