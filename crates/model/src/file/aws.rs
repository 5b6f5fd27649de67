//! `[aws]` of the file and `aws = { … }` of a function: what holds on AWS alone.

use std::time::Duration;

use super::raw::{RawFile, RawNeeds};
use super::report::{Problem, Report};
use crate::{Address, Aws, Mail, Needs};

const HOUR: Duration = Duration::from_secs(3_600);
/// The longest time that an alarm looks back on.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The section, with what holds when it does not say.
pub(super) fn check(file: &RawFile<'_>, mail: Option<&Mail>, report: &mut Report<'_>) -> Aws {
    let operator = || mail.map(|mail| mail.operator.clone()).unwrap_or_default();
    let Some(raw) = &file.aws else { return Aws { alarms: operator(), ..Aws::default() } };
    for address in &raw.alarms {
        super::mail::check_address(address, report);
    }
    let alarms: Vec<Address> = raw.alarms.iter().filter_map(|text| Address::parse(&text.value).ok()).collect();
    let log_days = raw.log_days.as_ref().map_or(Aws::default().log_days, |given| {
        let days = u32::try_from(given.value).unwrap_or(u32::MAX);
        if !Aws::LOG_DAYS.contains(&days) {
            let days: Vec<String> = Aws::LOG_DAYS.iter().map(u32::to_string).collect();
            let problem = Problem::error("P0204", "logs are not kept for so many days on AWS")
                .label("not among those that can be chosen")
                .expected(format!("one of {}", days.join(", ")));
            report.at(&given.span, problem);
        }
        days
    });
    Aws { alarms: if alarms.is_empty() { operator() } else { alarms }, log_days }
}

/// What a function needs there.
pub(super) fn needs(raw: Option<&RawNeeds>, report: &mut Report<'_>) -> Needs {
    let default = Needs::default();
    let Some(raw) = raw else { return default };
    let number = |given: &Option<super::report::Spanned<usize>>, default: u32| {
        given.as_ref().and_then(|given| u32::try_from(given.value).ok()).unwrap_or(default)
    };
    if let Some(given) = raw.stale_after.as_ref().filter(|given| given.value > WEEK) {
        let problem = Problem::error("P0204", "`stale_after` is longer than an alarm of AWS can look back")
            .label("too long")
            .expected("at most `\"7d\"`");
        report.at(&given.span, problem);
    }
    let whole_hours =
        |given: Duration| HOUR.saturating_mul(u32::try_from(given.as_secs().div_ceil(3_600)).unwrap_or(1));
    Needs {
        memory: number(&raw.memory, default.memory),
        disk: number(&raw.disk, default.disk),
        stale_after: raw.stale_after.as_ref().map(|given| whole_hours(given.value)),
    }
}
