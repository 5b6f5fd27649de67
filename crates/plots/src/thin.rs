//! Fewer points for the same picture: what would fall on the same spot is drawn once.

use std::collections::HashSet;

use crate::picture::Point;

/// Most points of one line or of one kind of mark; beyond it, spots grow.
const MOST: usize = 4_000;

/// One point for each spot that has any; spots are half as wide as the marks, a mark wide if there are very many. Every
/// spot with a mark keeps one, so no mark is hidden.
pub(crate) fn marks(points: Vec<Point>, size: f32) -> Vec<Point> {
    let kept = on_spots(&points, size / 2.0);
    if kept.len() > MOST { on_spots(&points, size) } else { kept }
}

fn on_spots(points: &[Point], spot: f32) -> Vec<Point> {
    #[expect(clippy::cast_possible_truncation, reason = "points lie in or near the picture")]
    let index = |value: f32| (value / spot).round() as i32;
    let mut taken = HashSet::with_capacity(points.len().min(MOST));
    let mut last = None;
    let is_new = |[x, y]: &Point| {
        let at = (index(*x), index(*y));
        // Neighbours mostly share a spot, and comparing is cheaper than looking up.
        last.replace(at) != Some(at) && taken.insert(at)
    };
    points.iter().copied().filter(is_new).collect()
}

/// A line of fewer points that looks the same. Where x only grows, each column of pixels keeps its first, lowest,
/// highest and last point; elsewhere points that hardly move are left out.
pub(crate) fn line(points: Vec<Point>) -> Vec<Point> {
    if points.len() < 3 {
        return points;
    }
    if points.windows(2).all(|pair| pair[0][0] <= pair[1][0]) { by_columns(&points) } else { by_distance(&points) }
}

/// The parts of a line that marks of this size on each of its points would not hide.
pub(crate) fn visible(line: &[Point], size: f32) -> Vec<Vec<Point>> {
    let is_visible = |one: &Point, other: &Point| (one[0] - other[0]).abs().max((one[1] - other[1]).abs()) > size * 0.7;
    let mut parts: Vec<Vec<Point>> = Vec::new();
    let mut goes_on = false;
    for pair in line.windows(2) {
        if !is_visible(&pair[0], &pair[1]) {
            goes_on = false;
            continue;
        }
        if !goes_on {
            parts.push(vec![pair[0]]);
        }
        if let Some(part) = parts.last_mut() {
            part.push(pair[1]);
        }
        goes_on = true;
    }
    parts
}

fn by_columns(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for column in points.chunk_by(|a, b| a[0].floor() == b[0].floor()) {
        let extreme = |is_better: fn(f32, f32) -> bool| {
            let mut best = 0;
            for (index, point) in column.iter().enumerate() {
                if is_better(point[1], column[best][1]) {
                    best = index;
                }
            }
            best
        };
        let mut chosen = [0, extreme(|a, b| a < b), extreme(|a, b| a > b), column.len() - 1];
        chosen.sort_unstable();
        for index in chosen {
            if kept.last() != Some(&column[index]) {
                kept.push(column[index]);
            }
        }
    }
    kept
}

fn by_distance(points: &[Point]) -> Vec<Point> {
    let mut reach = 0.5;
    loop {
        let mut kept = vec![points[0]];
        for point in &points[1..] {
            let last = kept[kept.len() - 1];
            if (point[0] - last[0]).abs().max((point[1] - last[1]).abs()) >= reach {
                kept.push(*point);
            }
        }
        if kept.len() <= MOST || reach > 4.0 {
            // A line ends where it ended.
            kept.push(points[points.len() - 1]);
            return kept;
        }
        reach *= 1.6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_keeps_its_extremes() {
        let mut points: Vec<Point> = (0..10_000u16).map(|i| [f32::from(i) / 100.0, 5.0]).collect();
        points[4_242][1] = 99.0;
        points[4_243][1] = -99.0;
        let thin = line(points);
        assert!(thin.len() <= 404, "{}", thin.len());
        assert!(thin.iter().any(|point| point[1] == 99.0) && thin.iter().any(|point| point[1] == -99.0));
    }

    #[test]
    fn a_line_to_and_fro_keeps_both_ends_and_its_turns() {
        let points: Vec<Point> =
            (0..20_000u16).map(|i| [(f32::from(i) / 400.0).sin() * 100.0, f32::from(i) / 100.0]).collect();
        let thin = line(points.clone());
        assert!(thin.len() <= MOST + 1, "{}", thin.len());
        assert_eq!((thin[0], thin[thin.len() - 1]), (points[0], points[points.len() - 1]));
        assert!(thin.iter().any(|point| point[0] > 95.0) && thin.iter().any(|point| point[0] < -95.0));
    }

    #[test]
    fn what_marks_hide_of_a_line_is_left_out() {
        let line = [[0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [9.0, 9.0], [9.5, 9.0], [30.0, 9.0]];
        assert_eq!(visible(&line, 5.0), [vec![[1.0, 0.0], [9.0, 0.0], [9.0, 9.0]], vec![[9.5, 9.0], [30.0, 9.0]]]);
    }

    #[test]
    fn marks_on_one_spot_are_one_and_a_lonely_one_stays() {
        let mut points = vec![[10.0, 10.0]; 1000];
        points.push([300.0, 40.0]);
        assert_eq!(marks(points, 4.0), [[10.0, 10.0], [300.0, 40.0]]);
    }
}
