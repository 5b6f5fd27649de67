//! How long the program takes, started as a Lambda function, until it asks for its first call; and how large its zip is. A listener
//! here stands for Lambda's runtime API. What is shipped (`target/dist`) is measured if it has been built, else the release build.

use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::probe::percentile;
use super::{Bench, Figure, LOAD_PEOPLE};
use crate::shell::{self, Outcome};

const ROUNDS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the figures.
pub(super) fn run(bench: &Bench) -> Outcome<Vec<Figure>> {
    let shipped = shell::target().join("dist/tidegate");
    let (program, profile) = if shipped.is_file() {
        (shipped, "dist")
    } else {
        (bench.binary.clone(), "release, which is larger than what is shipped")
    };
    bench.pipeline(LOAD_PEOPLE)?;
    let mut function = (0..ROUNDS).map(|_| until_asked(bench, &program, "load")).collect::<Outcome<Vec<f64>>>()?;
    let mut intake =
        (0..ROUNDS).map(|_| until_asked(bench, &program, "tidegate-intake")).collect::<Outcome<Vec<f64>>>()?;
    let figure = |name: &str, ours: &mut [f64]| Figure {
        name: name.into(),
        ours: percentile(ours, 0.5),
        peer: None,
        unit: "ms".into(),
        fsync: None,
        note: format!(
            "process start to the first `/next`, median of {ROUNDS}, p90 {:.1} ms; {profile}",
            percentile(ours, 0.9)
        ),
    };
    let started = figure("bootstrap_function", &mut function);
    Ok(vec![started, figure("bootstrap_intake", &mut intake), zip(bench, &program, profile)?])
}

/// Milliseconds from the start of the program to its first question.
fn until_asked(bench: &Bench, program: &PathBuf, role: &str) -> Outcome<f64> {
    let failed = |error: std::io::Error| format!("the runtime API could not be played: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("lambda").stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).current_dir(&bench.folder);
    command.env_clear().envs([
        ("AWS_LAMBDA_RUNTIME_API", address.to_string().as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", "eu-west-1"),
        ("TIDEGATE_FUNCTION", role),
        ("TIDEGATE_ACCOUNT", "123456789012"),
    ]);
    let began = Instant::now();
    let mut child = command.spawn().map_err(failed)?;
    let asked = first_question(&listener, began);
    // It waits for an answer that never comes.
    let _ = child.kill();
    let _ = child.wait();
    let (took, question) = asked.map_err(failed)?;
    if !question.starts_with("GET /2018-06-01/runtime/invocation/next ") {
        return Err(format!("it asked for something else: {question}"));
    }
    Ok(took.as_secs_f64() * 1e3)
}

/// When the first question came, and what it was.
fn first_question(listener: &TcpListener, began: Instant) -> std::io::Result<(Duration, String)> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((mut connection, _)) => {
                let came = began.elapsed();
                connection.set_nonblocking(false)?;
                let mut bytes = [0; 1024];
                let count = connection.read(&mut bytes)?;
                return Ok((came, String::from_utf8_lossy(&bytes[..count]).into_owned()));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_micros(50));
            }
            Err(error) => return Err(error),
        }
    }
}

/// The size of the zip that is deployed.
fn zip(bench: &Bench, program: &PathBuf, profile: &str) -> Outcome<Figure> {
    let out = bench.folder.join("program.zip");
    shell::read(bench.tidegate(&["package", "--program"]).arg(program).arg("--out").arg(&out))?;
    let size = std::fs::metadata(&out).map_err(|error| format!("`{}`: {error}", out.display()))?.len();
    Ok(Figure {
        name: "bootstrap_zip".into(),
        ours: size as f64 / 1e6,
        peer: None,
        unit: "MB".into(),
        fsync: None,
        note: format!("the zip of `tidegate package`; {profile}"),
    })
}
