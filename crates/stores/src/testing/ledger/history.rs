//! The part of the ledger's contract that is about telling: listings, traces, and what intake and backfills ask.

use tidegate_model::{Event, Output, Place, RunState, Tick};

use super::{Scope, admit, arrive, at, fail, failure, granted, work};
use crate::{Admission, FailureFilter, FunctionCounts, Ledger, NewRun, Page, Reject, RunFilter};

pub(super) async fn contract(ledger: &dyn Ledger, scope: &Scope) {
    runs_are_listed_newest_first_by_every_filter(ledger, &scope.within("runs")).await;
    failures_are_listed_with_what_nobody_took(ledger, &scope.within("failures")).await;
    rejects_are_told_in_the_order_of_the_input(ledger, &scope.within("rejects")).await;
    a_trace_tells_every_version_and_its_parent(ledger, &scope.within("trace")).await;
    counts_are_by_function_and_state(ledger, &scope.within("counts")).await;
    the_last_tick_is_the_newest_planned(ledger, &scope.within("ticks")).await;
    settled_means_done_with_effect_or_superseded(ledger, &scope.within("settled")).await;
    the_last_content_is_that_of_the_newest_version(ledger, &scope.within("content")).await;
    stale_are_newest_versions_without_the_present_rules(ledger, &scope.within("stale")).await;
}

async fn keys(ledger: &dyn Ledger, filter: RunFilter, page: Page) -> Vec<String> {
    let found = ledger.runs(filter, page).await.expect("runs");
    found.iter().map(|record| record.event.object().expect("an object").key.clone()).collect()
}

async fn runs_are_listed_newest_first_by_every_filter(ledger: &dyn Ledger, scope: &Scope) {
    for (seen, key) in ["a.csv", "b.csv", "c.csv", "d.csv"].into_iter().enumerate() {
        arrive(ledger, scope, &scope.created(key, "1"), &["f"], seen as i64).await;
    }
    let (b, c) = (scope.created("b.csv", "1"), scope.created("c.csv", "1"));
    work(ledger, scope, &b, "f", |settlement| settlement.rejected = 2).await;
    fail(ledger, scope, &c, "f", "R0005", 200).await;
    let all = || RunFilter { function: Some(scope.name("f")), ..RunFilter::default() };
    assert_eq!(keys(ledger, all(), Page::first(100)).await, ["d.csv", "c.csv", "b.csv", "a.csv"]);
    assert_eq!(keys(ledger, all(), Page { offset: 1, limit: 2 }).await, ["c.csv", "b.csv"]);
    assert_eq!(keys(ledger, all(), Page { offset: 4, limit: 2 }).await, [] as [String; 0]);
    let bucket = || RunFilter { bucket: Some(scope.name("bucket")), ..RunFilter::default() };
    let run = scope.new_run("f", &b).run.to_string();
    for (filter, expected) in [
        (RunFilter { state: Some(RunState::Waiting), ..all() }, vec!["d.csv", "a.csv"]),
        (RunFilter { state: Some(RunState::Failed), ..all() }, vec!["c.csv"]),
        (RunFilter { key: Some("b.csv".to_owned()), ..bucket() }, vec!["b.csv"]),
        (RunFilter { key: Some("b".to_owned()), ..bucket() }, vec![]),
        (RunFilter { bucket: Some(scope.name("another")), ..all() }, vec![]),
        (RunFilter { since: Some(at(2)), ..all() }, vec!["d.csv", "c.csv"]),
        (RunFilter { with_rejects: true, ..all() }, vec!["b.csv"]),
        (RunFilter { id_prefix: Some(run[..13].to_uppercase()), ..all() }, vec!["b.csv"]),
        (RunFilter { id_prefix: Some(String::new()), ..all() }, vec!["d.csv", "c.csv", "b.csv", "a.csv"]),
        (RunFilter { id_prefix: Some(format!("{run}0")), ..all() }, vec![]),
        (RunFilter { id_prefix: Some("*".to_owned()), ..all() }, vec![]),
        (RunFilter { id_prefix: Some("é".to_owned()), ..all() }, vec![]),
    ] {
        assert_eq!(keys(ledger, filter.clone(), Page::first(100)).await, expected, "{filter:?}");
    }
}

async fn failures_are_listed_with_what_nobody_took(ledger: &dyn Ledger, scope: &Scope) {
    let (a, b, nobody) = (scope.created("a", "1"), scope.created("b", "1"), scope.created("nobody", "1"));
    let code = |name: &str| scope.name(name);
    arrive(ledger, scope, &a, &["f"], 10).await;
    arrive(ledger, scope, &b, &["g"], 11).await;
    let unrouted = Admission { unrouted: Some(failure(&code("R1"))), ..scope.admission(&nobody, &[], 205) };
    let before = ledger.unrouted_count().await.expect("a count");
    admit(ledger, vec![unrouted.clone()]).await;
    admit(ledger, vec![unrouted]).await;
    assert_eq!(ledger.unrouted_count().await.expect("a count"), before + 1);
    fail(ledger, scope, &a, "f", &code("R1"), 200).await;
    fail(ledger, scope, &b, "g", &code("R2"), 210).await;
    let list = async |filter: FailureFilter, page| ledger.failures(filter, page).await.expect("failures");
    let ours = |mut found: Vec<crate::FailureRecord>| {
        found.retain(|record| record.failure.code.starts_with(&scope.name("")));
        found
    };
    let all = ours(list(FailureFilter::default(), Page::first(10_000)).await);
    let told: Vec<_> = all.iter().map(|record| (record.event.name(), record.at)).collect();
    assert_eq!(told, [(b.name(), at(210)), (nobody.name(), at(205)), (a.name(), at(200))], "newest first");
    assert_eq!(
        (&all[2].id, all[2].function.as_ref()),
        (&scope.new_run("f", &a).run.to_string(), Some(&scope.name("f")))
    );
    assert_eq!((&all[1].id, all[1].function.as_ref(), all[1].attempts), (&nobody.id().to_string(), None, 0));
    assert_eq!((all[2].attempts, &all[2].failure), (1, &failure(&code("R1"))));
    let only = FailureFilter::default;
    for (filter, expected) in [
        (FailureFilter { code: Some(code("R1")), ..only() }, vec![&nobody, &a]),
        (FailureFilter { function: Some(scope.name("g")), ..only() }, vec![&b]),
        (FailureFilter { code: Some(code("R1")), since: Some(at(205)), ..only() }, vec![&nobody]),
        (FailureFilter { id_prefix: Some(nobody.id().to_string()[..14].to_owned()), ..only() }, vec![&nobody]),
        (FailureFilter { id_prefix: Some(all[2].id.clone()), ..only() }, vec![&a]),
        (FailureFilter { id_prefix: Some(all[2].id.clone()), function: Some(scope.name("g")), ..only() }, vec![]),
    ] {
        let found: Vec<_> =
            list(filter.clone(), Page::first(100)).await.into_iter().map(|record| record.event).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let by_code = || FailureFilter { code: Some(code("R1")), ..only() };
    let second = list(by_code(), Page { offset: 1, limit: 1 }).await;
    assert_eq!(second.iter().map(|record| &record.event).collect::<Vec<_>>(), [&a], "pages go over both sorts");
}

async fn rejects_are_told_in_the_order_of_the_input(ledger: &dyn Ledger, scope: &Scope) {
    let event = scope.created("a.csv", "1");
    arrive(ledger, scope, &event, &["f"], 0).await;
    let rejects: Vec<Reject> = [9, 3, 27, 3, 1]
        .map(|line| Reject {
            place: Place { line: Some(line), member: Some("é.csv".to_owned()), ..Place::default() },
            code: "R0101".to_owned(),
            reason: format!("line {line}"),
        })
        .to_vec();
    work(ledger, scope, &event, "f", |settlement| {
        settlement.rejects = rejects.clone();
        settlement.rejected = 4_000_000_000;
    })
    .await;
    let run = scope.new_run("f", &event).run;
    assert_eq!(ledger.rejects(run, Page::first(100)).await.expect("rejects"), rejects);
    assert_eq!(ledger.rejects(run, Page { offset: 3, limit: 1 }).await.expect("rejects"), rejects[3..4]);
    assert_eq!(ledger.rejects(scope.run("never admitted"), Page::first(9)).await.expect("rejects"), []);
    assert_eq!(super::record(ledger, run).await.rejected, 4_000_000_000, "the count is exact though few are kept");
}

async fn a_trace_tells_every_version_and_its_parent(ledger: &dyn Ledger, scope: &Scope) {
    let source = scope.created("source.csv", "1");
    arrive(ledger, scope, &source, &["f"], 0).await;
    let bucket = scope.name("bucket");
    work(ledger, scope, &source, "f", |settlement| {
        settlement.outputs = vec![Output::Object {
            bucket: bucket.clone(),
            key: "made.csv".to_owned(),
            size: 7,
            sha256: "00".repeat(32),
            etag: Some("1".to_owned()),
        }];
    })
    .await;
    arrive(ledger, scope, &scope.created("made.csv", "1"), &["g", "h"], 1).await;
    let foreign = scope.created("made.csv", "2");
    let unrouted = Admission { unrouted: Some(failure("R0001")), ..scope.admission(&foreign, &[], 2) };
    admit(ledger, vec![unrouted]).await;
    let verdicts = ledger.trace(&bucket, "made.csv").await.expect("a trace");
    assert_eq!(verdicts.len(), 2, "every version, oldest first");
    assert_eq!(verdicts[0].event, scope.created("made.csv", "1"));
    assert_eq!((verdicts[0].event_id, verdicts[0].seen_at), (verdicts[0].event.id(), at(1)));
    assert_eq!(verdicts[0].parent, Some(scope.new_run("f", &source).run), "the run that made this very version");
    let functions: Vec<_> = verdicts[0].runs.iter().map(|record| record.function.clone()).collect();
    assert_eq!(functions, [scope.name("g"), scope.name("h")]);
    assert_eq!((&verdicts[1].event, verdicts[1].parent), (&foreign, None), "somebody else made the second version");
    assert_eq!((verdicts[1].unrouted.as_ref(), verdicts[1].runs.len()), (Some(&failure("R0001")), 0));
    let source = ledger.trace(&bucket, "source.csv").await.expect("a trace");
    assert_eq!((source[0].parent, source[0].runs[0].outputs.len()), (None, 1));
    assert_eq!(ledger.trace(&bucket, "absent").await.expect("a trace"), []);
    assert_eq!(ledger.trace(&scope.name("absent"), "made.csv").await.expect("a trace"), []);
}

async fn counts_are_by_function_and_state(ledger: &dyn Ledger, scope: &Scope) {
    let events: Vec<Event> = (0..6).map(|n| scope.created(&n.to_string(), "1")).collect();
    for event in &events {
        arrive(ledger, scope, event, &["f"], 0).await;
    }
    for (event, rejected) in [(&events[0], 3), (&events[1], 4)] {
        work(ledger, scope, event, "f", |settlement| settlement.rejected = rejected).await;
    }
    fail(ledger, scope, &events[2], "f", "R0005", 250).await;
    work(ledger, scope, &events[3], "f", |settlement| {
        settlement.state = RunState::Superseded;
        settlement.failure = Some(failure("R0003"));
    })
    .await;
    granted(ledger, scope.new_run("f", &events[4]).run, scope, "w").await;
    let mut counts = ledger.counts().await.expect("counts");
    assert!(counts.is_sorted_by(|a, b| a.function < b.function), "sorted by name");
    counts.retain(|counts| counts.function.starts_with(&scope.name("")));
    let expected = FunctionCounts {
        function: scope.name("f"),
        waiting: 1,
        running: 1,
        succeeded: 2,
        failed: 1,
        superseded: 1,
        rejected: 7,
        last_settled_at: Some(at(250)),
    };
    assert_eq!(counts, [expected]);
}

async fn the_last_tick_is_the_newest_planned(ledger: &dyn Ledger, scope: &Scope) {
    let tick = |function: &str, planned| {
        let event = Event::Tick(Tick { function: scope.name(function), planned_at: at(planned) });
        let run = NewRun { run: event.run_id("f", &scope.revision("1")), ..scope.new_run(function, &event) };
        Admission { runs: vec![run], ..scope.admission(&event, &[], planned) }
    };
    assert_eq!(ledger.last_tick(&scope.name("f")).await.expect("an answer"), None);
    admit(ledger, vec![tick("f", 300), tick("g", 900), tick("f", 600), tick("f", 0)]).await;
    assert_eq!(ledger.last_tick(&scope.name("f")).await.expect("an answer"), Some(at(600)));
    assert_eq!(ledger.last_tick(&scope.name("g")).await.expect("an answer"), Some(at(900)));
    let filter = RunFilter { function: Some(scope.name("g")), ..RunFilter::default() };
    let found = ledger.runs(filter, Page::first(2)).await.expect("runs");
    assert_eq!(found[0].event, tick("g", 900).event);
}

async fn settled_means_done_with_effect_or_superseded(ledger: &dyn Ledger, scope: &Scope) {
    let ends = [RunState::Succeeded, RunState::Failed, RunState::Superseded, RunState::Waiting];
    let events = ends.map(|state| scope.created(state.as_str(), "1"));
    for (event, state) in events.iter().zip(ends) {
        arrive(ledger, scope, event, &["f"], 0).await;
        work(ledger, scope, event, "f", |settlement| {
            settlement.state = state;
            settlement.failure = (state != RunState::Succeeded).then(|| failure("R0005"));
        })
        .await;
    }
    let mut runs: Vec<_> = events.iter().map(|event| scope.new_run("f", event).run).collect();
    runs.push(scope.run("never admitted"));
    assert_eq!(ledger.settled(runs).await.expect("an answer"), [true, false, true, false, false]);
}

async fn the_last_content_is_that_of_the_newest_version(ledger: &dyn Ledger, scope: &Scope) {
    let bucket = scope.name("bucket");
    let last = async |key: &str| ledger.last_content(&bucket, key).await.expect("an answer");
    let (one, two, touched) = (scope.created("a", "1"), scope.created("a", "2"), scope.created("a", "3"));
    let sha256 = |digit: &str| digit.repeat(64);
    assert_eq!(last("a").await, None);
    arrive(ledger, scope, &one, &["f", "g"], 0).await;
    assert_eq!(last("a").await, None, "nobody has read it");
    work(ledger, scope, &one, "g", |_| {}).await;
    assert_eq!(last("a").await, None, "nobody has read it to its end");
    work(ledger, scope, &one, "f", |settlement| settlement.input_sha256 = Some(sha256("1"))).await;
    assert_eq!(last("a").await, Some((one.clone(), sha256("1"))));
    arrive(ledger, scope, &two, &["f"], 1).await;
    assert_eq!(last("a").await, None, "what is known of an older version says nothing of the newest");
    work(ledger, scope, &two, "f", |settlement| settlement.input_sha256 = Some(sha256("2"))).await;
    assert_eq!(last("a").await, Some((two.clone(), sha256("2"))));
    admit(ledger, vec![scope.admission(&touched, &[], 2)]).await;
    assert_eq!(last("a").await, Some((two, sha256("2"))), "a version without runs has the content of the one before");
    arrive(ledger, scope, &scope.created("b", "1"), &["f"], 3).await;
    assert_eq!(last("b").await, None);
}

async fn stale_are_newest_versions_without_the_present_rules(ledger: &dyn Ledger, scope: &Scope) {
    let version = |key: &str, version: &str| scope.created(key, version);
    let admission = |event: &Event, rules: &str, seen| Admission {
        runs: vec![scope.new_run_at("f", rules, event)],
        ..scope.admission(event, &[], seen)
    };
    for (seen, (key, versions)) in [
        ("old", vec![("1", Some("1"))]),
        ("new", vec![("1", Some("2"))]),
        ("replaced", vec![("1", Some("1")), ("2", Some("1"))]),
        ("done anew", vec![("1", Some("1")), ("2", Some("2"))]),
        ("touched", vec![("1", Some("1")), ("2", None)]),
        ("touched twice", vec![("1", Some("1")), ("2", None), ("3", None)]),
        ("touched and done", vec![("1", Some("2")), ("2", None)]),
    ]
    .into_iter()
    .enumerate()
    {
        for (tag, rules) in versions {
            let event = version(key, tag);
            let admission = match rules {
                Some(rules) => admission(&event, rules, seen as i64),
                None => scope.admission(&event, &[], seen as i64),
            };
            admit(ledger, vec![admission]).await;
        }
    }
    let others = version("of another function", "1");
    admit(ledger, vec![scope.admission(&others, &["g"], 20)]).await;
    let nobody = version("old", "2");
    admit(ledger, vec![Admission { unrouted: Some(failure("R0001")), ..scope.admission(&nobody, &[], 21) }]).await;
    let stale = async |page| ledger.stale(&scope.name("f"), scope.revision("2"), page).await.expect("events");
    let expected = [version("replaced", "2"), version("touched", "2"), version("touched twice", "3")];
    assert_eq!(stale(Page::first(100)).await, expected);
    assert_eq!(stale(Page { offset: 1, limit: 1 }).await, expected[1..2]);
    // Both rules known: nothing is stale any more.
    admit(ledger, expected.iter().map(|event| admission(event, "2", 30)).collect()).await;
    assert_eq!(stale(Page::first(100)).await, []);
}
