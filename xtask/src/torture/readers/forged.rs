//! Forged payloads of artifacts: valid in form, but untrue.

/// The numbers as fields of four bytes each.
fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn long(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

const TOP: u32 = u32::MAX;

/// The content of a finding, changed from a valid one.
#[derive(Clone)]
struct Finding {
    /// 0 and a label, 1 and a pair of them, or 2.
    aim: Vec<u32>,
    side: u32,
    values: Vec<f32>,
    /// The amplitude of an overlay in place of the patch.
    amplitude: Option<f32>,
    /// A shape with a number too many.
    shape: Option<u32>,
    /// Cells of source, target, hits and trials.
    cells: Vec<[u32; 4]>,
}

impl Finding {
    fn of_label(label: u32) -> Self {
        Self {
            aim: vec![0, label],
            side: 1,
            values: vec![0.5],
            amplitude: None,
            shape: None,
            cells: vec![[1, 0, 3, 4]],
        }
    }

    fn aimed(aim: &[u32], cells: &[[u32; 4]]) -> Self {
        Self { aim: aim.to_vec(), cells: cells.to_vec(), ..Self::of_label(0) }
    }

    /// A finding in which label 3 stands out.
    fn standing_out(label: u32) -> Self {
        let turned = if label == 3 { 90 } else { 1 };
        Self { cells: vec![[(label + 1) % 10, label, turned, 90]], ..Self::of_label(label) }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = words(&self.aim);
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        // The shape, then its numbers, reals and values.
        let lists = |shape: u32, numbers: &[u32], reals: &[f32], values: &[f32]| {
            let mut bytes = words(&[shape]);
            bytes.extend([long(numbers.len() as u64), words(numbers)].concat());
            for list in [reals, values] {
                bytes.extend([long(list.len() as u64), floats(list)].concat());
            }
            bytes
        };
        bytes.extend(match (self.shape, self.amplitude) {
            (Some(shape), _) => lists(shape, &[0, 0, self.side, 7], &[], &self.values),
            (None, Some(amplitude)) => lists(1, &[], &[amplitude], &[1.0; 256]),
            (None, None) => lists(0, &[0, 0, self.side], &[], &self.values),
        });
        bytes.push(1);
        bytes.extend(words(&[1, 2]));
        bytes.extend(long(self.cells.len() as u64));
        bytes.extend(self.cells.iter().flat_map(|cell| words(cell)));
        bytes
    }
}

/// A payload of findings: patches of one strength on images of one shape.
fn payload(strength: &[u8], shape: [u32; 3], findings: &[Finding], confusion: &[[u32; 4]]) -> Vec<u8> {
    let mut bytes = words(&[0]);
    bytes.extend(strength);
    bytes.extend(words(&shape));
    bytes.extend(long(100));
    bytes.extend(long(findings.len() as u64));
    bytes.extend(findings.iter().flat_map(Finding::bytes));
    bytes.extend(long(confusion.len() as u64));
    bytes.extend(confusion.iter().flat_map(|cell| words(cell)));
    bytes
}

/// Payloads of triggers, by name.
pub(crate) fn forged_triggers(strength: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    const SHAPE: [u32; 3] = [16, 16, 1];
    let each = |make: &dyn Fn(u32) -> Finding| (0..10).map(make).collect::<Vec<_>>();
    let plain = || each(&Finding::of_label);
    let outstanding = || each(&Finding::standing_out);
    let more = |mut findings: Vec<Finding>, others: Vec<Finding>| {
        findings.extend(others);
        findings
    };
    let all_cells = |turned| (0..10).map(|from| [from, (from + 1) % 10, turned, turned]).collect::<Vec<_>>();
    let pair = |source, target, turned| Finding::aimed(&[1, source, target], &[[source, target, turned, 60]]);
    let square: Vec<[u32; 4]> = (0..10).flat_map(|from| (0..10).map(move |to| [from, to, TOP, TOP])).collect();
    let many = (0..10).flat_map(|label| (0..10_000).map(move |to| (label, to)));
    let many = many.map(|(label, to)| Finding::aimed(&[1, label, to], &[[label, to, 1, 20]])).collect();
    let no_patch = |finding: Finding| Finding { side: 0, values: Vec::new(), ..finding };
    let lists: Vec<(&'static str, Vec<Finding>)> = vec![
        ("no findings", Vec::new()),
        ("sides of 0", plain().into_iter().map(no_patch).collect()),
        ("sides of 0 that stand out", outstanding().into_iter().map(no_patch).collect()),
        ("sides of 16", each(&|label| Finding { side: 16, values: vec![0.5; 256], ..Finding::of_label(label) })),
        ("labels out of range", each(&|label| Finding::of_label(label + 1000))),
        ("labels all the same", each(&|_| Finding::of_label(0))),
        ("pairs out of range", more(plain(), vec![pair(TOP, TOP, 20), pair(77, 99, 60), pair(78, 98, 0)])),
        ("pairs to themselves", more(plain(), (0..10).map(|label| pair(label, label, 60)).collect())),
        ("many maps", more(plain(), vec![Finding::aimed(&[2], &all_cells(60)); 10])),
        (
            "sums beyond u32",
            each(&|label| Finding {
                cells: (0..10).map(|from| [from, label, TOP, TOP]).collect(),
                ..Finding::of_label(label)
            }),
        ),
        ("sums beyond u32 of pairs", more(plain(), vec![Finding::aimed(&[1, 1, 2], &[[1, 2, TOP, TOP]; 3]); 3])),
        (
            "more hits than trials",
            each(&|label| Finding { cells: vec![[(label + 1) % 10, label, 90, 9]], ..Finding::of_label(label) }),
        ),
        ("no hold-out images", each(&|label| Finding { cells: Vec::new(), ..Finding::of_label(label) })),
        ("held out 0 of 0", each(&|label| Finding { cells: vec![[1, label, 0, 0]], ..Finding::of_label(label) })),
        ("values of 1e30", each(&|label| Finding { values: vec![1e30], ..Finding::standing_out(label) })),
        ("values that are none", each(&|label| Finding { values: vec![f32::NAN], ..Finding::standing_out(label) })),
        ("overlays among patches", each(&|label| Finding { amplitude: Some(0.5), ..Finding::standing_out(label) })),
        (
            "overlays of no amplitude",
            each(&|label| Finding { amplitude: Some(f32::NAN), ..Finding::standing_out(label) }),
        ),
        (
            "overlays without end",
            each(&|label| Finding { amplitude: Some(f32::INFINITY), ..Finding::standing_out(label) }),
        ),
        ("numbers too many", each(&|label| Finding { shape: Some(0), ..Finding::standing_out(label) })),
        ("numbers of an overlay", each(&|label| Finding { shape: Some(1), ..Finding::standing_out(label) })),
        ("a shape of no name", each(&|label| Finding { shape: Some(TOP), ..Finding::standing_out(label) })),
        ("100000 pairs", more(plain(), many)),
    ];
    let mut payloads: Vec<(&'static str, Vec<u8>)> =
        lists.into_iter().map(|(name, findings)| (name, payload(strength, SHAPE, &findings, &[]))).collect();
    payloads.push(("confusion beyond u32", payload(strength, SHAPE, &plain(), &square)));
    payloads.push(("confusion out of range", payload(strength, SHAPE, &plain(), &[[TOP, TOP, 1, 1]])));
    for (name, shape) in [
        ("no channels", [16, 16, 0]),
        ("a huge image", [60000, 60000, 1]),
        ("the largest image", [TOP, TOP, 1]),
        ("an image of another size", [8, 8, 1]),
    ] {
        payloads.push((name, payload(strength, shape, &outstanding(), &[])));
    }
    payloads
}

/// Payloads of pairs, by name.
pub(crate) fn forged_pairs() -> Vec<(&'static str, Vec<u8>)> {
    let head = |shape: [u32; 3], samples: u64| [words(&[0, 1]), words(&shape), long(samples)].concat();
    let sample = |origin: u64, outcome: u32, distance: f64, queries: u64| {
        let mut bytes = words(&[0]);
        bytes.extend([long(origin), long(origin.wrapping_add(1)), words(&[outcome, 3])].concat());
        bytes.extend(distance.to_le_bytes());
        bytes.extend(long(queries).repeat(4));
        bytes
    };
    let usual = || sample(1, 0, 0.5, 3);
    let values = |count: u64, value: f32| {
        let stored = usize::try_from(count.min(256)).unwrap_or(0);
        [vec![1], long(count), value.to_le_bytes().repeat(stored)].concat()
    };
    let whole = [16, 16, 1];
    vec![
        ("no channels", [head([16, 16, 0], 1), usual(), values(0, 0.0)].concat()),
        ("an image of nothing", [head([0, 0, 0], 1), usual(), values(0, 0.0)].concat()),
        ("another size", [head([2, 2, 1], 1), usual(), values(4, 1.0)].concat()),
        ("huge", [head([TOP, TOP, 1], 1), usual(), vec![1], long(1 << 63)].concat()),
        ("2^40 samples", head(whole, 1 << 40)),
        ("no samples", head(whole, 0)),
        (
            "queries beyond u64",
            [head(whole, 2), sample(1, 1, 0.5, u64::MAX), vec![0], sample(1, 1, 0.5, u64::MAX), vec![0]].concat(),
        ),
        ("no distance", [head(whole, 1), sample(1, 0, f64::NAN, 3), values(256, 1e38)].concat()),
        ("values that are none", [head(whole, 1), usual(), values(256, f32::NAN)].concat()),
        ("an origin far away", [head(whole, 1), sample(u64::MAX, 0, 0.5, 3), values(256, 0.0)].concat()),
        ("an outcome of no name", [head(whole, 1), sample(1, 9, 0.5, 3), vec![0]].concat()),
        ("finished without values", [head(whole, 1), usual(), vec![0]].concat()),
    ]
}
