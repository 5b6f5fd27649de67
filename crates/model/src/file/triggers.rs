//! What starts a function: exactly one of an object, an interval and a cron expression.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;

use super::globs;
use super::raw::RawTrigger;
use super::report::{Problem, Report, Spanned, did_you_mean, one_of, quote, quote_all};
use crate::{Bucket, Cron, KeyGlobs, Trigger};

/// What a trigger is judged by.
pub(super) struct Known<'a> {
    pub(super) buckets: &'a BTreeMap<String, Bucket>,
    pub(super) formats: &'a [&'a str],
}

/// The trigger; `None` if it is wrong, which is told.
pub(super) fn check(raw: &RawTrigger, known: &Known<'_>, report: &mut Report<'_>) -> Option<Trigger> {
    let starters: Vec<&(&str, Range<usize>)> =
        raw.given.iter().filter(|(key, _)| matches!(*key, "created" | "every" | "cron")).collect();
    let (starter, _) = match starters.as_slice() {
        [one] => one,
        [] if raw.starter_is_misspelt => return None,
        [] => {
            let problem = Problem::error("P0305", "`on` does not say what starts the function")
                .label("nothing starts it")
                .expected("`created = \"bucket\"`, `every = \"5m\"` or `cron = \"0 5 * * *\"`");
            report.at(&raw.span, problem);
            return None;
        }
        [_, (second, span), ..] => {
            let names = quote_all(starters.iter().map(|(key, _)| *key));
            let problem = Problem::error("P0305", format!("`on` says several things that start the function: {names}"))
                .label(format!("`{second}` as well"))
                .expected("one of `created`, `every` and `cron`")
                .help("make a second function for the second trigger");
            report.at(span, problem);
            return None;
        }
    };
    let belongs = |key: &str| match key {
        "keys" | "format" => "created",
        "timezone" => "cron",
        other => starters.iter().find(|(key, _)| *key == other).map_or("created", |(key, _)| *key),
    };
    let mut is_good = true;
    for (key, span) in raw.given.iter().filter(|(key, _)| belongs(key) != *starter) {
        is_good = false;
        let problem = Problem::error("P0305", format!("{} has no meaning with {}", quote(key), quote(starter)))
            .label(format!("this belongs to `{}`", belongs(key)))
            .expected(format!("only keys that go with `{starter}`"));
        report.at(span, problem);
    }
    let trigger = match *starter {
        "created" => object(raw, known, report),
        "every" => raw.every.as_ref().map(|every| Trigger::Every(every.value)),
        _ => raw.cron.as_ref().and_then(|cron| schedule(cron, raw.timezone.as_ref(), report)),
    };
    trigger.filter(|_| is_good)
}

fn object(raw: &RawTrigger, known: &Known<'_>, report: &mut Report<'_>) -> Option<Trigger> {
    let formats = raw.format.iter().flat_map(|formats| &formats.value);
    if let Some(format) = formats.clone().find(|format| !known.formats.contains(&format.value.as_str())) {
        let problem = Problem::error("P0106", format!("unknown format {}", quote(&format.value)))
            .label("no content can be told to be this")
            .expected(one_of(known.formats.iter().copied(), "no `format`: none can be told"))
            .help_if(did_you_mean(&format.value, known.formats.iter().copied()));
        report.at(&format.span, problem);
        return None;
    }
    let keys = match &raw.keys {
        None => Some(KeyGlobs::none()),
        Some(list) if list.value.is_empty() => {
            let problem = Problem::error("P0202", "`keys` has no glob, so no key can match it")
                .label("empty")
                .expected("at least one glob")
                .help("to take every key, leave `keys` out");
            report.at(&list.span, problem);
            None
        }
        Some(list) => globs::compile(&list.value, report),
    };
    let bucket = raw.created.as_ref()?;
    let Some(known_bucket) = known.buckets.get(&bucket.value) else {
        let names = || known.buckets.keys().map(String::as_str);
        let problem = Problem::error("P0105", format!("unknown bucket {}", quote(&bucket.value)))
            .label("not declared")
            .expected(one_of(names(), "a bucket, but the file declares none"))
            .help(format!("declare it: `[bucket.{}]`", bucket.value.escape_default()))
            .help_if(did_you_mean(&bucket.value, names()));
        report.at(&bucket.span, problem);
        return None;
    };
    if let (Some(list), Some(_)) = (&raw.keys, &keys) {
        globs::check_not_ignored(&bucket.value, &list.value, &known_bucket.ignore, report);
    }
    let format = formats.map(|format| format.value.clone()).collect();
    Some(Trigger::Created { bucket: bucket.value.clone(), keys: keys?, format })
}

fn schedule(cron: &Spanned<String>, zone: Option<&Spanned<String>>, report: &mut Report<'_>) -> Option<Trigger> {
    let zone_name = zone.map_or("UTC", |zone| zone.value.as_str());
    let zone_is_good = check_zone(zone, report);
    let fields: Vec<&str> = cron.value.split_ascii_whitespace().collect();
    // The zone is judged by itself above, so that a bad one does not hide what is wrong with the expression.
    let parsed = match fields.len() {
        5 => Cron::new(&fields.join(" "), if zone_is_good { zone_name } else { "UTC" }),
        count => Err(format!("it has {count} fields")),
    };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(why) => {
            let why = if fields.len() == 1 { "it has only one field".to_owned() } else { why };
            let problem = Problem::error("P0205", format!("{} is no cron expression", quote(&cron.value)))
                .label(reason(&why))
                .expected("five fields: minute, hour, day of month, month, day of week, such as `30 5 * * MON-FRI`")
                .help_if(
                    (fields.len() == 6).then(|| "there is no field for seconds; shorter than a minute: `every`".into()),
                );
            report.at(&cron.span, problem);
            return None;
        }
    };
    // Leap days come within any four years from here, so a schedule without a moment by then has none.
    if parsed.next_after(Timestamp::UNIX_EPOCH).is_none() {
        let problem = Problem::error("P0207", format!("{} never happens", quote(&cron.value)))
            .label("no year has such a day")
            .expected("a schedule that comes true");
        report.at(&cron.span, problem);
        return None;
    }
    if fields[2] != "*" && fields[4] != "*" {
        let problem =
            Problem::warning("P0208", format!("{} names days of the month and of the week", quote(&cron.value)))
                .label("on either day, as cron has it")
                .expected("`*` for one of the two: AWS refuses schedules with both")
                .help("make two functions, one for each");
        report.at(&cron.span, problem);
    }
    zone_is_good.then_some(Trigger::Cron(parsed))
}

fn check_zone(zone: Option<&Spanned<String>>, report: &mut Report<'_>) -> bool {
    let Some(zone) = zone else { return true };
    // Offsets and POSIX rules are zones to `jiff`, but not to AWS and not to the reader: only IANA names pass.
    let is_name = zone.value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
    if is_name && !zone.value.is_empty() && jiff::tz::TimeZone::get(&zone.value).is_ok() {
        return true;
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    // People write the city; the zone is `Area/City`.
    let by_city = known.iter().find(|name| {
        name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&zone.value.replace(' ', "_")))
    });
    let help = by_city
        .map(|name| format!("did you mean `{name}`?"))
        .or_else(|| did_you_mean(&zone.value, known.iter().map(String::as_str)));
    let problem = Problem::error("P0206", format!("unknown time zone {}", quote(&zone.value)))
        .label("no such zone")
        .expected("an IANA name such as `Pacific/Auckland` or `UTC`")
        .help_if(help);
    report.at(&zone.span, problem);
    false
}

/// The last part of the cron parser's message, which points with a caret into a line of its own.
fn reason(message: &str) -> String {
    let last = message.lines().last().unwrap_or("");
    last.trim_start_matches([' ', '^']).replace("..=", " to ")
}
