//! `schema`: what lines look like.

use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;

use super::Failure;
use crate::cli::{Exit, SchemaSettings};
use crate::schema::{Format, JSON_SCHEMA, examples};

/// Prints a schema or examples.
pub(super) fn execute(settings: SchemaSettings) -> Result<Exit, Failure> {
    let lines = match settings.format {
        Format::Json if !settings.examples => JSON_SCHEMA.as_bytes().to_vec(),
        format => examples(format),
    };
    match io::stdout().write_all(&lines) {
        // A reader that has seen enough is no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Fine),
        written => {
            written.context("cannot write to standard output")?;
            Ok(Exit::Fine)
        }
    }
}
