//! Schedules: EventBridge Scheduler tells the intake that it is time, with the moment that was planned, in the schedule's time zone.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_model::Trigger;

use super::{function, intake};
use crate::intrinsic::{attribute, reference};
use crate::names::logical;
use crate::policy::derive;
use crate::stack::Plan;
use crate::template::{Resource, Template};

/// What Scheduler puts the planned moment in place of.
pub(crate) const PLANNED: &str = "<aws.scheduler.scheduled-time>";

/// Logical id of the role of all schedules.
const ROLE: &str = "TidegateSchedulesRole";

/// Days as AWS names them, from Sunday.
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Adds a schedule for each function that has one, and the role that all have.
pub(crate) fn add(plan: &Plan<'_>, template: &mut Template) {
    for function in &plan.pipeline.functions {
        let (expression, timezone) = match &function.trigger {
            Trigger::Created { .. } => continue,
            Trigger::Every(period) => (rate(*period), "UTC"),
            Trigger::Cron(cron) => (self::cron(cron.expression()), cron.timezone()),
        };
        // A schedule that AWS does not have was told before.
        let Ok(expression) = expression else { continue };
        let input = json!({ "tick": { "function": function.name, "planned": PLANNED } });
        template.add(logical(&function.name, "Schedule"), schedule(&expression, timezone, &input));
    }
    let condition = json!({ "StringEquals": { "aws:SourceAccount": reference("AWS::AccountId") } });
    let role = function::role("scheduler.amazonaws.com", &derive::of_schedules(&plan.names), Some(condition));
    template.add(ROLE.to_owned(), role);
}

/// A schedule that sends `input` to the intake.
pub(crate) fn schedule(expression: &str, timezone: &str, input: &Value) -> Resource {
    Resource::new(
        "AWS::Scheduler::Schedule",
        json!({
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": timezone,
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "Target": {
                "Arn": attribute(intake::QUEUE, "Arn"),
                "RoleArn": attribute(ROLE, "Arn"),
                "Input": input.to_string(),
            },
        }),
    )
}

/// `every` as AWS says it. It counts from when the schedule was made; the intake puts the tick where it belongs.
///
/// # Errors
/// Why AWS has none such.
pub(crate) fn rate(period: Duration) -> Result<String, String> {
    let seconds = period.as_secs();
    if seconds == 0 || !seconds.is_multiple_of(60) || period.subsec_nanos() > 0 {
        return Err("it counts in whole minutes".to_owned());
    }
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hour"),
        _ => (seconds / 60, "minute"),
    };
    let plural = if count == 1 { "" } else { "s" };
    Ok(format!("rate({count} {unit}{plural})"))
}

/// A cron expression of five fields as AWS says it: six fields, days of the week by their names, and a `?` for the one kind of
/// day that is not chosen by.
///
/// # Errors
/// Why AWS has none such.
pub(crate) fn cron(expression: &str) -> Result<String, String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err("it has five fields".to_owned());
    };
    let is_any = |field: &str| field == "*" || field == "?";
    let (day, weekday) = match (is_any(day), is_any(weekday)) {
        (_, true) => (if day == "?" { "*".to_owned() } else { steps(day, 1) }, "?".to_owned()),
        (true, false) => ("?".to_owned(), days(weekday)?),
        (false, false) => {
            return Err("it chooses by the day of the month or by the day of the week, not by both".to_owned());
        }
    };
    Ok(format!("cron({} {} {day} {} {weekday} *)", steps(minute, 0), steps(hour, 0), steps(month, 1)))
}

/// AWS wants to know where steps begin: `*/5` is `0/5`.
fn steps(field: &str, first: u32) -> String {
    let part = |part: &str| match part.strip_prefix("*/") {
        Some(step) => format!("{first}/{step}"),
        None => part.to_ascii_uppercase(),
    };
    field.split(',').map(part).collect::<Vec<_>>().join(",")
}

/// The days that a field of the week names. Ours count from 0 to 7, Sunday at both ends; AWS counts from 1, so names are safer.
fn days(field: &str) -> Result<String, String> {
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step.parse().ok().filter(|step| *step > 0).ok_or_else(|| unknown(field))?;
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (day(from).ok_or_else(|| unknown(field))?, day(to).ok_or_else(|| unknown(field))?),
            None if range == "*" => (0, 6),
            None => {
                let from = day(range).ok_or_else(|| unknown(field))?;
                (from, if part.contains('/') { 6 } else { from })
            }
        };
        // FRI-MON goes over the end of the week.
        let to = if to < from { to + 7 } else { to };
        chosen.extend((from..=to).step_by(step).map(|day| day % 7));
    }
    Ok(chosen.iter().map(|day| DAYS[*day]).collect::<Vec<_>>().join(","))
}

fn day(word: &str) -> Option<usize> {
    let number = word.parse().ok().filter(|day| *day <= 7);
    number.or_else(|| DAYS.iter().position(|name| word.eq_ignore_ascii_case(name)))
}

fn unknown(field: &str) -> String {
    format!("`{field}` is no list of days that it knows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_counted_in_the_largest_unit_with_its_plural() {
        let told = |seconds| rate(Duration::from_secs(seconds));
        assert_eq!(told(60).as_deref(), Ok("rate(1 minute)"));
        assert_eq!(told(300).as_deref(), Ok("rate(5 minutes)"));
        assert_eq!(told(3_600).as_deref(), Ok("rate(1 hour)"));
        assert_eq!(told(172_800).as_deref(), Ok("rate(2 days)"));
        assert!(told(30).is_err() && told(90).is_err() && rate(Duration::from_millis(60_500)).is_err());
    }

    #[test]
    fn cron_says_the_same_in_the_words_of_aws() {
        for (ours, theirs) in [
            ("0 18 * * *", "cron(0 18 * * ? *)"),
            ("0 18 * * 0", "cron(0 18 ? * SUN *)"),
            ("*/5 * * * *", "cron(0/5 * * * ? *)"),
            ("0 */6 1,15 */2 *", "cron(0 0/6 1,15 1/2 ? *)"),
            ("30 2 * jan mon-fri", "cron(30 2 ? JAN MON,TUE,WED,THU,FRI *)"),
            ("0 0 * * 5-7", "cron(0 0 ? * SUN,FRI,SAT *)"),
            ("0 0 * * */2", "cron(0 0 ? * SUN,TUE,THU,SAT *)"),
            ("0 0 * * 7", "cron(0 0 ? * SUN *)"),
        ] {
            assert_eq!(cron(ours).as_deref(), Ok(theirs), "{ours}");
        }
        assert!(cron("0 0 1 * 1").is_err(), "AWS would take only one of them, cron takes either");
        assert!(cron("0 0 * * 5L").is_err() && cron("0 0 * * 1#2").is_err());
    }
}
