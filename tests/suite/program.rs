//! The program itself, run as a command and as a server.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// The program in `folder`, which prints without colours and reads nothing.
pub fn markwarden(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markwarden"));
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// What a command prints, and its exit code.
pub async fn said_with_code(folder: &Path, arguments: &[&str]) -> (String, i32) {
    let mut command = markwarden(folder);
    command.args(arguments);
    let Output { stdout, stderr, status } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    ([stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat(), status.code().unwrap())
}

/// What a command prints.
pub async fn said(folder: &Path, arguments: &[&str]) -> String {
    said_with_code(folder, arguments).await.0
}

/// A server that is stopped with the test.
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
