//! `[mail]`: where mails go out, who they are from and who gets those for operators.

use std::ops::Range;

use super::raw::{RawEnvironment, RawFile, RawMail};
use super::report::{Problem, Report, Spanned, quote};
use crate::{Address, Mail, Setting};

const URLS: &str = "`smtp://host:587` or `smtps://host:465`";

/// The section with the overrides of `environment`; `None` if there is none, or something is wrong with it.
pub(super) fn check(file: &RawFile<'_>, environment: Option<&RawEnvironment>, report: &mut Report<'_>) -> Option<Mail> {
    let over = environment.and_then(|environment| environment.mail.as_ref());
    let overrides = file.environments.iter().filter_map(|environment| environment.mail.as_ref());
    for mail in file.mail.iter().chain(overrides) {
        check_parts(mail, report);
        if file.mail.is_none() {
            let problem = Problem::error("P0105", "an environment overrides `[mail]`, which is not there")
                .label("an environment overrides what the file declares")
                .expected("a section `[mail]` outside the environment");
            report.at(&mail.span, problem);
        }
    }
    let raw = file.mail.as_ref()?;
    let url = over.and_then(|over| over.url.as_ref()).or(raw.url.as_ref());
    let from = over.and_then(|over| over.from.as_ref()).or(raw.from.as_ref());
    let user = over.and_then(|over| over.user.as_ref()).or(raw.user.as_ref());
    let password = over.and_then(|over| over.password.as_ref()).or(raw.password.as_ref());
    let operator = over.map(|over| &over.operator).filter(|list| !list.is_empty()).unwrap_or(&raw.operator);
    if url.is_some() && from.is_none() {
        missing("from", "who the mails are from, an address of your own", raw, report);
    }
    if user.is_some() != password.is_some() {
        let (name, expected) =
            if user.is_some() { ("password", "`{ secret = \"name\" }`") } else { ("user", "who logs in") };
        missing(name, expected, raw, report);
    }
    warn_useless(file, raw, report);
    let from = from.map_or(Mail::NOBODY, |from| from.value.as_str());
    Some(Mail {
        url: url.map(|url| url.value.clone()),
        ca: over.and_then(|over| over.ca.as_ref()).or(raw.ca.as_ref()).map(|ca| ca.value.clone()),
        login: user.zip(password).map(|(user, password)| (user.value.clone(), password.value.clone())),
        from: Address::parse(from).ok()?,
        operator: operator.iter().filter_map(|address| Address::parse(&address.value).ok()).collect(),
    })
}

fn missing(name: &str, expected: &str, raw: &RawMail, report: &mut Report<'_>) {
    let problem = Problem::error("P0103", format!("`[mail]` has no `{name}`"))
        .label(format!("`{name}` is missing"))
        .expected(format!("`{name}`, {expected}"));
    report.at(&raw.span, problem);
}

/// What can be judged of a section or an override alone.
fn check_parts(mail: &RawMail, report: &mut Report<'_>) {
    if let Some(url) = &mail.url
        && let Err(why) = parse_url(&url.value)
    {
        // What stands before an `@` may be a password: the code of secrets keeps the line from being shown.
        let (code, message) = match url.value.contains('@') {
            true => ("P0211", "a login stands in the `url` of `[mail]`".to_owned()),
            false => ("P0210", format!("{} is no mail server", quote(&url.value))),
        };
        report.at(&url.span, Problem::error(code, message).label(why).expected(URLS));
    }
    for address in mail.from.iter().chain(&mail.operator) {
        check_address(address, report);
    }
    if let Some(Spanned { value: Setting::Plain(_), span }) = &mail.password {
        warn_literal_password(span, report);
    }
    if let Some(ca) = mail.ca.as_ref().filter(|ca| ca.value.trim().is_empty()) {
        let problem = Problem::error("P0210", "`ca` of `[mail]` is empty").label("empty").expected("a path");
        report.at(&ca.span, problem);
    }
}

/// Tells an address that is none.
pub(super) fn check_address(address: &Spanned<String>, report: &mut Report<'_>) {
    if let Err(why) = Address::parse(&address.value) {
        let problem = Problem::error("P0213", "this is no address for mails")
            .label(why)
            .expected("`name@host`, or `Name <name@host>`");
        report.at(&address.span, problem);
    }
}

fn warn_literal_password(span: &Range<usize>, report: &mut Report<'_>) {
    let problem = Problem::warning("P0211", "a secret stands in the file, as `password`")
        .label("everyone who reads the file reads this")
        .expected("`{ secret = \"name\" }`, with the value in the environment or in `.env`")
        .help("take it out, and change it if the file was shared");
    report.at(span, problem);
}

/// A login for mails that never leave this machine.
fn warn_useless(file: &RawFile<'_>, raw: &RawMail, report: &mut Report<'_>) {
    let mut overrides = file.environments.iter().filter_map(|environment| environment.mail.as_ref());
    if raw.url.is_some() || overrides.any(|over| over.url.is_some()) {
        return;
    }
    if let Some(user) = &raw.user {
        let problem = Problem::warning("P0212", "`user` of `[mail]` has no effect")
            .label("without `url` mails are files")
            .expected("a login only with the `url` of a mail server")
            .help("give the mail server, or leave this out");
        report.at(&user.span, problem);
    }
}

fn parse_url(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("smtp://").or_else(|| url.strip_prefix("smtps://"));
    let rest = rest.ok_or("a mail server begins with `smtp://` or `smtps://`")?.trim_end_matches('/');
    if rest.contains('@') {
        return Err("`user` and `password` have keys of their own");
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
        return Err("this is no host name");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port == "0") {
        return Err("this is no port");
    }
    Ok(())
}
