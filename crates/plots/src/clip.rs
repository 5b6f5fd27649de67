//! Rings cut to a box (Sutherland and Hodgman), so that a picture holds only the coast that it shows.

/// Lowest and highest x, lowest and highest y.
pub(crate) type Bounds = [f64; 4];

/// The part of a closed ring that lies in the box; where the ring leaves it, the result runs along the edge.
pub(crate) fn ring(mut points: Vec<[f64; 2]>, bounds: Bounds) -> Vec<[f64; 2]> {
    for (axis, bound, is_low) in
        [(0, bounds[0], true), (0, bounds[1], false), (1, bounds[2], true), (1, bounds[3], false)]
    {
        let is_in = |point: &[f64; 2]| if is_low { point[axis] >= bound } else { point[axis] <= bound };
        if points.iter().all(is_in) {
            continue;
        }
        let mut kept = Vec::with_capacity(points.len() / 2);
        let Some(mut before) = points.last().copied() else { return points };
        for point in points {
            if is_in(&point) != is_in(&before) {
                let part = (bound - before[axis]) / (point[axis] - before[axis]);
                let other = before[1 - axis] + part * (point[1 - axis] - before[1 - axis]);
                kept.push(if axis == 0 { [bound, other] } else { [other, bound] });
            }
            if is_in(&point) {
                kept.push(point);
            }
            before = point;
        }
        points = kept;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Bounds = [0.0, 10.0, 0.0, 10.0];

    fn area(points: &[[f64; 2]]) -> f64 {
        let next = |index: usize| points[(index + 1) % points.len()];
        let twice: f64 = points.iter().enumerate().map(|(i, [x, y])| x * next(i)[1] - next(i)[0] * y).sum();
        twice.abs() / 2.0
    }

    #[test]
    fn what_lies_within_stays_what_lies_beyond_goes() {
        let inner = vec![[1.0, 1.0], [2.0, 1.0], [2.0, 2.0]];
        assert_eq!(ring(inner.clone(), BOX), inner);
        assert!(ring(vec![[11.0, 1.0], [12.0, 1.0], [12.0, 2.0]], BOX).is_empty());
        assert!(ring(Vec::new(), BOX).is_empty());
    }

    #[test]
    fn a_ring_around_the_box_fills_it_and_one_across_is_cut() {
        let around = vec![[-5.0, -5.0], [15.0, -5.0], [15.0, 15.0], [-5.0, 15.0]];
        assert!((area(&ring(around, BOX)) - 100.0).abs() < 1e-9);
        let across = vec![[5.0, -5.0], [15.0, -5.0], [15.0, 15.0], [5.0, 15.0]];
        assert!((area(&ring(across, BOX)) - 50.0).abs() < 1e-9);
    }
}
