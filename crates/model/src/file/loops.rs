//! Loops: functions that start themselves again by what they write, directly or through others.
//!
//! Functions and buckets are the nodes of one graph: a function leads to the buckets it may write to, a bucket to the
//! functions it starts. What is on no cycle is peeled off first, so the cost is that of reading the graph.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::functions::Draft;
use super::report::{Problem, Report, quote};
use crate::{KeyGlobs, Trigger};

/// The most loops that are told of one file.
const MOST: usize = 20;

/// True if every object of the bucket starts the function.
pub(super) fn takes_everything(trigger: &Trigger) -> bool {
    let Trigger::Created { keys, format, .. } = trigger else { return false };
    let takes_every_key = keys.is_empty() || keys.patterns().iter().any(|glob| matches!(glob.as_str(), "**" | "**/*"));
    let takes_keys_out = keys.patterns().iter().any(|glob| glob.starts_with('!'));
    takes_every_key && !takes_keys_out && format.is_empty()
}

/// True if keys are chosen by their endings alone: `**/*.json`.
fn is_by_ending(keys: &KeyGlobs) -> bool {
    let is_ending = |glob: &String| {
        let ending = glob.strip_prefix("**/").unwrap_or(glob).strip_prefix("*.");
        ending.is_some_and(|ending| !ending.is_empty() && !ending.contains(['*', '?', '[', '{', '/']))
    };
    !keys.is_empty() && keys.patterns().iter().all(is_ending)
}

/// Tells every function that is on a loop: an error if nothing on the way is filtered, else a warning. No warning
/// where objects are told apart by their endings and the bucket says which others are not wanted (`ignoring`).
pub(super) fn check(drafts: &[Draft<'_>], ignoring: &BTreeSet<&str>, report: &mut Report<'_>) {
    let certain = Graph::new(drafts, takes_everything).cycles(drafts.len());
    for cycle in &certain {
        tell(drafts, cycle, true, report);
    }
    let may_lead_on = |trigger: &Trigger| !matches!(trigger, Trigger::Created { bucket, keys, .. } if ignoring.contains(bucket.as_str()) && is_by_ending(keys));
    let possible = Graph::new(drafts, may_lead_on).cycles(drafts.len());
    for cycle in &possible {
        let is_filtered = cycle.iter().any(|index| !drafts[*index].trigger.as_ref().is_some_and(takes_everything));
        if is_filtered {
            tell(drafts, cycle, false, report);
        }
    }
}

/// Tells one loop, at the place where its first function says that it writes to the next bucket.
fn tell(drafts: &[Draft<'_>], cycle: &[usize], is_certain: bool, report: &mut Report<'_>) {
    let starter = |index: usize| match &drafts[index].trigger {
        Some(Trigger::Created { bucket, .. }) => bucket.as_str(),
        _ => "",
    };
    let Some(first) = cycle.first().copied() else { return };
    let mut steps = Vec::with_capacity(cycle.len());
    for position in 0..cycle.len() {
        let next = cycle[(position + 1) % cycle.len()];
        steps.push(format!("writes to {}, which starts {}", quote(starter(next)), quote(&drafts[next].name.value)));
    }
    let next_bucket = starter(cycle[1 % cycle.len()]);
    let span = drafts[first]
        .writes
        .iter()
        .find(|name| name.value == next_bucket)
        .map_or(&drafts[first].name.span, |name| &name.span);
    let name = quote(&drafts[first].name.value);
    let label = format!("it {}", steps.join(", which "));
    let problem = if is_certain {
        Problem::error("P0401", format!("function {name} starts itself again, without end"))
            .label(label)
            .expected("no way back to what starts it")
            .help("write to another bucket")
    } else {
        Problem::warning("P0402", format!("function {name} may start itself again"))
            .label(label)
            .expected("outputs that `keys` or `format` on the way leave out; else each starts the next")
            .help("write to another bucket, unless you are sure of the outputs' keys")
    };
    report.at(span, problem);
}

/// Functions are nodes `0..functions`, buckets come after them.
struct Graph {
    next: Vec<Vec<usize>>,
}

impl Graph {
    fn new(drafts: &[Draft<'_>], counts: impl Fn(&Trigger) -> bool) -> Self {
        let mut buckets: HashMap<&str, usize> = HashMap::new();
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
        for (index, draft) in drafts.iter().enumerate() {
            for name in &draft.writes {
                let fresh = next.len();
                let bucket = *buckets.entry(&name.value).or_insert(fresh);
                if bucket == fresh {
                    next.push(Vec::new());
                }
                next[index].push(bucket);
            }
        }
        for (index, draft) in drafts.iter().enumerate() {
            if let Some(trigger @ Trigger::Created { bucket, .. }) = &draft.trigger
                && let Some(bucket) = buckets.get(bucket.as_str())
                && counts(trigger)
            {
                next[*bucket].push(index);
            }
        }
        Self { next }
    }

    /// For each function on a cycle its shortest one, as the functions on it, beginning with the earliest in the file;
    /// each cycle once.
    fn cycles(&self, functions: usize) -> Vec<Vec<usize>> {
        let on_cycle = self.peeled();
        let mut found = Vec::new();
        let mut seen: BTreeSet<Vec<usize>> = BTreeSet::new();
        let mut told: BTreeSet<usize> = BTreeSet::new();
        for start in (0..functions).filter(|start| on_cycle[*start]) {
            if found.len() == MOST {
                break;
            }
            if told.contains(&start) {
                continue;
            }
            let Some(cycle) = self.shortest(start, &on_cycle, functions) else { continue };
            let mut members = cycle.clone();
            members.sort_unstable();
            told.extend(&members);
            if seen.insert(members) {
                found.push(cycle);
            }
        }
        found
    }

    /// Which nodes are left when all that has no way in, and all that has no way out, is taken off again and again.
    fn peeled(&self) -> Vec<bool> {
        let mut back: Vec<Vec<usize>> = vec![Vec::new(); self.next.len()];
        for (node, nexts) in self.next.iter().enumerate() {
            nexts.iter().for_each(|next| back[*next].push(node));
        }
        let mut left = vec![true; self.next.len()];
        for (there, here) in [(&self.next, &back), (&back, &self.next)] {
            let mut degree: Vec<usize> =
                here.iter().map(|nodes| nodes.iter().filter(|node| left[**node]).count()).collect();
            let mut bare: Vec<usize> = (0..left.len()).filter(|node| left[*node] && degree[*node] == 0).collect();
            while let Some(node) = bare.pop() {
                left[node] = false;
                for next in there[node].iter().copied().filter(|next| left[*next]) {
                    degree[next] -= 1;
                    if degree[next] == 0 {
                        bare.push(next);
                    }
                }
            }
        }
        left
    }

    fn shortest(&self, start: usize, allowed: &[bool], functions: usize) -> Option<Vec<usize>> {
        let mut came_from: HashMap<usize, usize> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for next in self.next[node].iter().copied().filter(|next| allowed[*next]) {
                if next == start {
                    let mut path = vec![node];
                    while let Some(before) = path.last().and_then(|last| came_from.get(last)) {
                        path.push(*before);
                    }
                    path.reverse();
                    path.retain(|node| *node < functions);
                    return Some(path);
                }
                if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(next) {
                    entry.insert(node);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}
