//! How the globe comes onto paper: Mercator, as charts have it; around a pole a stereographic view of it; for the whole
//! globe equal degrees.

use crate::clip::Bounds;
use crate::degrees::turned;
use crate::picture::Frame;

/// Mercator is cut off here.
const HIGHEST: f64 = 85.0;

/// A projection; its unit is the radius of the globe, x to the right, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Projection {
    /// With this longitude in the middle.
    Mercator { middle: f64 },
    /// Equal degrees, with this longitude in the middle.
    Plain { middle: f64 },
    /// Around the South Pole or the North Pole, with this longitude upwards or downwards.
    Polar { is_south: bool, middle: f64 },
}

impl Projection {
    /// The projection that suits positions of these latitudes, whose longitudes lie around `middle`.
    pub(crate) fn for_positions(south: f64, north: f64, middle: f64) -> Self {
        let farthest = south.abs().max(north.abs());
        if farthest > 78.0 && north - south < 70.0 {
            Self::Polar { is_south: south + north < 0.0, middle }
        } else if farthest > 80.0 || north - south > 100.0 {
            Self::Plain { middle }
        } else {
            Self::Mercator { middle }
        }
    }

    pub(crate) fn middle(self) -> f64 {
        match self {
            Self::Mercator { middle } | Self::Plain { middle } | Self::Polar { middle, .. } => middle,
        }
    }

    /// A position; its longitude counts from the middle and may lie beyond 180.
    pub(crate) fn place(self, from_middle: f64, latitude: f64) -> [f64; 2] {
        match self {
            Self::Mercator { .. } => {
                let latitude = latitude.clamp(-HIGHEST, HIGHEST).to_radians();
                [from_middle.to_radians(), -latitude.sin().atanh()]
            }
            Self::Plain { .. } => [from_middle.to_radians(), -latitude.to_radians()],
            Self::Polar { is_south, .. } => {
                let sign = if is_south { -1.0 } else { 1.0 };
                // Nobody looks so far from the pole, and the opposite one lies at infinity.
                let from_pole = (90.0 - sign * latitude).clamp(0.0, 150.0);
                let radius = 2.0 * (from_pole / 2.0).to_radians().tan();
                let (sine, cosine) = from_middle.to_radians().sin_cos();
                [radius * sine, sign * radius * cosine]
            }
        }
    }

    /// The latitude of a height on a map whose parallels are straight.
    fn latitude(self, y: f64) -> f64 {
        match self {
            Self::Mercator { .. } => (-y).tanh().asin().to_degrees(),
            Self::Plain { .. } | Self::Polar { .. } => -y.to_degrees(),
        }
    }

    /// How much longer a step on the ground is on paper, at this latitude.
    pub(crate) fn enlargement(self, latitude: f64) -> f64 {
        match self {
            Self::Mercator { .. } => 1.0 / latitude.clamp(-HIGHEST, HIGHEST).to_radians().cos(),
            Self::Plain { .. } => 1.0,
            Self::Polar { .. } => 2.0 / (1.0 + latitude.abs().to_radians().sin()),
        }
    }
}

/// A part of the globe in a frame of a picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) projection: Projection,
    pub(crate) frame: Frame,
    /// What lies in the middle of the frame, in the unit of the projection.
    pub(crate) centre: [f64; 2],
    /// Pixels a unit.
    pub(crate) scale: f64,
}

impl View {
    /// Shows all positions (longitude, latitude; finite, on the globe) with some room around them, but no less than
    /// `least` degrees of latitude.
    pub(crate) fn of(positions: &[[f64; 2]], least: f64, frame: Frame) -> Self {
        let (south, north) = bounds(positions.iter().map(|position| position[1])).unwrap_or((-60.0, 60.0));
        let middle = middle_longitude(positions.iter().map(|position| position[0]));
        let projection = Projection::for_positions(south, north, middle);
        let from_middle = || positions.iter().map(|position| turned(position[0] - middle));
        let places: Vec<[f64; 2]> = if matches!(projection, Projection::Polar { .. }) {
            from_middle().zip(positions).map(|(x, position)| projection.place(x, position[1])).collect()
        } else {
            let (west, east) = bounds(from_middle()).unwrap_or((-180.0, 180.0));
            vec![projection.place(west, south), projection.place(east, north)]
        };
        let (left, right) = bounds(places.iter().map(|place| place[0])).unwrap_or((-3.0, 3.0));
        let (top, bottom) = bounds(places.iter().map(|place| place[1])).unwrap_or((-1.5, 1.5));
        let centre = [(left + right) / 2.0, (top + bottom) / 2.0];
        let least = least.to_radians() * projection.enlargement((south + north) / 2.0);
        let (width, height) = (f64::from(frame.width), f64::from(frame.height));
        let across = ((right - left) * 1.25).max(least * (width / height).max(1.0));
        let along = ((bottom - top) * 1.25).max(least * (height / width).max(1.0));
        Self { projection, frame, centre, scale: (width / across).min(height / along) }.within_the_globe()
    }

    /// The same, `factor` times wider.
    pub(crate) fn wider(self, factor: f64) -> Self {
        Self { scale: self.scale / factor, ..self }.within_the_globe()
    }

    /// No meridian is shown twice.
    fn within_the_globe(mut self) -> Self {
        if !matches!(self.projection, Projection::Polar { .. }) {
            let least = f64::from(self.frame.width) / std::f64::consts::TAU;
            self.scale = self.scale.max(least);
        }
        self
    }

    /// The same, its frame no higher than the globe.
    pub(crate) fn trimmed(mut self) -> Self {
        if matches!(self.projection, Projection::Polar { .. }) {
            return self;
        }
        let [top, bottom] = [90.0, -90.0].map(|latitude| self.place_from_middle(0.0, latitude)[1]);
        #[expect(clippy::cast_possible_truncation, reason = "pixels, within those of the frame")]
        let (top, bottom) =
            (top.max(f64::from(self.frame.top)) as f32, bottom.min(f64::from(self.frame.bottom())) as f32);
        let frame = Frame { top, height: bottom - top, ..self.frame };
        let middle = |frame: &Frame| f64::from(frame.top + frame.height / 2.0);
        self.centre[1] += (middle(&frame) - middle(&self.frame)) / self.scale;
        Self { frame, ..self }
    }

    /// Where a position is on paper, perhaps beyond the frame.
    pub(crate) fn place(&self, longitude: f64, latitude: f64) -> [f64; 2] {
        self.place_from_middle(turned(longitude - self.projection.middle()), latitude)
    }

    /// The same, for a longitude that counts from the middle.
    pub(crate) fn place_from_middle(&self, from_middle: f64, latitude: f64) -> [f64; 2] {
        let [x, y] = self.projection.place(from_middle, latitude);
        let (left, top) = (f64::from(self.frame.left), f64::from(self.frame.top));
        let (width, height) = (f64::from(self.frame.width), f64::from(self.frame.height));
        [(x - self.centre[0]) * self.scale + left + width / 2.0, (y - self.centre[1]) * self.scale + top + height / 2.0]
    }

    /// West and east (from the middle), south and north of a view whose meridians are straight, in degrees.
    pub(crate) fn degrees(&self) -> Bounds {
        let (across, along) =
            (f64::from(self.frame.width) / self.scale / 2.0, f64::from(self.frame.height) / self.scale / 2.0);
        [
            (self.centre[0] - across).to_degrees(),
            (self.centre[0] + across).to_degrees(),
            self.projection.latitude(self.centre[1] + along).max(-90.0),
            self.projection.latitude(self.centre[1] - along).min(90.0),
        ]
    }

    /// Longest side of the view in degrees of latitude, roughly.
    pub(crate) fn span(&self, latitude: f64) -> f64 {
        let pixels = f64::from(self.frame.width.max(self.frame.height));
        (pixels / self.scale / self.projection.enlargement(latitude)).to_degrees()
    }
}

/// The lowest and the highest.
fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found, value| {
        let (low, high) = found.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// The middle of the shortest arc that holds all longitudes, to the tenth of a degree.
fn middle_longitude(longitudes: impl Iterator<Item = f64>) -> f64 {
    const ALL: usize = 3_600;
    let mut is_taken = vec![false; ALL];
    for longitude in longitudes {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3600")]
        let place = (longitude.rem_euclid(360.0) * 10.0) as usize;
        is_taken[place % ALL] = true;
    }
    // What the arc leaves out is the longest gap between two taken places, round the globe.
    let taken: Vec<usize> = (0..ALL).filter(|place| is_taken[*place]).collect();
    let Some(first) = taken.first() else { return 0.0 };
    let gaps = taken.iter().zip(taken.iter().skip(1).copied().chain([first + ALL]));
    let Some((west, east)) =
        gaps.map(|(one, next)| (next % ALL, *one)).max_by_key(|(next, one)| (next + ALL - one - 1) % ALL)
    else {
        return 0.0;
    };
    let arc = (east + ALL - west) % ALL + 1;
    #[expect(clippy::cast_precision_loss, reason = "at most 7200")]
    turned((west as f64 + arc as f64 / 2.0) / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame::new(0.0, 0.0, 400.0, 400.0);

    #[test]
    fn the_shortest_arc_may_cross_the_antimeridian() {
        let middle = |longitudes: &[f64]| middle_longitude(longitudes.iter().copied());
        assert!((middle(&[179.0, -179.0]).abs() - 180.0).abs() < 0.1);
        assert!((middle(&[170.0, -170.0, 175.0]).abs() - 180.0).abs() < 0.1);
        assert!((middle(&[-10.0, 20.0]) - 5.0).abs() < 0.1);
        assert!((middle(&[174.5]) - 174.5).abs() < 0.1);
        assert!((middle(&[-0.01]) + 0.01).abs() < 0.1);
        let all: Vec<f64> = (0..3_600).map(|tenth| f64::from(tenth) / 10.0).collect();
        assert!(middle(&all).abs() <= 180.0 && middle(&[]).abs() < 1e-9);
    }

    #[test]
    fn neighbours_over_the_antimeridian_are_neighbours_on_paper() {
        let view = View::of(&[[179.9, -17.0], [-179.9, -17.1]], 0.1, FRAME);
        let (one, other) = (view.place(179.9, -17.0), view.place(-179.9, -17.1));
        for place in [one, other] {
            assert!(place.iter().all(|pixel| (0.0..=400.0).contains(pixel)), "{place:?}");
        }
        assert!(one[0] < other[0]);
    }

    #[test]
    fn around_a_pole_nothing_is_torn() {
        let view = View::of(&[[0.0, 89.0], [120.0, 89.5], [-120.0, 88.0]], 0.1, FRAME);
        assert!(matches!(view.projection, Projection::Polar { is_south: false, .. }));
        let (one, other) = (view.place(179.99, 89.0), view.place(-179.99, 89.0));
        assert!((one[0] - other[0]).abs() < 1.0 && (one[1] - other[1]).abs() < 1.0);
        let place = view.place(77.0, -90.0);
        assert!(place.iter().all(|pixel| pixel.is_finite()));
    }

    #[test]
    fn north_is_up_and_degrees_come_back() {
        let view = View::of(&[[174.0, -42.0], [175.0, -41.0]], 0.1, FRAME);
        assert!(view.place(174.5, -41.0)[1] < view.place(174.5, -42.0)[1]);
        let [west, east, south, north] = view.degrees();
        assert!(west < -0.5 && east > 0.5 && south < -42.0 && north > -41.0, "{:?}", view.degrees());
        let corner = view.place_from_middle(west, south);
        assert!(corner[0].abs() < 1e-6 && (corner[1] - 400.0).abs() < 1e-6, "{corner:?}");
    }
}
