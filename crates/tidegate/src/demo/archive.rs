//! A bathymetry archive for the demo, on this machine: takes what it is sent, and knows one vessel that it does not want.
//! So the demo shows a submission without a network. It lives as long as the process.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The vessel that is refused.
pub(super) const UNWANTED: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";

/// Requests are files of the demo: small.
const LARGEST: u64 = 64 << 20;

/// Starts it, and tells its url.
pub(super) fn start() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/upload/csb/geojson/", listener.local_addr()?);
    std::thread::Builder::new().name("archive".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever hangs up gets no answer.
            let _ = answer(stream);
        }
    })?;
    Ok(url)
}

fn answer(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream);
    let (mut length, mut boundary) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "content-type" => value.rsplit('-').next().unwrap_or_default().clone_into(&mut boundary),
            _ => {}
        }
    }
    let mut body = String::new();
    Read::by_ref(&mut reader).take(LARGEST.min(length)).read_to_string(&mut body)?;
    let text = if body.contains(UNWANTED) {
        r#"{"success": false, "message": "this vessel is not registered with the archive"}"#.to_owned()
    } else {
        // The boundary is made from the content: the same file has the same number every time.
        let number = boundary.get(..8).unwrap_or("0");
        format!(r#"{{"success": true, "message": "accepted for ingest", "submissionIds": ["DEMO-{number}"]}}"#)
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    reader.into_inner().write_all(format!("{head}{text}").as_bytes())
}
