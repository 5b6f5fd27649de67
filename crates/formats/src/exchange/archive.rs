//! A zip archive of casts to [`Statistics`]: members are read in parallel, and merged in their order.

use std::io::{self, Read, Seek};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::header::{text, title_of};
use super::seed::{Seed, Way};
use super::summarise;
use crate::statistics::{Code, Refused, Statistics};
use crate::zip::{Archive, Entry};
use crate::{Error, Problem};

/// Bytes of a member that tell what it is.
const HEAD: u64 = 4096;

/// How an archive is read.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// Most threads.
    pub threads: usize,
    /// Asked before each member: whether to stop.
    pub cancelled: &'o (dyn Fn() -> bool + Sync),
}

/// What became of a member.
struct Part {
    outcome: Outcome,
    /// The script's number; outer `None`: it would not have looked.
    seed: Option<Option<u64>>,
}

enum Outcome {
    Read(Box<Statistics>),
    Refused(Refused),
    PassedOver,
}

/// What an archive of casts comes to. `open` gives readers of its bytes that are independent of each other.
///
/// # Errors
/// `Malformed` if it is no archive, is cut, or has no member that can be read (with the reason of the first); `TooLarge`
/// if it is made to hurt; `Io`, also if it is cancelled.
pub fn archive<S: Read + Seek>(
    open: &(dyn Fn() -> S + Sync),
    name: &str,
    options: &Options<'_>,
) -> Result<Statistics, Error> {
    let archive = Archive::open(&mut open())?;
    let wants_seed = name.ends_with(".zip");
    let parts = read_all(open, &archive, wants_seed, options)?;
    let mut all = Statistics { observations_seed: wants_seed.then_some(0), ..Statistics::default() };
    let mut kinds = std::collections::BTreeMap::<String, u64>::new();
    let mut casts = std::collections::HashSet::new();
    for (entry, part) in archive.entries.iter().zip(parts) {
        if let Some(seed) = part.seed {
            all.observations_seed = all.observations_seed.zip(seed).map(|(sum, more)| sum + more);
        }
        match part.outcome {
            Outcome::Read(mut statistics) => {
                *kinds.entry(statistics.kind.clone()).or_default() += 1;
                for cast in &statistics.casts {
                    let key = (cast.expocode.clone(), cast.station.clone(), cast.cast.clone());
                    if !casts.insert(key) && statistics.kind == "CTD" {
                        statistics.findings.record(Code::RepeatedCast, "", 0);
                        break;
                    }
                }
                all.merge(*statistics, &entry.name);
            }
            Outcome::Refused(refused) => all.refused.push(refused),
            Outcome::PassedOver if entry.is_folder() => {}
            Outcome::PassedOver => {
                let mut findings = crate::statistics::Findings::default();
                findings.record(Code::MemberPassedOver, "", 0);
                all.findings.merge(findings, Some(&entry.name));
            }
        }
    }
    if all.members == 0 {
        return Err(nothing(&archive, &all.refused));
    }
    if kinds.len() > 1 {
        all.findings.record(Code::MixedKinds, "", 0);
    }
    all.kind = kinds.into_iter().max_by_key(|(_, count)| *count).map(|(kind, _)| kind).unwrap_or_default();
    Ok(all)
}

/// The refusal of an archive without a cast.
fn nothing(archive: &Archive, refused: &[Refused]) -> Error {
    let members = archive.entries.iter().filter(|entry| !entry.is_folder()).count();
    match (members, refused.first()) {
        (0, _) => Error::new(Problem::Malformed, "the archive is empty"),
        (_, None) => Error::new(Problem::Malformed, format!("none of the {members} members is a cast"))
            .expected("files in WHP-Exchange format, which begin with `CTD` or `BOTTLE`"),
        (1, Some(first)) => {
            let mut error = Error::new(Problem::Malformed, first.reason.clone()).help(first.help.clone());
            (error.member, error.line) = (first.member.clone(), first.line);
            error
        }
        (_, Some(first)) => {
            let count = refused.len();
            let message = format!("no cast can be read, and {count} are refused; the first: {}", first.reason);
            let mut error = Error::new(Problem::Malformed, message).help(first.help.clone());
            (error.member, error.line) = (first.member.clone(), first.line);
            error
        }
    }
}

/// Reads every member, several at once.
fn read_all<S: Read + Seek>(
    open: &(dyn Fn() -> S + Sync),
    archive: &Archive,
    wants_seed: bool,
    options: &Options<'_>,
) -> Result<Vec<Part>, Error> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Part)>, Error> {
        let mut source = open();
        let mut parts = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(entry) = archive.entries.get(at) else { return Ok(parts) };
            if (options.cancelled)() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "asked to stop").into());
            }
            parts.push((at, member(archive, entry, &mut source, wants_seed)?));
        }
    };
    // A thread costs more than a small member.
    let threads = options.threads.min(archive.entries.len() / 4);
    let mut parts = if threads < 2 {
        work()?
    } else {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut parts = work();
            for other in others {
                let theirs = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                match (&mut parts, theirs) {
                    (Ok(parts), Ok(theirs)) => parts.extend(theirs),
                    (Ok(_), Err(error)) => parts = Err(error),
                    (Err(_), _) => {}
                }
            }
            parts
        })?
    };
    parts.sort_by_key(|(at, _)| *at);
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

/// Reads one member; only a failing source is an error.
fn member<S: Read + Seek>(archive: &Archive, entry: &Entry, source: &mut S, wants_seed: bool) -> Result<Part, Error> {
    let base = entry.name.rsplit('/').next().unwrap_or_default();
    // Resource forks, which a certain archiver adds.
    let is_fork = base.starts_with("._") || entry.name.starts_with("__MACOSX/");
    let wants_seed = wants_seed && entry.name.ends_with(".csv");
    if entry.is_folder() || (is_fork && !wants_seed) {
        return Ok(Part { outcome: Outcome::PassedOver, seed: None });
    }
    match read(archive, entry, source, wants_seed) {
        Ok((outcome, seed)) => Ok(Part { outcome, seed: wants_seed.then_some(seed) }),
        Err(error) if is_of_content(&error) => {
            let outcome = Outcome::Refused(refused(entry, &error));
            Ok(Part { outcome, seed: wants_seed.then_some(None) })
        }
        Err(error) => Err(error),
    }
}

fn read<S: Read + Seek>(
    archive: &Archive,
    entry: &Entry,
    source: &mut S,
    wants_seed: bool,
) -> Result<(Outcome, Option<u64>), Error> {
    let mut bytes = archive.member(entry, source)?;
    let mut head = Vec::new();
    bytes.by_ref().take(HEAD).read_to_end(&mut head)?;
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        let error = Error::new(Problem::Unsupported, "an archive within the archive, which is not opened")
            .help("unpack it, and put the casts themselves or one archive of them");
        return Ok((Outcome::Refused(refused(entry, &error)), None));
    }
    let first = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let first = first.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let is_called_so = entry.name.to_ascii_lowercase().ends_with(".csv");
    if title_of(first).is_none() && !is_called_so {
        return Ok((Outcome::PassedOver, None));
    }
    let way = wants_seed.then_some(Way::Cast);
    match summarise::file(head.as_slice().chain(bytes), &entry.name, way) {
        Ok(statistics) => {
            let seed = statistics.observations_seed;
            Ok((Outcome::Read(Box::new(statistics)), seed))
        }
        Err((error, seed)) if is_of_content(&error) => {
            let mut refused = refused(entry, &error);
            if refused.line == Some(1) && title_of(first).is_none() {
                refused.reason = format!("{} (it reads `{}`)", refused.reason, summarise::first_line(&head));
            }
            Ok((Outcome::Refused(refused), seed))
        }
        Err((error, _)) => Err(error),
    }
}

fn refused(entry: &Entry, error: &Error) -> Refused {
    let reason = match std::error::Error::source(error) {
        Some(cause) => cause.to_string(),
        None => error.message.clone(),
    };
    let help = error.help.clone().or_else(|| error.expected.clone()).unwrap_or_default();
    Refused { member: Some(text(entry.name.as_bytes())), line: error.line, reason, help }
}

/// Whether the content is at fault, and not the place it is read from.
pub(crate) fn is_of_content(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause {
        Some(cause) => cause.kind() == io::ErrorKind::InvalidData,
        None => error.problem != Problem::Io,
    }
}

/// The script's number for a content that is no file of this format, but is called `.csv`.
///
/// # Errors
/// `Io`, `TooLarge` for an endless line.
pub fn seed_of(input: impl Read) -> Result<Option<u64>, Error> {
    let mut lines = super::lines::Lines::new(input);
    let mut seed = Seed::new(Way::Bottle);
    while let Some(line) = lines.next()? {
        seed.line(line.bytes);
    }
    Ok(seed.finish())
}
