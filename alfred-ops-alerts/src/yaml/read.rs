//! Reads YAML.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{Node, Place, Value};

/// How many nodes a document may have, aliases counted as often as they are used: a few lines of nested
/// aliases would otherwise fill the memory.
const NODES_MAX: usize = 500_000;
/// How deep it may be. Prometheus' own files reach eight.
const DEPTH_MAX: usize = 64;

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YamlFault {
    pub(crate) place: Place,
    pub(crate) what: String,
}

/// Reads the one document of `text`; nothing if it is empty. Maps keep repeated keys: who reads them says
/// which is wrong.
pub(crate) fn read(text: &str) -> Result<Option<Node>, YamlFault> {
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut document = None;
    while let Some(event) = reader.events.next() {
        let (event, span) = event.map_err(|error| scan_fault(&error))?;
        match event {
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Comment(..) => {}
            _ if document.is_some() => {
                return Err(fault(span, "a second document begins here, and only one is read"));
            }
            event => document = Some(reader.node(event, span, 0)?),
        }
    }
    Ok(document)
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlFault> {
        loop {
            match self.events.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => return Err(scan_fault(&error)),
                None => {
                    return Err(YamlFault {
                        place: Place::default(),
                        what: "the document breaks off".to_owned(),
                    });
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlFault> {
        if depth > DEPTH_MAX {
            return Err(fault(span, "the document is nested too deeply"));
        }
        self.count(1, span)?;
        let place = place_of(span);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                (Value::Scalar { text: text.into_owned(), plain }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(fault(span, "the alias stands within what it names"));
                };
                self.count(node.size(), span)?;
                return Ok(node);
            }
            _ => return Err(fault(span, "a value is missing here")),
        };
        let node = Node { place, value };
        if anchor != 0 {
            self.count(node.size(), span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, YamlFault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, YamlFault> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                merge(&mut entries, merged);
                return Ok(Value::Map(entries));
            }
            let Value::Scalar { text: key, plain } = self.node(event, span, depth + 1)?.value else {
                return Err(fault(span, "a key must be a single value"));
            };
            let (event, value_span) = self.next()?;
            let node = self.node(event, value_span, depth + 1)?;
            if plain && key == "<<" {
                merged.extend(
                    merge_sources(node)
                        .ok_or_else(|| fault(value_span, "`<<` takes a map or a list of maps"))?,
                );
            } else {
                entries.push((key, place_of(span), node));
            }
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlFault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX { Err(fault(span, "the document has too many nodes")) } else { Ok(()) }
    }
}

type Entries = Vec<(String, Place, Node)>;

fn merge_sources(node: Node) -> Option<Entries> {
    match node.value {
        Value::Map(entries) => Some(entries),
        Value::List(items) => {
            let maps = items.into_iter().map(|item| match item.value {
                Value::Map(entries) => Some(entries),
                _ => None,
            });
            Some(maps.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        Value::Scalar { .. } => None,
    }
}

/// Adds what `<<` brings and the map has not itself; of several sources the first counts.
fn merge(entries: &mut Entries, merged: Entries) {
    for entry in merged {
        if !entries.iter().any(|(key, ..)| *key == entry.0) {
            entries.push(entry);
        }
    }
}

fn place_of(span: Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn fault(span: Span, what: &str) -> YamlFault {
    YamlFault { place: place_of(span), what: what.to_owned() }
}

fn scan_fault(error: &ScanError) -> YamlFault {
    let marker = error.marker();
    YamlFault { place: Place { line: marker.line(), column: marker.col() + 1 }, what: error.info() }
}
