//! What every command needs: where settings stand, how to print, how to end.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{archive::ArchiveError, config::Config};
use anyhow::Result;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading.
    Human,
    /// For programs: one JSON value, or one a line.
    Json,
    /// SARIF 2.1.0, for code scanners; only `rules check`.
    Sarif,
}

/// How a command that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Exit code 0.
    Fine,
    /// Exit code 1: it checked something and found something.
    Findings,
    /// Exit code 130: the person stopped it, and was shown what was done so far.
    Stopped,
}

/// Becomes true when the person presses Ctrl-C; pressed again, that ends the process at once.
pub(super) fn on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("interrupt".into()).spawn(move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if told.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            }
        });
    })?;
    Ok(stop)
}

/// Settings and manners shared by all commands.
#[derive(Debug)]
pub struct Context {
    /// The settings file the person named.
    pub config: Option<PathBuf>,
    /// How data is printed.
    pub format: Format,
    /// Whether stderr takes color.
    pub color: bool,
}

impl Context {
    /// Reads the terminal's abilities and starts logging to stderr.
    pub fn new(config: Option<PathBuf>, format: Format, verbose: u8) -> Self {
        let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let level = match verbose {
            0 => "warn,markwarden=warn",
            1 => "warn,markwarden=info",
            _ => "info,markwarden=debug",
        };
        let filter = tracing_subscriber::EnvFilter::try_from_env("MARKWARDEN_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
        let started =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(color).try_init();
        if started.is_err() {
            tracing::debug!("logging was started before");
        }
        Self { config, format, color }
    }

    /// The settings: of the named file, of `config.toml` here, or the defaults.
    ///
    /// # Errors
    /// When the file cannot be read or has a mistake.
    pub fn settings(&self) -> Result<Config> {
        Config::read(self.config.as_deref())
    }

    /// Whether data is printed for programs.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes one line of data to stdout.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn data(&self, line: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        Ok(())
    }

    /// Writes words for the person to stderr.
    pub fn say(&self, words: &str) {
        let mut err = io::stderr().lock();
        // Nobody can be told that stderr is gone.
        drop(writeln!(err, "{words}"));
    }

    /// A bar for work of `total` steps; a spinner when 0. Drawn on stderr, only on a terminal.
    pub fn progress(&self, total: u64, what: &str) -> ProgressBar {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(8)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), target);
        let template = if total > 0 {
            "{msg} {wide_bar} {human_pos}/{human_len} {eta}"
        } else {
            "{spinner} {msg} {human_pos} ({per_sec})"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    /// Prints what went wrong, if anything, and gives the exit code.
    pub fn finish(&self, result: Result<Done>) -> ExitCode {
        match result {
            Ok(Done::Fine) => ExitCode::SUCCESS,
            Ok(Done::Findings) => ExitCode::from(1),
            Ok(Done::Stopped) => ExitCode::from(130),
            Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
            Err(error) if matches!(error.downcast_ref(), Some(ArchiveError::Stopped)) => {
                self.say(&self.describe(&error));
                ExitCode::from(130)
            }
            Err(error) => {
                self.say(&self.describe(&error));
                ExitCode::from(2)
            }
        }
    }

    fn describe(&self, error: &anyhow::Error) -> String {
        if let Some(wrong) = error.downcast_ref::<Box<crate::model::Diagnostic>>() {
            return wrong.render(self.color);
        }
        let mut text = format!("error: {error}");
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            if !text.contains(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        text
    }
}

/// The reader of stdout has left, as `| head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe))
}

/// `text` for a terminal: what would move the cursor, change colors or show nothing is spelled out.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = matches!(c as u32, 0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xE0000..=0xE0FFF);
        if c != '\t' && (c.is_control() || hidden) {
            out.push_str(&format!("<U+{:04X}>", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_invisible_characters_do_not_reach_the_terminal() {
        assert_eq!(visible("云\u{200b}雀\u{1b}[31m\u{202e}"), "云<U+200B>雀<U+001B>[31m<U+202E>");
    }
}
