//! `tidegate package`: the zip that Lambda starts: this program as `bootstrap`, and the pipeline's directory beside it. The same
//! input gives the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use tidegate_formats::zip;
use tidegate_model::{ErrorKind, Pipeline};

use crate::draft;
use crate::exit::{Exit, Stop};
use crate::output::counted;
use crate::project::{FILE, Here, Project};

/// What Lambda unpacks at most.
const MOST_BYTES: usize = 250 << 20;
/// What Lambda starts.
const BOOTSTRAP: &str = "bootstrap";
/// Names that end so are databases of this machine.
const DATABASES: [&str; 3] = [".db", ".db-wal", ".db-shm"];

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The zip, which is replaced once all of it is written.
    #[arg(long, value_name = "FILE", default_value = ZIP)]
    out: PathBuf,
    /// A tidegate built for Lambda (Linux, x86_64 or arm64); without it, this program itself.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Packs.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::read_whole(here)?;
    let packed = pack(&project, args.program.as_deref(), &args.out)?;
    write(&args.out, &packed.bytes)?;
    let (digest, architecture) = (packed.digest(), packed.architecture);
    if here.printer.json {
        let told = json!({ "file": args.out, "bytes": packed.bytes.len(), "sha256": digest, "architecture": architecture, "files": packed.files });
        here.printer.document(&told)?;
    } else {
        here.printer.line(&format!("{digest}  {}", args.out.display()))?;
        here.printer.remark(&packed.described());
    }
    Ok(Exit::Done)
}

/// The zip that Lambda starts, and what is in it.
pub(crate) struct Packed {
    /// The zip.
    pub(crate) bytes: Vec<u8>,
    /// What the program was built for, as Lambda calls it.
    pub(crate) architecture: &'static str,
    /// The pipeline's files in it.
    pub(crate) files: Vec<String>,
}

impl Packed {
    /// Its SHA-256.
    pub(crate) fn digest(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What it is, for people.
    pub(crate) fn described(&self) -> String {
        let of_yours = counted(self.files.len() as u64, "file");
        let megabytes = self.bytes.len() as f64 / 1e6;
        format!("{megabytes:.1} MB for {}: the program, and {of_yours} of the pipeline", self.architecture)
    }
}

/// The file to which a zip is written if nobody says otherwise; it is no part of the next one.
pub(crate) const ZIP: &str = "program.zip";

/// Packs a program, this one if none is named, with the pipeline's directory; what lies at `out` is left out.
///
/// # Errors
/// If a file cannot be read, the program is none for Lambda, or it is all too large.
pub(crate) fn pack(project: &Project, program: Option<&Path>, out: &Path) -> Result<Packed, Stop> {
    let program = match program {
        Some(path) => path.to_owned(),
        None => std::env::current_exe().map_err(|error| Stop::file("found", Path::new("tidegate"), &error))?,
    };
    let bootstrap = read(&program)?;
    let architecture = architecture(&bootstrap).ok_or_else(|| {
        Stop::wrong(format!("`{}` is no program that Lambda can start", program.display()))
            .expected("a tidegate built for Linux on x86_64 or arm64")
            .help("build it on such a machine, and name it with `--program FILE`")
    })?;
    let mut files = BTreeMap::new();
    gather(&project.dir, "", &left_out(&project.pipeline), &mut files)?;
    files.retain(|_, path| !same_file(path, out) && !same_file(path, &program));
    let mut packed = zip::Writer::new(Vec::new());
    packed.program(BOOTSTRAP, &bootstrap).map_err(too_large)?;
    let mut size = bootstrap.len();
    for (name, path) in &files {
        let content = read(path)?;
        size += content.len();
        packed.member(name, &content).map_err(too_large)?;
    }
    if size > MOST_BYTES {
        let stop = Stop::wrong(format!("it would have {} MB unpacked; Lambda takes 250 MB", size >> 20));
        return Err(stop.help("build with `--profile dist`, and move large files out of the pipeline's directory"));
    }
    let bytes = packed.finish().map_err(too_large)?;
    Ok(Packed { bytes, architecture, files: files.into_keys().collect() })
}

/// What the program was built for, as Lambda calls it.
fn architecture(program: &[u8]) -> Option<&'static str> {
    let is_elf_of_64_bits = program.starts_with(b"\x7fELF\x02\x01");
    match (is_elf_of_64_bits, program.get(18..20)?) {
        (true, [62, 0]) => Some("x86_64"),
        (true, [183, 0]) => Some("arm64"),
        _ => None,
    }
}

/// Folders of buckets, and the file of secrets: neither belongs into a program.
fn left_out(pipeline: &Pipeline) -> Vec<String> {
    let urls = pipeline.buckets.values().filter_map(|bucket| bucket.url.clone());
    let folders = urls.filter(|url| !url.contains("://")).chain(["buckets".to_owned()]);
    folders
        .chain(pipeline.secrets_file.clone())
        .map(|path| path.trim_start_matches("./").trim_end_matches('/').to_owned())
        .collect()
}

/// The files below a folder by their names in the zip. What is hidden stays here: state, secrets, version control.
fn gather(folder: &Path, below: &str, left_out: &[String], files: &mut BTreeMap<String, PathBuf>) -> Result<(), Stop> {
    let cannot = |error: &std::io::Error| Stop::file("listed", folder, error);
    for entry in fs::read_dir(folder).map_err(|error| cannot(&error))? {
        let entry = entry.map_err(|error| cannot(&error))?;
        let path = entry.path();
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| Stop::wrong(format!("`{}` has a name that is not UTF-8", Path::new(&name).display())))?;
        let inside = format!("{below}{name}");
        if name.starts_with('.') || left_out.contains(&inside) || DATABASES.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        if inside == BOOTSTRAP {
            return Err(Stop::wrong(format!(
                "`{BOOTSTRAP}` in the pipeline's directory would take the place of the program"
            ))
            .help("give it another name"));
        }
        let kind = fs::metadata(&path).map_err(|error| Stop::file("read", &path, &error))?;
        if kind.is_dir() {
            gather(&path, &format!("{inside}/"), left_out, files)?;
        } else {
            files.insert(inside, path);
        }
    }
    debug_assert!(!below.is_empty() || files.contains_key(FILE), "the pipeline file is among them");
    Ok(())
}

fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| Stop::file("read", path, &error))
}

fn too_large(error: tidegate_formats::Error) -> Stop {
    Stop::new(ErrorKind::Invalid, error.to_string())
}

/// Puts a file in its place once all of it is written.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Stop> {
    let cannot = |error: &std::io::Error| Stop::file("written", path, error);
    let mut file = draft::beside(path).map_err(|error| cannot(&error))?;
    file.write_all(content).map_err(|error| cannot(&error))?;
    file.persist(path).map_err(|error| cannot(&error.error))?;
    Ok(())
}
