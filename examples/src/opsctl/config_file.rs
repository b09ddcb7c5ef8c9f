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

#[cfg(test)]
mod tests {
    use alfred_ops_core::Section;

    use super::*;

    #[derive(Debug)]
    struct Named(String);

    impl FromConfig for Named {
        fn from_config(section: &mut Section<'_>) -> Option<Self> {
            section.required("name").map(Self)
        }
    }

    #[test]
    fn all_three_forms_say_the_same_and_mistakes_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            read_config::<Named>(&path)
        };
        for (name, text) in
            [("a.yaml", "name: api"), ("a.json", "{\"name\": \"api\"}"), ("a.toml", "name = 'api'")]
        {
            assert_eq!(read(name, text).unwrap().0, "api");
        }
        let error = read("b.yaml", "nam: api").unwrap_err().full();
        assert!(error.contains("b.yaml") && error.contains("did you mean \"name\"?"), "{error}");
        assert!(read_config::<Named>(Path::new("/none.yaml")).unwrap_err().full().contains("check the path"));
    }
}
