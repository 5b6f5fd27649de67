//! Starting the program, feeding it, keeping what it says last, and ending it with all its children when it must stop.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::process::Stdio;

use tidegate_model::{ErrorKind, Failure};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// How many of the last lines of stderr are kept.
const LINES: usize = 20;

/// How much of one line is kept.
const WIDTH: usize = 500;

/// What is to be started.
pub(super) struct Program<'a> {
    pub(super) words: &'a [String],
    pub(super) dir: &'a Path,
    pub(super) env: Vec<(String, String)>,
    pub(super) stdin: String,
}

/// How it ended.
pub(super) struct Ended {
    /// Exit code; `None` if a signal killed it.
    pub(super) code: Option<i32>,
    /// The last lines it wrote to stderr.
    pub(super) stderr_tail: String,
    /// The last line it wrote to stdout.
    pub(super) last_stdout_line: Option<String>,
}

/// Runs the program to its end. When `cancelled` completes first, or the returned future is dropped, the program and
/// everything it started is killed.
pub(super) async fn run(program: Program<'_>, cancelled: impl Future<Output = ()>) -> Result<Ended, Failure> {
    let name = &program.words[0];
    let mut command = Command::new(name);
    command
        .args(&program.words[1..])
        .current_dir(program.dir)
        .envs(program.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| {
        Failure::new("R0201", ErrorKind::Invalid, format!("`{name}` cannot be started: {error}"))
            .expected("a program on the PATH, or a path from the directory of the pipeline file")
            .help("check `program`, and that the file is executable")
    })?;
    let _group = Group(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its stdin is fine.
            let _ = stdin.write_all(program.stdin.as_bytes()).await;
        }
    };
    let wait = async {
        let ((), stdout, stderr) = tokio::join!(feed, last_lines(stdout, 1), last_lines(stderr, LINES));
        (child.wait().await, stdout, stderr)
    };
    tokio::select! {
        (status, stdout, stderr) = wait => {
            let status = status.map_err(|error| {
                Failure::new("R0201", ErrorKind::Unavailable, format!("`{name}` cannot be waited for: {error}"))
            })?;
            Ok(Ended {
                code: status.code(),
                stderr_tail: stderr.join("\n"),
                last_stdout_line: stdout.into_iter().next(),
            })
        }
        () = cancelled => Err(Failure::new("R0012", ErrorKind::Unavailable, format!("`{name}` was stopped"))),
    }
}

/// Reads to the end and keeps the last non-empty lines.
async fn last_lines(stream: Option<impl AsyncRead + Unpin>, count: usize) -> Vec<String> {
    let mut kept = VecDeque::new();
    let Some(stream) = stream else { return Vec::new() };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // Reads at most a buffer at a time, so that a program that writes no line break costs no memory.
    loop {
        let chunk = match reader.fill_buf().await {
            Ok(chunk) if !chunk.is_empty() => chunk,
            _ => break,
        };
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |at| at + 1);
        let room = WIDTH.saturating_sub(line.len());
        line.extend_from_slice(&chunk[..end.unwrap_or(chunk.len()).min(room)]);
        reader.consume(taken);
        if end.is_some() {
            keep(&mut kept, &mut line, count);
        }
    }
    keep(&mut kept, &mut line, count);
    kept.into()
}

fn keep(kept: &mut VecDeque<String>, line: &mut Vec<u8>, count: usize) {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    if text.is_empty() {
        return;
    }
    if kept.len() == count {
        kept.pop_front();
    }
    kept.push_back(text);
}

/// The program's process group; killed when this goes, so that no child of the program outlives the run.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.0.and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
            // Usually it has ended by itself and there is nothing to kill.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}
