//! A file that lists targets.

use std::path::Path;

use super::super::json;
use crate::job::TargetGroup;
use crate::prometheus_config::read_target_groups;

/// Reads a file's text, JSON or YAML by its name; the error says what is wrong and where.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<TargetGroup>, String> {
    let source = path.display().to_string();
    let is_json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let mut groups = if is_json {
        json::read(text.as_bytes(), &source)?
    } else {
        read_target_groups(&source, text).map_err(|problems| problems.to_string())?
    };
    if groups.iter().map(|group| group.targets.len()).sum::<usize>() > json::TARGETS_MAX {
        return Err(format!("it names more than {} targets", json::TARGETS_MAX));
    }
    for (index, group) in groups.iter_mut().enumerate() {
        group.source = format!("{source}:{index}");
        group.labels.insert("__meta_filepath".to_owned(), source.clone());
    }
    Ok(groups)
}
