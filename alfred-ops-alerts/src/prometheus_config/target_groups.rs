//! Reads a file that lists targets in YAML.

use super::form::Form;
use super::read_discovery::read_static;
use super::report::Report;
use super::{FileProblems, ReadOptions};
use crate::job::TargetGroup;
use crate::yaml::{Value, read};

/// Reads a list of groups; an empty file has none.
pub(crate) fn read_target_groups(file_name: &str, text: &str) -> Result<Vec<TargetGroup>, FileProblems> {
    let options = ReadOptions::new(file_name);
    let report = Report::new(&options);
    let mut groups = Vec::new();
    match read(text) {
        Ok(None) => {}
        Ok(Some(node)) if node.is_null() => {}
        Ok(Some(node)) => match &node.value {
            Value::List(items) => {
                let forms = items.iter().enumerate();
                let forms = forms.filter_map(|(index, item)| {
                    let form = Form::open(&report, item, format!("[{index}]"))?;
                    Some(read_static(index, form))
                });
                groups.extend(forms);
            }
            _ => report.refuse(node.place, "", format!("this is {}", node.kind()), "write a list of groups"),
        },
        Err(fault) => {
            report.refuse(fault.place, "", format!("this is not YAML: {}", fault.what), "correct it");
        }
    }
    report.finish()?;
    Ok(groups)
}
