//! Configuration of a command in a file.

use std::path::Path;

use alfred_ops_core::{ConfigTree, FromConfig, Result};

use super::text_file::read;

/// How large a configuration may be.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// What a file of YAML, JSON or, by its name, TOML says. All its mistakes are reported at once.
pub(super) fn read_config<T: FromConfig>(path: &Path) -> Result<T> {
    let text = read(path, "read configuration", CONFIG_BYTES_MAX)?;
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let tree = if is_toml { ConfigTree::from_toml(&text) } else { ConfigTree::from_yaml(&text) };
    tree.and_then(ConfigTree::read).map_err(|error| error.with_target(path.display().to_string()))
}
