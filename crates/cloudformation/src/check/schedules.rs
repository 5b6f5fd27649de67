//! Schedules: the unit of a rate is singular after 1 and plural after every other number; a cron has six fields, and a `?` for
//! exactly one of its two kinds of day.

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
            [_, _, _, _, _, _] => None,
            _ => Some(format!("`{expression}` has {} fields, not six", fields.len())),
        };
    }
    within("at").is_none().then(|| format!("`{expression}` is neither a rate nor a cron nor a moment"))
}
