//! Folds each line of standard input and prints it, so that the generator of `tables/` asks the fold instead of imitating it.
#![allow(clippy::print_stdout, missing_docs)]

use std::io::{self, BufRead, BufWriter, Write};

use markwarden::text;

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", text::fold(&line?))?;
    }
    out.flush()
}
