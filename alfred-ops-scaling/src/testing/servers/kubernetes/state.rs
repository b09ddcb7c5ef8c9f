//! What the server remembers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alfred_ops_core::{SharedClock, SystemClock};
use chrono::SecondsFormat;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::deployment::Progress;
use super::kind::Kind;
use super::scale::replicas;
use crate::testing::servers::Fault;

/// Watches may start so far back.
const EVENTS_MAX: usize = 10_000;

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: &'static Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What became of an object.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) revision: u64,
    pub(super) what: &'static str,
    pub(super) key: Key,
    pub(super) object: Value,
}

#[derive(Debug)]
pub(super) struct State {
    objects: BTreeMap<Key, Value>,
    pub(super) revision: u64,
    pub(super) events: VecDeque<Event>,
    /// Tells watches of each revision.
    pub(super) news: watch::Sender<u64>,
    pub(super) faults: VecDeque<Fault>,
    /// Verbs and resources that nobody may.
    pub(super) denied: BTreeSet<(String, String)>,
    pub(super) token: Option<String>,
    /// Whether pods follow each change at once.
    pub(super) controlled: bool,
    /// No object is given more replicas, whoever asks.
    pub(super) replicas_max: Option<u32>,
    /// Each number of replicas that an object was given by a request.
    pub(super) history: BTreeMap<Key, Vec<u32>>,
    /// Requests for objects.
    pub(super) requests: u64,
    /// Changes made by requests.
    pub(super) writes: u64,
    pods_made: u64,
    /// Images whose pods never become ready.
    pub(super) broken: BTreeSet<String>,
    /// Whether pods become ready only with the controllers' next step after that which made them.
    pub(super) slow: bool,
    /// How far the last change of a Deployment's template has come, by its uid.
    pub(super) progress: BTreeMap<String, Progress>,
    pub(super) clock: SharedClock,
}

impl Default for State {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            revision: 1,
            events: VecDeque::new(),
            news: watch::Sender::new(1),
            faults: VecDeque::new(),
            denied: BTreeSet::new(),
            token: None,
            controlled: false,
            replicas_max: None,
            history: BTreeMap::new(),
            requests: 0,
            writes: 0,
            pods_made: 0,
            broken: BTreeSet::new(),
            slow: false,
            progress: BTreeMap::new(),
            clock: SystemClock::shared(),
        }
    }
}

impl State {
    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    pub(super) fn keys(&self, kind: &Kind) -> Vec<Key> {
        self.objects.keys().filter(|key| key.kind == kind).cloned().collect()
    }

    /// Objects of a kind, of one namespace or all, in the order of their names.
    pub(super) fn list<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Value> {
        let of_kind = self.objects.iter().filter(move |(key, _)| key.kind == kind);
        of_kind
            .filter(move |(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace))
            .map(|(_, object)| object)
    }

    /// Stores an object, new or changed, as a new revision, and returns what is stored. What is the same already stays.
    pub(super) fn put(&mut self, key: &Key, mut object: Value) -> Value {
        let before = self.objects.get(key);
        let revision = self.revision + 1;
        match before {
            Some(before) => {
                for kept in ["uid", "creationTimestamp", "generation", "resourceVersion"] {
                    object["metadata"][kept] = before["metadata"][kept].clone();
                }
                if object == *before {
                    return object;
                }
                if object["spec"] != before["spec"] {
                    let generation = before["metadata"]["generation"].as_u64().unwrap_or(1);
                    object["metadata"]["generation"] = json!(generation + 1);
                }
            }
            None => {
                let now = self.clock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
                object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{revision:012}"));
                object["metadata"]["creationTimestamp"] = json!(now);
                object["metadata"]["generation"] = json!(1);
            }
        }
        object["kind"] = json!(key.kind.name);
        object["apiVersion"] = json!(key.kind.api_version());
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        object["metadata"]["name"] = json!(key.name);
        object["metadata"]["namespace"] = json!(key.namespace);
        let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
        self.objects.insert(key.clone(), object.clone());
        self.tell(what, key, object.clone());
        object
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        let mut object = self.objects.remove(key)?;
        object["metadata"]["resourceVersion"] = json!((self.revision + 1).to_string());
        self.tell("DELETED", key, object.clone());
        Some(object)
    }

    /// Removes a pod with what is measured of it.
    pub(super) fn remove_pod(&mut self, key: &Key) {
        self.remove(key);
        if let Some(kind) = Kind::named("PodMetrics") {
            self.remove(&Key { kind, ..key.clone() });
        }
    }

    fn tell(&mut self, what: &'static str, key: &Key, object: Value) {
        self.revision += 1;
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(Event { revision: self.revision, what, key: key.clone(), object });
        self.news.send_replace(self.revision);
    }

    /// Stores what a request asks for, and remembers how many replicas it asked for.
    pub(super) fn put_asked(&mut self, key: &Key, object: Value) -> Value {
        let before = self.objects.get(key).map(replicas);
        let after = replicas(&object);
        self.writes += 1;
        let stored = self.put(key, object);
        if key.kind.scales && before.is_some_and(|before| before != after) {
            self.history.entry(key.clone()).or_default().push(after);
        }
        stored
    }

    /// The number of the next pod.
    pub(super) fn next_pod(&mut self) -> u64 {
        self.pods_made += 1;
        self.pods_made
    }
}
