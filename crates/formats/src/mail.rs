//! A mail as bytes (hop 7): headers, text and attachments after RFC 5322 and MIME (RFC 2045 to 2047, 2231).
//!
//! Everything that leaves is ASCII in lines of at most 78 characters with CRLF, so any server takes it. Whatever the texts
//! hold, they stay within their header or part: line breaks become blanks in headers, and no encoded part can hold the
//! line that ends it.

use std::fmt::Write as _;

use jiff::Timestamp;

/// A mail to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter<'a> {
    /// Identity for the `Message-ID` header, as `local@host`; letters, digits and marks.
    pub id: &'a str,
    /// When it was written.
    pub date: Timestamp,
    /// Who it is from.
    pub from: Mailbox<'a>,
    /// Who it is for.
    pub to: Mailbox<'a>,
    /// What it is about.
    pub subject: &'a str,
    /// What it says; plain text, lines end with `\n`.
    pub text: &'a str,
    /// What comes with it.
    pub attachments: &'a [Attachment],
}

/// A person or office and its address, which must be ASCII and is written as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mailbox<'a> {
    /// Its name, in any letters.
    pub name: Option<&'a str>,
    /// Its address.
    pub email: &'a str,
}

/// A file that comes with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name, in any letters.
    pub name: String,
    /// Its media type, for example `image/png`.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The mail in its final form.
pub fn write(letter: &Letter<'_>) -> Vec<u8> {
    let mut mail = String::new();
    header(&mut mail, "Date", &letter.date.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string());
    header(&mut mail, "From", &mailbox(letter.from));
    header(&mut mail, "To", &mailbox(letter.to));
    header(&mut mail, "Subject", &words(letter.subject));
    header(&mut mail, "Message-ID", &format!("<{}>", letter.id));
    header(&mut mail, "MIME-Version", "1.0");
    // RFC 3834: nobody's out-of-office reply should answer.
    header(&mut mail, "Auto-Submitted", "auto-generated");
    if letter.attachments.is_empty() {
        text_part(&mut mail, letter.text);
        return mail.into_bytes();
    }
    // `=_` can stand neither in quoted-printable nor in Base64.
    let boundary = "=_tidegate_part";
    header(&mut mail, "Content-Type", &format!("multipart/mixed; boundary=\"{boundary}\""));
    let _ = write!(mail, "\r\n--{boundary}\r\n");
    text_part(&mut mail, letter.text);
    for attachment in letter.attachments {
        let _ = write!(mail, "\r\n--{boundary}\r\n");
        header(&mut mail, "Content-Type", attachment.media_type);
        header(&mut mail, "Content-Disposition", &format!("attachment;\r\n {}", file_name(&attachment.name)));
        header(&mut mail, "Content-Transfer-Encoding", "base64");
        mail.push_str("\r\n");
        for line in attachment.bytes.chunks(57) {
            base64(line, &mut mail);
            mail.push_str("\r\n");
        }
    }
    let _ = write!(mail, "\r\n--{boundary}--\r\n");
    mail.into_bytes()
}

fn header(mail: &mut String, name: &str, value: &str) {
    let _ = write!(mail, "{name}: {value}\r\n");
}

fn text_part(mail: &mut String, text: &str) {
    header(mail, "Content-Type", "text/plain; charset=utf-8");
    header(mail, "Content-Transfer-Encoding", "quoted-printable");
    mail.push_str("\r\n");
    for line in text.lines() {
        quoted_printable(line, mail);
        mail.push_str("\r\n");
    }
}

/// `Name <address>`; the address on a line of its own, so that a long one does not stretch the line.
fn mailbox(mailbox: Mailbox<'_>) -> String {
    match mailbox.name {
        Some(name) => format!("{}\r\n <{}>", phrase(name), mailbox.email),
        None => mailbox.email.to_owned(),
    }
}

/// A name as a quoted string, or encoded if it is more than plain short ASCII.
fn phrase(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=^_{|}~.,;:()[]@".contains(c);
    if name.len() <= 60 && name.chars().all(is_plain) && !name.contains("=?") {
        format!("\"{name}\"")
    } else {
        encoded(name)
    }
}

/// Words of a header: as they are if they are plain and short, else encoded (RFC 2047).
fn words(text: &str) -> String {
    let is_plain = |c: char| c == ' ' || c.is_ascii_graphic();
    if text.len() <= 65 && text.chars().all(is_plain) && !text.contains("=?") { text.to_owned() } else { encoded(text) }
}

/// Encoded words of at most 75 characters, each of whole characters, on lines of their own.
fn encoded(text: &str) -> String {
    // 39 bytes become 52 characters; with the name of the header, `=?UTF-8?B?` and `?=` that is less than 76.
    const MOST: usize = 39;
    let mut out = String::new();
    let mut word = String::new();
    let mut flush = |word: &mut String| {
        if !word.is_empty() {
            if !out.is_empty() {
                out.push_str("\r\n ");
            }
            out.push_str("=?UTF-8?B?");
            base64(word.as_bytes(), &mut out);
            out.push_str("?=");
            word.clear();
        }
    };
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if word.len() + c.len_utf8() > MOST {
            flush(&mut word);
        }
        word.push(c);
    }
    flush(&mut word);
    out
}

/// The parameter `filename`, by RFC 2231 where it is more than plain ASCII; no folders, no control characters.
fn file_name(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() || "/\\\"".contains(c) { '_' } else { c }).collect();
    if name.is_ascii() && name.len() <= 60 {
        return format!("filename=\"{name}\"");
    }
    // In sections, so that no line grows long; each byte of a character may stand in another.
    let mut sections: Vec<String> = vec![String::from("UTF-8''")];
    for byte in name.bytes() {
        if sections.last().is_none_or(|section| section.len() > 55) {
            sections.push(String::new());
        }
        let Some(section) = sections.last_mut() else { continue };
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            section.push(char::from(byte));
        } else {
            let _ = write!(section, "%{byte:02X}");
        }
    }
    let sections = sections.iter().enumerate().map(|(index, section)| format!("filename*{index}*={section}"));
    sections.collect::<Vec<_>>().join(";\r\n ")
}

/// One line of text (RFC 2045, section 6.7), broken softly before it has 76 characters.
fn quoted_printable(line: &str, out: &mut String) {
    let mut width = 0;
    let bytes = line.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        let is_last = index + 1 == bytes.len();
        let is_plain = match byte {
            b'=' => false,
            b' ' | b'\t' => !is_last,
            // A line that begins with `From ` is altered by some old programs.
            b'F' => index > 0,
            other => other.is_ascii_graphic(),
        };
        let needs = if is_plain { 1 } else { 3 };
        if width + needs > 75 {
            out.push_str("=\r\n");
            width = 0;
        }
        if is_plain {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "={byte:02X}");
        }
        width += needs;
    }
}

fn base64(bytes: &[u8], out: &mut String) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let group =
            three.iter().enumerate().fold(0u32, |group, (index, byte)| group | u32::from(*byte) << (16 - 8 * index));
        for place in 0..4 {
            let is_there = place <= three.len();
            let letter = LETTERS[(group >> (18 - 6 * place) & 63) as usize];
            out.push(if is_there { char::from(letter) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letter<'a>(subject: &'a str, text: &'a str, attachments: &'a [Attachment]) -> Letter<'a> {
        Letter {
            id: "1@tide",
            date: Timestamp::UNIX_EPOCH,
            from: Mailbox { name: Some("Tide, Office"), email: "tide@example.org" },
            to: Mailbox { name: None, email: "ann@example.org" },
            subject,
            text,
            attachments,
        }
    }

    fn written(letter: &Letter<'_>) -> String {
        String::from_utf8(write(letter)).expect("ASCII")
    }

    #[test]
    fn a_plain_mail_can_be_read_as_it_is() {
        let mail = written(&letter("Your data", "Kia ora,\n\nall good.\n", &[]));
        assert_eq!(
            mail,
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nFrom: \"Tide, Office\"\r\n <tide@example.org>\r\n\
             To: ann@example.org\r\nSubject: Your data\r\nMessage-ID: <1@tide>\r\nMIME-Version: 1.0\r\n\
             Auto-Submitted: auto-generated\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\nKia ora,\r\n\r\nall good.\r\n"
        );
    }

    #[test]
    fn other_letters_are_encoded_where_they_stand() {
        let attachments =
            [Attachment { name: "Whāngārei.csv".to_owned(), media_type: "text/csv", bytes: b"ab".to_vec() }];
        let mail = written(&letter("Tūī", "12 °C =\n", &attachments));
        assert!(mail.contains("Subject: =?UTF-8?B?VMWrxKs=?=\r\n"), "{mail}");
        assert!(mail.contains("\r\n12 =C2=B0C =3D\r\n"), "{mail}");
        assert!(mail.contains("\r\n filename*0*=UTF-8''Wh%C4%81ng%C4%81rei.csv\r\n"), "{mail}");
        assert!(mail.contains("\r\n\r\nYWI=\r\n\r\n--=_tidegate_part--\r\n"), "{mail}");
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_its_place(
            subject in any::<String>(), text in any::<String>(), name in any::<String>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let attachments = [Attachment { name: name.clone(), media_type: "text/csv", bytes }];
            let mut letter = letter(&subject, &text, &attachments);
            letter.from.name = Some(&name);
            let mail = written(&letter);
            prop_assert!(mail.is_ascii());
            for line in mail.split("\r\n") {
                prop_assert!(line.len() <= 78 && !line.contains(['\r', '\n', '\0']), "{line:?}");
            }
            let (head, _) = mail.split_once("\r\n\r\n").expect("a head");
            let names: Vec<&str> =
                head.split("\r\n").filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(": ").next()).collect();
            prop_assert_eq!(
                names,
                ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Auto-Submitted", "Content-Type"]
            );
            prop_assert_eq!(mail.matches("\r\n--=_tidegate_part").count(), 3);
        }
    }
}
