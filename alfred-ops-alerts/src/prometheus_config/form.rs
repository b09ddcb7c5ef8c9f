//! A map of a file, read field by field.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use alfred_ops_core::Secret;

use super::bytes;
use super::report::Report;
use crate::job::{Credential, duration};
use crate::yaml::{Node, Place, Value};

/// A map of a file. Fields are asked for by name; [`Form::close`] refuses those that nobody asked for.
///
/// A field with nothing in it counts as absent. What cannot be read is reported and counts as absent too, so
/// that one mistake hides no other.
#[derive(Debug)]
pub(crate) struct Form<'a> {
    pub(crate) report: &'a Report<'a>,
    pub(crate) path: String,
    place: Place,
    entries: &'a [(String, Place, Node)],
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Form<'a> {
    /// The map at `node`; nothing, reported, if it is none.
    pub(crate) fn open(report: &'a Report<'a>, node: &'a Node, path: String) -> Option<Self> {
        let entries: &[_] = match &node.value {
            Value::Map(entries) => entries,
            _ if node.is_null() => &[],
            _ => {
                report.refuse(node.place, &path, format!("this is {}", node.kind()), "write a map");
                return None;
            }
        };
        let asked = RefCell::new(Vec::new());
        Some(Self { report, path, place: node.place, entries, asked })
    }

    /// Refuses fields that are unknown or stand twice.
    pub(crate) fn close(self) {
        let asked = self.asked.borrow();
        for (index, (key, place, _)) in self.entries.iter().enumerate() {
            let path = self.path_of(key);
            if !asked.contains(&&**key) {
                let near = asked.iter().filter(|known| similar(key, known)).min();
                let remedy = near.map_or("remove it".to_owned(), |near| format!("did you mean `{near}`?"));
                self.report.refuse(*place, &path, "the field is unknown", &remedy);
            } else if self.entries.iter().take(index).any(|(earlier, ..)| earlier == key) {
                self.report.refuse(*place, &path, "the field stands twice", "remove one of the two");
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The field's node, unless it is absent or nothing.
    pub(crate) fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.node_or_null(key).filter(|node| !node.is_null())
    }

    /// The field's node, which may be YAML's nothing.
    pub(crate) fn node_or_null(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        self.entries.iter().find(|(known, ..)| known == key).map(|(_, _, node)| node)
    }

    /// Whether the field is there with something in it.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.node(key).is_some()
    }

    /// Reports a mistake in a field, at the map's own place if the field is absent.
    pub(crate) fn refuse(&self, key: &str, what: impl Into<String>, remedy: &str) {
        let place = self.entries.iter().find(|(known, ..)| known == key).map(|(_, _, node)| node.place);
        self.report.refuse(place.unwrap_or(self.place), &self.path_of(key), what, remedy);
    }

    /// Reports that of several fields only one may be there.
    pub(crate) fn exclude(&self, keys: &[&'static str]) {
        let present: Vec<&str> = keys.iter().copied().filter(|key| self.has(key)).collect();
        if let [_, second, ..] = &*present {
            let all = present.join("`, `");
            self.refuse(second, format!("`{all}` exclude each other"), "keep one of them");
        }
    }

    /// Reports fields whose meaning we do not have and without which all else works.
    pub(crate) fn ignore(&self, keys: &[&'static str], why: &str) {
        for key in keys {
            if let Some(node) = self.node(key) {
                self.report.warn(node.place, &self.path_of(key), format!("the field is ignored: {why}"), "");
            }
        }
    }

    /// Refuses fields whose meaning we do not have and that cannot be left out silently.
    pub(crate) fn unsupported(&self, keys: &[&'static str], remedy: &str) {
        for key in keys {
            if self.has(key) {
                self.refuse(key, "the field is not supported", remedy);
            }
        }
    }

    fn scalar(&self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        scalar(self.report, node, &self.path_of(key))
    }

    fn read<T>(&self, key: &'static str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.scalar(key)?;
        let value = read(&text);
        if value.is_none() {
            self.refuse(key, format!("{text:?} is not {expected}"), &format!("write {expected}"));
        }
        value
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.scalar(key)
    }

    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", |text| match &*text.to_ascii_lowercase() {
            "true" | "yes" | "on" | "y" => Some(true),
            "false" | "no" | "off" | "n" => Some(false),
            _ => None,
        })
    }

    pub(crate) fn number(&self, key: &'static str) -> Option<u64> {
        self.read(key, "a whole number", |text| text.parse().ok())
    }

    /// A limit, for which zero means none.
    pub(crate) fn limit(&self, key: &'static str) -> Option<u64> {
        self.number(key).filter(|limit| *limit > 0)
    }

    pub(crate) fn duration(&self, key: &'static str) -> Option<Duration> {
        self.read(key, "a duration such as 15s, 5m or 1h30m", duration::parse)
    }

    pub(crate) fn bytes(&self, key: &'static str) -> Option<u64> {
        self.read(key, "a size such as 512KB or 10MB", bytes::parse).filter(|limit| *limit > 0)
    }

    /// One of several words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let expected = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.read(key, &format!("one of {expected}"), |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
        })
    }

    pub(crate) fn file(&self, key: &'static str) -> Option<PathBuf> {
        self.scalar(key).map(|path| self.report.resolved(&path))
    }

    /// A secret in `key`, or the file in `file_key` where it lies; not both.
    pub(crate) fn credential(&self, key: &'static str, file_key: &'static str) -> Option<Credential> {
        self.exclude(&[key, file_key]);
        let inline = self.scalar(key).map(|text| Credential::Inline(Secret::new(text)));
        inline.or_else(|| self.file(file_key).map(Credential::File))
    }

    /// A list of texts, with their places; one that is no list is reported.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<(String, Place)> {
        let items = self.items(key).into_iter();
        items.filter_map(|(path, node)| Some((scalar(self.report, node, &path)?, node.place))).collect()
    }

    /// A map of texts.
    pub(crate) fn text_map(&self, key: &'static str) -> BTreeMap<String, String> {
        let entries = self.open_entries(key).into_iter();
        entries.filter_map(|(name, path, node)| Some((name, scalar(self.report, node, &path)?))).collect()
    }

    /// The keys of a map with the paths and nodes of their values; one that is no map is reported.
    pub(crate) fn open_entries(&self, key: &'static str) -> Vec<(String, String, &'a Node)> {
        let Some(form) = self.form(key) else { return Vec::new() };
        form.entries.iter().map(|(name, _, node)| (name.clone(), form.path_of(name), node)).collect()
    }

    /// The items of a list with their paths; one that is no list is reported.
    pub(crate) fn items(&self, key: &'static str) -> Vec<(String, &'a Node)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let path = self.path_of(key);
        let Value::List(items) = &node.value else {
            self.refuse(key, format!("this is {}", node.kind()), "write a list");
            return Vec::new();
        };
        items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
    }

    pub(crate) fn form(&self, key: &'static str) -> Option<Self> {
        Form::open(self.report, self.node(key)?, self.path_of(key))
    }

    pub(crate) fn forms(&self, key: &'static str) -> Vec<Self> {
        self.items(key).into_iter().filter_map(|(path, node)| Form::open(self.report, node, path)).collect()
    }
}

/// The text of a single value.
pub(crate) fn scalar(report: &Report<'_>, node: &Node, path: &str) -> Option<String> {
    let Value::Scalar { text, .. } = &node.value else {
        report.refuse(node.place, path, format!("this is {}", node.kind()), "write a single value");
        return None;
    };
    if node.is_null() {
        return Some(String::new());
    }
    // `${1}` and `${name}` mean groups there.
    if path.contains("relabel_configs[") {
        return Some(text.clone());
    }
    report
        .expanded(text)
        .map_err(|name| {
            let remedy = format!("set {name} or write the value here");
            report.refuse(node.place, path, format!("the variable {name} is not set"), &remedy);
        })
        .ok()
}

/// Whether a name is probably a slip of another: one letter more, less or other, or two that changed places.
fn similar(name: &str, known: &str) -> bool {
    let (name, known): (Vec<char>, Vec<char>) = (name.chars().collect(), known.chars().collect());
    let begin = name.iter().zip(&known).take_while(|(one, other)| one == other).count();
    let (name, known) = (&name[begin..], &known[begin..]);
    let end = name.iter().rev().zip(known.iter().rev()).take_while(|(one, other)| one == other).count();
    let (name, known) = (&name[..name.len() - end], &known[..known.len() - end]);
    match (name, known) {
        ([a, b], [c, d]) => a == d && b == c,
        (name, known) => name.len() <= 1 && known.len() <= 1,
    }
}
