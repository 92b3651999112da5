//! Compresses the files of the page, so that the program and what browsers load of it are smaller.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::{Compression, GzBuilder};

const ASSETS: &str = "assets/ui";

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "cargo::rerun-if-changed={ASSETS}")?;
    let directory = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?).join("ui");
    fs::create_dir_all(&directory)?;
    for entry in fs::read_dir(Path::new(ASSETS))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // Without a time and a name, so that the same files always give the same bytes.
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(&path)?)?;
        fs::write(directory.join(format!("{name}.gz")), encoder.finish()?)?;
    }
    Ok(())
}
