//! What is read off a machine and a running process: the disk's sync latency, wall time, memory, processor time.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::shell::{self, Outcome};

/// Latency of a raw `fdatasync` after a write of 4 KiB, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Fsync {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Fsync {
    /// Measures it in `folder`, on the disk that the bench uses.
    pub(crate) fn measure(folder: &Path) -> Outcome<Self> {
        let path = folder.join("fsync.probe");
        let failed = |error: std::io::Error| format!("`{}` could not be synced: {error}", path.display());
        let mut file = File::create(&path).map_err(failed)?;
        let block = [7_u8; 4096];
        let mut latencies = Vec::new();
        for _ in 0..500 {
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&block)).map_err(failed)?;
            let began = Instant::now();
            file.sync_data().map_err(failed)?;
            latencies.push(began.elapsed().as_secs_f64() * 1e6);
        }
        fs::remove_file(&path).map_err(failed)?;
        Ok(Self { p50_us: percentile(&mut latencies, 0.50), p99_us: percentile(&mut latencies, 0.99) })
    }
}

/// The value below which that part of all lies.
pub(crate) fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// Runs the command to its end without output and returns the seconds from start to exit. Fails, with its words, if it fails.
pub(crate) fn seconds(command: &mut Command) -> Outcome<f64> {
    let began = Instant::now();
    shell::read(command)?;
    Ok(began.elapsed().as_secs_f64())
}

/// Runs the command to its end and returns the most memory it held, in MiB. Linux keeps the high-water mark; it is read
/// every millisecond while the process lives, since the standard library does not return a child's resource usage.
pub(crate) fn peak_memory(command: &mut Command) -> Outcome<f64> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| shell::cannot_start(command, &error))?;
    let mut peak = f64::NAN;
    loop {
        if let Some(mebibytes) = status_mebibytes(child.id(), "VmHWM") {
            peak = mebibytes;
        }
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Ok(Some(status)) if status.success() && peak.is_finite() => return Ok(peak),
            Ok(Some(status)) => return Err(format!("its memory could not be followed to the end: {status}")),
            Err(error) => return Err(format!("it could not be waited for: {error}")),
        }
    }
}

/// A field of `/proc/<pid>/status`, `VmHWM` or `VmRSS`, in MiB.
pub(crate) fn status_mebibytes(process: u32, field: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// Seconds of processor time that the process has used, user and system.
pub(crate) fn processor_seconds(process: u32) -> Outcome<f64> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("`{path}` could not be read: {error}"))?;
    let per_second = ticks_a_second()?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th fields after it.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = field(11).zip(field(12)).ok_or_else(|| format!("`{path}` is not as expected"))?;
    Ok((user + system) / per_second)
}

/// Seconds that the cores of this machine have had nothing to do, all of them together, since it was started.
pub(crate) fn idle_seconds() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/stat").map_err(|error| format!("`/proc/stat` could not be read: {error}"))?;
    // `cpu`, user, nice, system, idle, waiting for the disk.
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(4).take(2);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    match ticks.as_slice() {
        [idle, waiting] => Ok((idle + waiting) / ticks_a_second()?),
        _ => Err("`/proc/stat` is not as expected".to_owned()),
    }
}

/// In what `/proc` counts time. Asked for once: to ask is to start a process.
fn ticks_a_second() -> Outcome<f64> {
    static TICKS: OnceLock<Outcome<f64>> = OnceLock::new();
    let ask = || {
        let ticks = shell::read(&mut shell::program("getconf", &["CLK_TCK"]))?;
        ticks.trim().parse().map_err(|_| "`getconf CLK_TCK` gave no number".to_owned())
    };
    TICKS.get_or_init(ask).clone()
}

/// A process that is killed when this value ends, if it has not ended by then.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts the command without output.
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(|error| shell::cannot_start(command, &error))
    }

    /// Fails if the process has ended: it was meant to go on.
    pub(crate) fn still_runs(&mut self) -> Outcome {
        match self.0.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("it ended by itself: {status}")),
            Err(error) => Err(format!("it could not be waited for: {error}")),
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Outcome {
        self.still_runs()?;
        self.0
            .kill()
            .and_then(|()| self.0.wait())
            .map(|_| ())
            .map_err(|error| format!("it could not be killed: {error}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let mut values: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        assert_eq!((percentile(&mut values, 0.5), percentile(&mut values, 0.99)), (51.0, 100.0));
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert!(median(&mut []).is_nan());
    }

    #[test]
    fn our_own_process_is_read() {
        let us = std::process::id();
        assert!(status_mebibytes(us, "VmHWM").is_some_and(|mebibytes| mebibytes > 0.1));
        assert!(processor_seconds(us).is_ok());
    }
}
