//! CIFAR files: records that are truncated, too long, from the other data set, or noise.

use std::fs;

use super::{Case, Shared, Step};
use crate::torture::models::random_linear;
use crate::torture::onnx::Side;
use crate::torture::random::Random;

/// A label and 32 x 32 pixels of three channels.
const RECORD: usize = 3073;

fn data<'shared>(
    shared: &'shared Shared,
    name: String,
    bytes: impl FnOnce(&mut Random) -> Vec<u8> + Send + 'shared,
) -> Case<'shared> {
    Case::new(name, move |folder, random| {
        let (model, data) = (folder.join("m.onnx"), folder.join("test_batch.bin"));
        fs::write(&model, random_linear([32, 32, 3], 10, Side::Any("n")))?;
        fs::write(&data, bytes(random))?;
        Ok(vec![Step::any(shared.scan(&model, &data, folder))])
    })
}

fn records(random: &mut Random) -> Vec<u8> {
    (0..40).flat_map(|label| [vec![label % 10], random.bytes(RECORD - 1)].concat()).collect()
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let mut cases = Vec::new();
    for index in 0..40 * shared.times {
        cases.push(data(shared, format!("changed {index}"), move |random| {
            let good = records(random);
            match index % 4 {
                0 => random.cut(&good),
                1 => {
                    let more = random.below(4000);
                    [good, random.bytes(more)].concat()
                }
                2 => random.changed(&good, 40, good.len()),
                _ => good[..RECORD * random.below(5)].to_vec(),
            }
        }));
    }
    cases.push(data(shared, "label 255".to_owned(), |_| [vec![255], vec![0; RECORD - 1]].concat()));
    cases.push(data(shared, "of 100 labels".to_owned(), |_| [vec![0, 99], vec![0; RECORD - 1]].concat().repeat(5)));
    cases
}
