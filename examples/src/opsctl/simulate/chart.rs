//! Draws what policies did.

use std::fmt::Write as _;

use alfred_ops_scaling::simulate::{Run, Second, Service, Trace};

/// Points of the picture's width.
const WIDTH: f64 = 1100.0;
/// Where panels begin and end.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 1080.0;
const PANEL_HEIGHT: f64 = 190.0;
const PANEL_STEP: f64 = 240.0;
const FIRST_TOP: f64 = 110.0;
/// More columns than this nobody can tell apart.
const COLUMNS_MAX: usize = 1000;
/// Colours that people with any sight can tell apart (Okabe and Ito).
const COLOURS: [&str; 6] = ["#999999", "#e69f00", "#cc79a7", "#56b4e9", "#d55e00", "#009e73"];

/// Load, instances and waits over time, one below the other.
pub(super) struct Chart<'r> {
    pub(super) trace: &'r Trace,
    pub(super) service: &'r Service,
    pub(super) played: &'r [(String, Run)],
}

/// One panel: what it shows, and how far up it goes.
struct Panel {
    title: String,
    top: f64,
    highest: f64,
}

impl Panel {
    fn new(place: u32, title: impl Into<String>, highest: f64) -> Self {
        Self {
            title: title.into(),
            top: FIRST_TOP + f64::from(place) * PANEL_STEP,
            highest: highest.max(1e-9),
        }
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PANEL_HEIGHT * (1.0 - (value / self.highest).min(1.0))
    }
}

impl Chart<'_> {
    /// The picture as SVG.
    pub(super) fn draw(&self) -> String {
        let mut svg = String::new();
        let height = FIRST_TOP + 3.0 * PANEL_STEP;
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        self.legend(&mut svg);
        let size = self.trace.arrivals().len().div_ceil(COLUMNS_MAX);
        let load = mean(self.trace.arrivals(), size);
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let load_panel = Panel::new(0, "requests a second", most(&load) * 1.05);
        self.panel(&mut svg, &load_panel);
        self.line(&mut svg, &load_panel, &load, "#0072b2");
        let instances = Panel::new(1, "instances", f64::from(self.service.max) * 1.05);
        self.panel(&mut svg, &instances);
        let wait = self.service.wait.as_secs_f64();
        let waits = Panel::new(2, "seconds that the first in the queue has waited", 4.0 * wait.max(1.0));
        self.panel(&mut svg, &waits);
        let limit = waits.y(wait);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{limit:.1}\" y2=\"{limit:.1}\" stroke=\"#d00\" stroke-dasharray=\"4 3\"/>"
        );
        for ((_, run), colour) in self.played.iter().zip(COLOURS.iter().cycle()) {
            let column = |shown: fn(&Second) -> f64| highest(&run.seconds, size, shown);
            self.line(&mut svg, &instances, &column(|second| f64::from(second.instances)), colour);
            self.line(&mut svg, &waits, &column(|second| f64::from(second.wait)), colour);
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Names, colours and scores, three in a row.
    fn legend(&self, svg: &mut String) {
        for (place, ((name, run), colour)) in (0_u32..).zip(self.played.iter().zip(COLOURS.iter().cycle())) {
            let (x, y) = (LEFT + f64::from(place % 3) * 340.0, 24.0 + f64::from(place / 3) * 22.0);
            let score = &run.score;
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{:.0}\" width=\"18\" height=\"4\" fill=\"{colour}\"/>\
                 <text x=\"{:.0}\" y=\"{y}\">{name}: {:.2} % late, cost {:.2}, {} reversals</text>",
                y - 6.0,
                x + 26.0,
                score.violations_percent,
                score.cost_ratio,
                score.reversals
            );
        }
    }

    /// Frame, title, scale and times.
    fn panel(&self, svg: &mut String, panel: &Panel) {
        let (top, bottom) = (panel.top, panel.top + PANEL_HEIGHT);
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.0}\" font-weight=\"bold\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{PANEL_HEIGHT}\" fill=\"none\" stroke=\"#888\"/>",
            top - 8.0,
            panel.title,
            RIGHT - LEFT
        );
        for tick in ticks(panel.highest, 4.0) {
            let y = panel.y(tick);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e4e4e4\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        let seconds = count(self.trace.arrivals().len());
        let (unit, name) = match seconds {
            _ if seconds > 3.0 * 86_400.0 => (86_400.0, "d"),
            _ if seconds > 3.0 * 3600.0 => (3600.0, "h"),
            _ => (60.0, "min"),
        };
        for tick in ticks(seconds / unit, 8.0) {
            let x = LEFT + (RIGHT - LEFT) * tick * unit / seconds;
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{tick} {name}</text>",
                bottom + 16.0
            );
        }
    }

    fn line(&self, svg: &mut String, panel: &Panel, values: &[f64], colour: &str) {
        let step = (RIGHT - LEFT) / count(values.len().max(1));
        svg.push_str("<path fill=\"none\" stroke-width=\"1.3\" stroke=\"");
        svg.push_str(colour);
        svg.push_str("\" d=\"");
        let mut x = LEFT;
        for (place, value) in values.iter().enumerate() {
            let y = panel.y(*value);
            let _ = if place == 0 { write!(svg, "M{x:.1} {y:.1}") } else { write!(svg, "V{y:.1}") };
            x += step;
            let _ = write!(svg, "H{x:.1}");
        }
        svg.push_str("\"/>\n");
    }
}

/// Round numbers up to `highest`, about `wanted` of them.
fn ticks(highest: f64, wanted: f64) -> Vec<f64> {
    let rough = highest / wanted;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(highest);
    let mut all = Vec::new();
    let mut next = step;
    while next <= highest && all.len() < 20 {
        // Sums of steps would show rounding errors.
        all.push((next / step).round() * step);
        next += step;
    }
    all
}

fn mean(values: &[f64], size: usize) -> Vec<f64> {
    values.chunks(size.max(1)).map(|chunk| chunk.iter().sum::<f64>() / count(chunk.len())).collect()
}

fn highest(seconds: &[Second], size: usize, shown: fn(&Second) -> f64) -> Vec<f64> {
    seconds.chunks(size.max(1)).map(|chunk| chunk.iter().map(shown).fold(0.0, f64::max)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "for a picture")]
const fn count(number: usize) -> f64 {
    number as f64
}
