//! Words. English is in the code; another language is a file, read by [`Catalogue`].

#[macro_use]
mod catalogue;
mod decoded;
mod josa;
mod labels;
mod message;
pub mod narration;

pub use catalogue::{
    BadCatalogue, Catalogue, Part, count_holes, expression_fault, fill, holes, is_korean, labels, reason, refusal,
    speak, word,
};
pub use decoded::decoded;
pub use josa::josa;
pub use labels::Labels;
pub use message::message;
