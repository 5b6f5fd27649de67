//! Schedules: the unit of a rate is singular after 1 and plural after every other number; a cron has six fields, and a `?` for
//! exactly one of its two kinds of day, each within its bounds; a moment has no zone.

use serde_json::Value;
use tidegate_model::Failure;

use super::Resource;

pub(super) fn check(resource: &Resource<'_>) -> Vec<Failure> {
    if !matches!(resource.kind, "AWS::Scheduler::Schedule" | "AWS::Events::Rule") {
        return Vec::new();
    }
    let expression = resource.properties.get("ScheduleExpression").and_then(Value::as_str);
    expression.and_then(fault_of).map(|why| resource.fault(why)).into_iter().collect()
}

fn fault_of(expression: &str) -> Option<String> {
    let within = |word: &str| expression.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(rate) = within("rate") {
        let (count, unit) = rate.split_once(' ').unwrap_or((rate, ""));
        let singular = unit.strip_suffix('s').unwrap_or(unit);
        let count: Option<u64> = count.parse().ok().filter(|count| *count > 0);
        return match count {
            None => Some(format!("`{expression}` does not begin with a whole number from 1")),
            Some(_) if !["minute", "hour", "day"].contains(&singular) => {
                Some(format!("`{expression}` is not in minutes, hours or days"))
            }
            Some(count) if (count == 1) != (singular == unit) => {
                Some(format!("`{expression}`: the unit is singular after 1, and plural after other numbers"))
            }
            Some(_) => None,
        };
    }
    if let Some(cron) = within("cron") {
        let fields: Vec<&str> = cron.split_whitespace().collect();
        return match fields[..] {
            [_, _, day, _, weekday, _] if (day == "?") == (weekday == "?") => {
                Some(format!("`{expression}` has not exactly one `?` for its day of the month and day of the week"))
            }
            [_, _, _, _, _, _] => {
                let wrong = fields.iter().zip(&FIELDS).find(|(field, bounds)| !fits(field, bounds));
                wrong.map(|(field, (what, ..))| format!("`{expression}`: `{field}` is no {what}"))
            }
            _ => Some(format!("`{expression}` has {} fields, not six", fields.len())),
        };
    }
    match within("at") {
        Some(moment) if moment.parse::<jiff::civil::DateTime>().is_err() => {
            Some(format!("`{expression}` is no moment such as `at(2030-01-31T18:00:00)`"))
        }
        Some(_) => None,
        None => Some(format!("`{expression}` is neither a rate nor a cron nor a moment")),
    }
}

/// The fields of a cron: what each is, its bounds, and the words that may stand for its numbers, from the least on.
const FIELDS: [(&str, u32, u32, &[&str]); 6] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]),
    ("day of the week", 1, 7, &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]),
    ("year", 1970, 2199, &[]),
];

/// Whether each number of a field is within its bounds. What counts from the end of a month is not looked into.
fn fits(field: &str, (_, least, most, words): &(&str, u32, u32, &[&str])) -> bool {
    let is_number = |text: &str| {
        words.contains(&text.to_ascii_uppercase().as_str())
            || text.parse::<u32>().is_ok_and(|number| (*least..=*most).contains(&number))
    };
    field.split(',').all(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let is_step = step.parse::<u32>().is_ok_and(|step| step > 0);
        let from_the_end = ['L', 'W', '#'].iter().any(|mark| range.contains(*mark)) && !words.contains(&range);
        let is_range = matches!(range, "*" | "?") || from_the_end || range.split('-').all(is_number);
        is_step && is_range
    })
}
