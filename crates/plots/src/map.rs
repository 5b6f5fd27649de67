//! A map: sea, land, graticule, scale, and series of positions on it.

use crate::clip;
use crate::coast;
use crate::degrees::{self, turned};
use crate::picture::{Anchor, Colour, Frame, Mark, Picture, Point, Shape, Text};
use crate::projection::{Projection, View};
use crate::series::Series;

/// The least width or height of a map, in degrees of latitude: the coastline holds no finer detail.
const LEAST: f64 = 18.0 / 60.0;

/// Nautical miles a degree of latitude.
const MILES: f64 = 60.0;

/// A map of longitudes (x) and latitudes (y) in degrees.
#[derive(Debug, Clone, Default)]
pub struct Map<'a> {
    /// What is drawn, the last on top. Positions that are not believed do not widen the map.
    pub series: Vec<Series<'a>>,
    /// Named places.
    pub places: Vec<Place>,
}

/// A named place on a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// What stands beside it.
    pub name: String,
    /// Longitude in degrees east.
    pub longitude: f64,
    /// Latitude in degrees north.
    pub latitude: f64,
    /// How it is marked.
    pub mark: Mark,
}

/// True for positions on the globe.
fn is_position(longitude: f64, latitude: f64) -> bool {
    longitude.abs() <= 540.0 && latitude.abs() <= 90.0
}

impl Map<'_> {
    /// Draws it; `frame` is the inner one, the words of the graticule stand left of it and below it.
    pub fn draw(&self, picture: &mut Picture, frame: Frame) {
        let positions = self.positions();
        let (view, land) = with_land(View::of(&positions, LEAST, frame));
        let frame = view.frame;
        picture.fill(frame, Colour::SEA);
        let mut names = Vec::new();
        picture.clipped(frame, |picture| {
            land.draw(picture);
            names = draw_graticule(picture, &view);
        });
        let taken = names.iter().filter(|name| name.has_halo).map(Text::room).collect();
        names.into_iter().for_each(|name| picture.text(name));
        let mut hidden = 0;
        if positions.is_empty() {
            let (x, y) = (frame.left + frame.width / 2.0, frame.top + frame.height / 2.0);
            picture.text(Text::new("no positions", x, y, 15.0).anchor(Anchor::Middle).colour(Colour::FAINT).halo());
        } else {
            picture.clipped(frame, |picture| hidden = self.draw_series(picture, &view));
            let taken = self.draw_places(picture, &view, taken);
            draw_scale(picture, &view);
            draw_inset(picture, &view, &positions, &taken);
        }
        picture.outline(frame, Colour::FAINT, 1.0);
        if hidden > 0 {
            let words = if hidden == 1 {
                "1 position lies beyond".to_owned()
            } else {
                format!("{hidden} positions lie beyond")
            };
            let text = Text::new(words, frame.right(), frame.bottom() + 34.0, 12.0);
            picture.text(text.anchor(Anchor::End).colour(Colour::FAINT));
        }
    }

    /// The positions that the map is laid out by: those that are believed; if there are none, all.
    fn positions(&self) -> Vec<[f64; 2]> {
        let all = || {
            self.series
                .iter()
                .flat_map(|series| series.points().map(move |(index, x, y)| (series.is_trusted(index), [x, y])))
        };
        let is_good = |position: &[f64; 2]| is_position(position[0], position[1]);
        let trusted: Vec<_> = all().filter(|(trusted, _)| *trusted).map(|(_, at)| at).filter(is_good).collect();
        if trusted.is_empty() { all().map(|(_, at)| at).filter(is_good).collect() } else { trusted }
    }

    /// Returns how many positions lie beyond the frame, or the globe.
    fn draw_series(&self, picture: &mut Picture, view: &View) -> usize {
        let hidden = std::cell::Cell::new(0);
        let place = |x: f64, y: f64, _: bool| {
            if !is_position(x, y) {
                hidden.set(hidden.get() + 1);
                return None;
            }
            let point = point(view.place(x, y));
            if !view.frame.contains(point) {
                hidden.set(hidden.get() + 1);
            }
            Some(point)
        };
        // On a map of the whole globe a track may leave at one side and come back at the other.
        let is_torn = |one: Point, other: Point| (one[0] - other[0]).abs() > view.frame.width * 0.6;
        for series in &self.series {
            series.draw(picture, place, is_torn);
        }
        hidden.get()
    }

    /// Marks and names, each name on a side where nothing stands yet; returns the frames that are taken.
    fn draw_places(&self, picture: &mut Picture, view: &View, mut taken: Vec<Frame>) -> Vec<Frame> {
        for place in self.places.iter().filter(|place| is_position(place.longitude, place.latitude)) {
            let [x, y] = point(view.place(place.longitude, place.latitude));
            if !view.frame.contains([x, y]) {
                continue;
            }
            picture.marks(place.mark, vec![[x, y]]);
            taken.push(Frame::new(x, y, 0.0, 0.0).grown(place.mark.size / 2.0 + 1.0));
            let name = |at: &[f32; 2]| Text::new(place.name.as_str(), at[0], at[1], 13.0).bold().halo();
            let width = name(&[x, y]).width();
            let reach = place.mark.size / 2.0 + 4.0;
            let sides = [
                [x + reach, y + 4.5],
                [x - reach - width, y + 4.5],
                [x - width / 2.0, y - reach - 2.0],
                [x - width / 2.0, y + reach + 11.0],
                [x + reach, y + 19.0],
                [x + reach, y - 10.0],
            ];
            let is_free = |room: &Frame| {
                view.frame.contains([room.left, room.top])
                    && view.frame.contains([room.right(), room.bottom()])
                    && !taken.iter().any(|other| overlap(other, room))
            };
            let Some(at) = sides.iter().find(|at| is_free(&name(at).room())) else { continue };
            taken.push(name(at).room());
            picture.text(name(at));
        }
        taken
    }
}

fn overlap(one: &Frame, other: &Frame) -> bool {
    one.left < other.right() && other.left < one.right() && one.top < other.bottom() && other.top < one.bottom()
}

#[expect(clippy::cast_possible_truncation, reason = "pixels")]
fn point([x, y]: [f64; 2]) -> Point {
    [x as f32, y as f32]
}

/// The view, widened as far as four times if it would show no land at all.
fn with_land(view: View) -> (View, Land) {
    let views = [1.0, 1.5, 2.2, 3.2, 4.5].map(|factor| view.wider(factor).trimmed());
    let seen = views.into_iter().map(|view| (view, land(&view))).find(|(_, land)| !land.rings.is_empty());
    seen.unwrap_or((view.trimmed(), Land::default()))
}

/// Land as it is drawn.
#[derive(Default)]
struct Land {
    /// Closed, cut a little outside of the frame.
    rings: Vec<Vec<Point>>,
    /// Their outlines, save where a ring was only cut along a meridian or around a pole.
    shores: Vec<Vec<Point>>,
}

impl Land {
    /// Adds a ring; each of its points tells whether the edge to the next is a shore.
    fn add(&mut self, points: impl Iterator<Item = (Point, bool)>) {
        let mut ring: Vec<Point> = Vec::new();
        let mut shores = vec![Vec::new()];
        let mut is_shore = true;
        for (at, goes_on) in points {
            // What moves less than half a pixel is not seen.
            if ring.last().is_some_and(|last| (last[0] - at[0]).abs().max((last[1] - at[1]).abs()) < 0.5) {
                continue;
            }
            ring.push(at);
            if !is_shore {
                shores.push(Vec::new());
            }
            if let Some(shore) = shores.last_mut() {
                shore.push(at);
            }
            is_shore = goes_on;
        }
        if ring.len() < 3 {
            return;
        }
        if let Some(shore) = shores.last_mut().filter(|_| is_shore) {
            shore.push(ring[0]);
        }
        self.rings.push(ring);
        self.shores.extend(shores);
    }

    fn draw(self, picture: &mut Picture) {
        picture.area(self.rings, Colour::LAND);
        picture.lines(self.shores, Colour::COAST, 0.9);
    }
}

/// The land that a view shows.
fn land(view: &View) -> Land {
    let mut land = Land::default();
    let wide = View { frame: view.frame.grown(6.0), ..*view };
    let middle = view.projection.middle();
    if let Projection::Polar { is_south, .. } = view.projection {
        let frame = wide.frame;
        let edges = [frame.left, frame.right(), frame.top, frame.bottom()].map(f64::from);
        for ring in coast::rings() {
            // What lies around the opposite pole lies beyond everything.
            if if is_south { ring.bounds[2] > 30.0 } else { ring.bounds[3] < -30.0 } {
                continue;
            }
            // Along the pole the ring of Antarctica has an edge that is none.
            let points = ring.points().filter(|[_, latitude]| latitude.abs() < 90.0);
            let points = points.map(|[x, y]| view.place_from_middle(x - middle, y)).collect();
            land.add(clip::ring(points, edges).into_iter().map(|at| (point(at), true)));
        }
        return land;
    }
    let bounds @ [west, east, south, north] = wide.degrees();
    for ring in coast::rings().iter().filter(|ring| ring.bounds[3] >= south && ring.bounds[2] <= north) {
        for turn in [-720.0, -360.0, 0.0, 360.0, 720.0] {
            let shift = turn - middle;
            if ring.bounds[0] + shift > east || ring.bounds[1] + shift < west {
                continue;
            }
            let points = clip::ring(ring.points().map(|[x, y]| [x + shift, y]).collect(), bounds);
            let next = points.iter().cycle().skip(1);
            let is_antimeridian = |[x, _]: &[f64; 2]| (turned(x - shift).abs() - 180.0).abs() < 1e-6;
            land.add(points.iter().zip(next).map(|(at, next)| {
                let [x, y] = *at;
                (point(view.place_from_middle(x, y)), !(is_antimeridian(at) && is_antimeridian(next)))
            }));
        }
    }
    land
}

const GRATICULE: Colour = Colour(0xc3, 0xd0, 0xd9);

/// Draws meridians and parallels; returns their names, which stand outside of the frame, around a pole inside.
fn draw_graticule(picture: &mut Picture, view: &View) -> Vec<Text> {
    if let Projection::Polar { is_south, .. } = view.projection {
        return draw_polar_graticule(picture, view, is_south);
    }
    let frame = view.frame;
    let [west, east, south, north] = view.degrees();
    let middle = view.projection.middle();
    let apart = degrees::step((east - west) * 84.0 / f64::from(frame.width));
    let mut names = Vec::new();
    let mut lines = Vec::new();
    for longitude in degrees::multiples(west + middle, east + middle, apart) {
        let [x, _] = point(view.place_from_middle(longitude - middle, 0.0));
        lines.push(vec![[x, frame.top], [x, frame.bottom()]]);
        let name = Text::new(degrees::longitude(longitude, apart), x, frame.bottom() + 17.0, 12.5);
        names.push(name.anchor(Anchor::Middle));
    }
    let apart = degrees::step((north - south) * 50.0 / f64::from(frame.height));
    for latitude in degrees::multiples(south, north, apart) {
        let [_, y] = point(view.place_from_middle(0.0, latitude));
        if !(frame.top..=frame.bottom()).contains(&y) {
            continue;
        }
        lines.push(vec![[frame.left, y], [frame.right(), y]]);
        names.push(Text::new(degrees::latitude(latitude, apart), frame.left - 6.0, y + 4.0, 12.5).anchor(Anchor::End));
    }
    picture.lines(lines, GRATICULE, 0.8);
    names
}

fn draw_polar_graticule(picture: &mut Picture, view: &View, is_south: bool) -> Vec<Text> {
    let middle = view.projection.middle();
    let sign = if is_south { -1.0 } else { 1.0 };
    let span = view.span(sign * 90.0);
    let apart = degrees::step(span * 70.0 / f64::from(view.frame.height));
    let inner = Frame { left: view.frame.left + 26.0, width: view.frame.width - 52.0, ..view.frame.grown(-14.0) };
    let mut names: Vec<Text> = Vec::new();
    let mut taken: Vec<Frame> = Vec::new();
    let mut name = |text: String, at: Point| {
        let text = Text::new(text, at[0], at[1] + 4.0, 12.0).anchor(Anchor::Middle).colour(Colour::FAINT).halo();
        let room = text.room();
        if !taken.iter().any(|other| overlap(other, &room)) {
            taken.push(room);
            names.push(text);
        }
    };
    let mut lines = Vec::new();
    let lowest = (90.0 - span * 1.5).max(0.0);
    for from_pole in degrees::multiples(apart, 90.0 - lowest, apart).take(40) {
        let latitude = sign * (90.0 - from_pole);
        let circle = (0..=180).map(|step| point(view.place_from_middle(f64::from(step) * 2.0, latitude)));
        let circle: Vec<Point> = circle.collect();
        let near = circle.iter().filter(|at| inner.contains(**at)).min_by(|a, b| {
            let off = |at: &Point| (at[0] - view.frame.left - view.frame.width / 2.0).abs();
            off(a).total_cmp(&off(b))
        });
        if let Some(at) = near {
            name(degrees::latitude(latitude, apart), *at);
        }
        lines.push(circle);
    }
    // Where the map is, not where the meridians meet.
    let from_pole = (view.centre[0].hypot(view.centre[1]) / 2.0).atan() * 2.0;
    let wide = span * 84.0 / f64::from(view.frame.width) / from_pole.sin().max(0.05);
    let between = degrees::step(wide).min(30.0);
    for meridian in degrees::multiples(-180.0, 180.0 - between, between) {
        let lowest = sign * lowest;
        let way = (0..=200).map(|step| {
            let latitude = lowest + (sign * 90.0 - lowest) * f64::from(step) / 200.0;
            point(view.place_from_middle(turned(meridian - middle), latitude))
        });
        let way: Vec<Point> = way.collect();
        if let Some(at) = way.iter().find(|at| inner.contains(**at)) {
            name(degrees::longitude(meridian, between), *at);
        }
        lines.push(way);
    }
    picture.lines(lines, GRATICULE, 0.8);
    names
}

/// A scale in nautical miles, unless the map shows so much of the globe that no one scale is true.
fn draw_scale(picture: &mut Picture, view: &View) {
    let latitude = match view.projection {
        Projection::Plain { .. } => return,
        Projection::Polar { .. } => 90.0,
        Projection::Mercator { .. } => {
            let [_, _, south, north] = view.degrees();
            let middle = f64::midpoint(south, north);
            let here = view.projection.enlargement(middle);
            if [south, north].iter().any(|edge| (view.projection.enlargement(*edge) / here - 1.0).abs() > 0.2) {
                return;
            }
            middle
        }
    };
    let pixels = view.scale * view.projection.enlargement(latitude) * (1.0 / MILES).to_radians();
    let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];
    let Some(miles) = steps.into_iter().rfind(|miles| miles * pixels <= f64::from(view.frame.width) * 0.28) else {
        return;
    };
    let [length, _] = point([miles * pixels, 0.0]);
    let (left, base) = (view.frame.left + 10.0, view.frame.bottom() - 10.0);
    let bar = vec![[left, base - 5.0], [left, base], [left + length, base], [left + length, base - 5.0]];
    picture.line(bar.clone(), Colour::WHITE, 4.5);
    picture.line(bar, Colour::INK, 1.6);
    let kilometres = miles * 1.852;
    let decimals = usize::from(kilometres < 20.0);
    let words = format!("{miles} nmi ({kilometres:.decimals$} km)");
    picture.text(Text::new(words, left, base - 10.0, 12.0).halo());
}

/// Where on the coast a small map lies: a smaller map of a wider view, in the emptiest corner.
fn draw_inset(picture: &mut Picture, view: &View, positions: &[[f64; 2]], taken: &[Frame]) {
    const SIDE: f32 = 104.0;
    let frame = view.frame;
    let latitude = positions.first().map_or(0.0, |position| position[1]);
    if view.span(latitude) > 6.0 || frame.width < 3.0 * SIDE || frame.height < 3.0 * SIDE {
        return;
    }
    let corners = [
        Frame::new(frame.right() - SIDE, frame.top, SIDE, SIDE),
        Frame::new(frame.left, frame.top, SIDE, SIDE),
        Frame::new(frame.right() - SIDE, frame.bottom() - SIDE, SIDE, SIDE),
    ];
    let some = positions.iter().step_by(positions.len() / 2_000 + 1);
    let places: Vec<Point> = some.map(|[x, y]| point(view.place(*x, *y))).collect();
    let crowd = |corner: &Frame| {
        let room = corner.grown(8.0);
        places.iter().filter(|at| room.contains(**at)).count()
            + 1_000 * taken.iter().filter(|other| overlap(other, &room)).count()
    };
    let Some(corner) = corners.into_iter().min_by_key(crowd).filter(|corner| crowd(corner) == 0) else { return };
    let shown = 24.0f64.to_radians() * view.projection.enlargement(latitude);
    let wide = View { frame: corner, scale: f64::from(SIDE) / shown, ..*view };
    picture.clipped(corner, |picture| {
        picture.fill(corner, Colour::SEA);
        land(&wide).draw(picture);
    });
    let factor = wide.scale / view.scale;
    let [width, height] = point([f64::from(frame.width) * factor, f64::from(frame.height) * factor]);
    let (x, y) = (corner.left + SIDE / 2.0, corner.top + SIDE / 2.0);
    let red = Colour(0xc8, 0x3c, 0x00);
    if width.min(height) < 5.0 {
        picture.marks(Mark { shape: Shape::Ring, colour: red, size: 8.0 }, vec![[x, y]]);
    } else {
        picture.outline(Frame::new(x - width / 2.0, y - height / 2.0, width, height), red, 1.6);
    }
    picture.outline(corner, Colour::FAINT, 1.0);
}
