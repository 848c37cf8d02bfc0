//! Writers that are killed, and what they said before: a store in another process, for tests that take it away.

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

/// A writer that said nothing for so long hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What the writer ends with when the store refused what it has no reason to refuse.
const GAVE_UP: i32 = 3;

/// A number from the environment, for runs longer than the suite's.
pub fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect(variable))
}

/// Says a line that shows even where the tests' own output is kept back.
pub fn announce(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Beside the test's own executable: `target/<profile>/deps/suite-…` and `target/<profile>/examples/NAME`.
fn tool(name: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path: PathBuf = own.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "`cargo test` builds {path:?}; with `--test suite` run `cargo build --examples` first");
    Command::new(path)
}

/// A running writer.
pub struct Writer {
    child: Child,
    said: Receiver<String>,
    lines: Vec<String>,
}

impl Writer {
    /// Starts one that opens the store in `dir`.
    pub fn start(dir: &Path, run: usize) -> Self {
        let mut child = tool("store_writer").arg(dir).arg(run.to_string()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (say, said) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // A line without its end was cut by the kill: it promises nothing.
            while out.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
                if say.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self { child, said, lines: Vec::new() }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Listens until it has said `count` lines in all; the first one says that the store is open.
    pub fn listen(&mut self, count: usize) {
        while self.lines.len() < count {
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) => self.lines.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("the writer hangs"),
                Err(RecvTimeoutError::Disconnected) => panic!("the writer ended by itself: {:?}", self.child.wait()),
            }
        }
    }

    /// Kills it with a signal it cannot hear, and returns everything it said.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_ne!(status.code(), Some(GAVE_UP), "the store refused");
        self.lines.extend(self.said.iter());
        self.lines
    }
}

/// What the checker found when all was well.
pub struct Checked {
    /// How long the store took to open.
    pub opened: Duration,
    /// How many acknowledged acts were found again.
    pub acknowledged: u64,
}

/// Opens the store in `dir` in a process of its own and holds it against what was said; with `whole` its index too
/// against one that is rebuilt. In a `damaged` store the index may need the repair that the doctor advises.
pub fn check(dir: &Path, lines: &[String], whole: bool, damaged: bool) -> Checked {
    let mut child = tool("store_check")
        .arg(dir)
        .args(whole.then_some("--whole"))
        .args(damaged.then_some("--damaged"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = said.split_whitespace().collect();
    let value =
        |name: &str| -> u64 { words[words.iter().position(|word| *word == name).expect(name) + 1].parse().unwrap() };
    Checked { opened: Duration::from_micros(value("opened_us")), acknowledged: value("acknowledged") }
}

/// How long the store took to open each time, and how much was checked.
#[derive(Default)]
pub struct Figures {
    opened: Vec<Duration>,
    acknowledged: u64,
}

impl Figures {
    pub fn add(&mut self, checked: &Checked) {
        self.opened.push(checked.opened);
        self.acknowledged += checked.acknowledged;
    }

    pub fn extend(&mut self, others: Self) {
        self.opened.extend(others.opened);
        self.acknowledged += others.acknowledged;
    }

    /// In one line.
    pub fn line(mut self) -> String {
        self.opened.sort_unstable();
        let at = |share: usize| self.opened.get(self.opened.len() * share / 100).copied().unwrap_or_default();
        let worst = self.opened.last().copied().unwrap_or_default();
        format!(
            "{} acknowledged acts checked, 0 lost; opened in p50 {:.3} s, p99 {:.3} s, at most {:.3} s",
            self.acknowledged,
            at(50).as_secs_f64(),
            at(99).as_secs_f64(),
            worst.as_secs_f64()
        )
    }
}

/// Removes the index below `dir`, if there is one.
pub fn remove_index(dir: &Path) {
    let index = dir.join("index");
    if index.exists() {
        fs::remove_dir_all(index).unwrap();
    }
}
