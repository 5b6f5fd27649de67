//! A server that answers as DynamoDB does when all goes well and the table is empty, and keeps nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{Done, TABLE};

/// A server in a process of its own, which ends with this.
pub(crate) struct Sink {
    pub(crate) endpoint: String,
    _child: Child,
    _pipe: ChildStdin,
}

/// Starts it.
pub(crate) fn start() -> Done<Sink> {
    let mut child =
        Command::new(std::env::current_exe()?).arg("sink").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let pipe = child.stdin.take().ok_or("the server has no standard input")?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("the server says nothing")?).read_line(&mut line)?;
    Ok(Sink { endpoint: line.trim().to_owned(), _child: child, _pipe: pipe })
}

/// Serves until standard input ends.
#[expect(clippy::print_stdout, reason = "it says where it is")]
pub(crate) fn serve() -> Done {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away ends its thread.
            std::thread::spawn(move || answer(stream).ok());
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
    let mut writer = stream;
    let (mut line, mut body) = (String::new(), Vec::new());
    let described = format!(
        r#"{{"Table":{{"TableName":"{TABLE}","AttributeDefinitions":[{{"AttributeName":"uuid","AttributeType":"S"}}],"KeySchema":[{{"AttributeName":"uuid","KeyType":"HASH"}}]}}}}"#
    );
    loop {
        let (mut length, mut answer) = (0, "{}");
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("x-amz-target") {
                answer = match value.trim().rsplit('.').next().unwrap_or_default() {
                    "BatchWriteItem" => r#"{"UnprocessedItems":{}}"#,
                    "DescribeTable" => described.as_str(),
                    "Scan" => r#"{"Count":0,"ScannedCount":0}"#,
                    "UpdateItem" => r#"{"Attributes":{}}"#,
                    _ => "{}",
                };
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: ";
        writer.write_all(format!("{head}{}\r\n\r\n{answer}", answer.len()).as_bytes())?;
    }
}
