//! The fold: original text → comparable units, each with its place in the original.
