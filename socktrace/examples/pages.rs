//! Writes the man pages and the shells' completions into a folder, for packages.
//!
//! ```text
//! cargo run --example pages --features full -- FOLDER
//! ```

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap_complete::Shell;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("name a folder")?;
    let folder = PathBuf::from(folder);
    let (pages, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&pages, &completions] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut command = socktrace::cli::command();
    clap_mangen::generate_to(command.clone(), &pages).context("cannot write the man pages")?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "socktrace", &completions)
            .context("cannot write the completions")?;
    }
    Ok(())
}
