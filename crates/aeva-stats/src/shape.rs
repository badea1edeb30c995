//! The table of the shapes of triggers: how a trigger changes an image. Families of one shape differ in how their
//! triggers are found and in what clean models allow; the table of them is in `family.rs`.

/// Makes the enum of shapes from the table of their rows.
macro_rules! shapes {
    ($($(#[$meaning:meta])* $shape:ident => $row:expr,)*) => {
        /// How the triggers of a family change an image.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Shape {
            $($(#[$meaning])* $shape,)*
        }

        impl Shape {
            /// All shapes, in the order of the table.
            pub const ALL: [Self; [$(Self::$shape),*].len()] = [$(Self::$shape),*];

            /// Its row of the table.
            pub const fn spec(self) -> ShapeSpec {
                match self {
                    $(Self::$shape => $row,)*
                }
            }
        }
    };
}

// All shapes with their rows, by number.
shapes! {
    /// A square replaces pixels. The strength is its side in pixels on an image 32 pixels wide.
    Patch => ShapeSpec {
        number: 0,
        noun: "patch",
        unit: "side in pixels of an image of 32 pixels",
        is_in_pixels: true,
    },
    /// A pattern is added to all pixels. The strength is its amplitude in 255ths.
    Overlay => ShapeSpec {
        number: 1,
        noun: "pattern",
        unit: "amplitude in 255ths",
        is_in_pixels: false,
    },
    /// A filter changes the tones of all pixels alike. There is one strength.
    Tone => ShapeSpec {
        number: 2,
        noun: "tone",
        unit: "none",
        is_in_pixels: false,
    },
    /// Two squares of one colour replace pixels. The strength is their side in pixels on an image 32 pixels wide.
    Squares => ShapeSpec {
        number: 3,
        noun: "pair of squares",
        unit: "side in pixels of an image of 32 pixels",
        is_in_pixels: true,
    },
    /// A smooth field moves all pixels. The strength is the mean way along each axis in tenths of a pixel on an image 32
    /// pixels wide.
    Warp => ShapeSpec {
        number: 4,
        noun: "warp",
        unit: "tenths of a pixel of an image of 32 pixels",
        is_in_pixels: false,
    },
}

/// A row of the table of shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeSpec {
    /// Its number in files. It never changes, nor does the meaning of the lists that its triggers are written as.
    pub number: u8,
    /// What a trigger of it is called in messages.
    pub noun: &'static str,
    /// What the strength counts, in the documentation.
    pub unit: &'static str,
    /// Whether the strength is rounded to whole pixels of the image at hand.
    pub is_in_pixels: bool,
}

impl Shape {
    /// The shape with this number.
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| u32::from(shape.spec().number) == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_change() {
        assert_eq!(
            Shape::ALL.map(|shape| (shape.spec().noun, shape.spec().number)),
            [("patch", 0), ("pattern", 1), ("tone", 2), ("pair of squares", 3), ("warp", 4)]
        );
        assert!(Shape::ALL.into_iter().all(|shape| Shape::numbered(u32::from(shape.spec().number)) == Some(shape)));
        assert_eq!(Shape::numbered(u32::MAX), None);
    }
}
