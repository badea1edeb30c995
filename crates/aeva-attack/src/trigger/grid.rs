//! Triggers as grids of cells, so that a search is as hard on large images as on small ones.
//!
//! What a trigger does hardly depends on single pixels of a large image, and a climb that changes one pixel of 50 176
//! gets nowhere. So a trigger has few cells, and each of them has one colour. On images up to 32 pixels wide, a cell is a
//! pixel.

use super::stream::RandomStream;

/// Most cells along the side of a patch: as many as the largest square has pixels on an image 32 pixels wide.
const PATCH_CELLS: usize = 10;
/// Most cells of a pattern along each side of the image.
const PATTERN_CELLS: usize = 32;

/// Cells along the side of a patch of so many pixels.
pub(super) fn of_patch(side: usize) -> usize {
    side.min(PATCH_CELLS)
}

/// Shape `[rows, columns, c]` of a pattern over images `[h, w, c]`.
pub(super) fn of_pattern([height, width, channels]: [usize; 3]) -> [usize; 3] {
    [height.min(PATTERN_CELLS), width.min(PATTERN_CELLS), channels]
}

/// Blocks of cells along the side of a patch of so many pixels, which change together: from one to all, few as often as
/// many. On a small patch, every cell is a block, and nothing is drawn.
pub(super) fn of_blocks(side: usize, stream: &mut RandomStream) -> usize {
    const BLOCKS: [usize; 6] = [1, 2, 3, 4, 6, PATCH_CELLS];
    if side <= PATCH_CELLS { side } else { BLOCKS[stream.below(BLOCKS.len())] }
}

/// The cell of `cells` that a pixel of `pixels` lies in.
pub(super) fn cell(pixel: usize, pixels: usize, cells: usize) -> usize {
    pixel * cells / pixels.max(1)
}

/// The pixel of `pixels` in the middle of a cell of `cells`.
pub(super) fn middle(cell: usize, pixels: usize, cells: usize) -> usize {
    let first = |cell: usize| (cell * pixels).div_ceil(cells.max(1));
    usize::midpoint(first(cell), first(cell + 1))
}

/// The values of cells `[rows, columns, c]` that are looked up pixel by pixel: `value(row, column)` is the pixel in the
/// middle of a cell, out of `height` by `width` pixels.
pub(super) fn sampled<'a>(
    [rows, columns]: [usize; 2],
    [height, width]: [usize; 2],
    value: impl Fn(usize, usize) -> &'a [f32],
) -> Vec<f32> {
    let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    cells.flat_map(|(row, column)| value(middle(row, height, rows), middle(column, width, columns)).to_vec()).collect()
}

/// The place of the values of every pixel of `[h, w, c]` in the values of its cells `[rows, columns, c]`.
pub(super) fn places(
    [height, width, channels]: [usize; 3],
    [rows, columns, _]: [usize; 3],
) -> impl Iterator<Item = usize> {
    (0..height).flat_map(move |row| {
        let line = cell(row, height, rows) * columns;
        (0..width).flat_map(move |column| {
            let start = (line + cell(column, width, columns)) * channels;
            start..start + channels
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn on_small_images_a_cell_is_a_pixel() {
        assert_eq!((of_patch(10), of_pattern([32, 28, 3])), (10, [32, 28, 3]));
        assert!((0..32).all(|pixel| cell(pixel, 32, 32) == pixel && middle(pixel, 32, 32) == pixel));
        assert!(places([3, 4, 2], [3, 4, 2]).eq(0..24));
    }

    #[test]
    fn blocks_are_drawn_for_large_patches_alone() {
        let mut stream = RandomStream::new(1, 2, 3);
        assert!((1..=PATCH_CELLS).all(|side| of_blocks(side, &mut stream) == side));
        assert_eq!(stream.below(1000), RandomStream::new(1, 2, 3).below(1000), "nothing was drawn");
        let drawn: std::collections::BTreeSet<usize> = (0..200).map(|_| of_blocks(56, &mut stream)).collect();
        assert!(drawn.iter().eq(&[1, 2, 3, 4, 6, 10]));
    }

    #[test]
    fn on_large_images_cells_are_few() {
        assert_eq!((of_patch(56), of_pattern([224, 320, 3])), (10, [32, 32, 3]));
        let row: Vec<usize> = places([1, 7, 1], [1, 3, 1]).collect();
        assert_eq!(row, [0, 0, 0, 1, 1, 2, 2]);
    }

    proptest! {
        #[test]
        fn the_middle_of_a_cell_lies_in_it(pixels in 1_usize..400, cells in 1_usize..400) {
            let cells = cells.min(pixels);
            for at in 0..cells {
                prop_assert_eq!(cell(middle(at, pixels, cells), pixels, cells), at);
            }
        }
    }
}
