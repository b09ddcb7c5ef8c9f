//! Reads rule files.

use std::collections::BTreeMap;

use super::RuleFile;
use super::block::place_within;
use crate::prometheus_config::{FileProblems, Form, ReadOptions, Report, scalar};
use crate::promql::ast::ValueType;
use crate::promql::{Position, Query};
use crate::rule::{GroupRule, RecordingRule, Rule, RuleGroup, Template};
use crate::yaml::{self, Node, Place};

/// Reads the text of a rule file.
pub(super) fn read(text: &str, options: &ReadOptions) -> Result<RuleFile, FileProblems> {
    let report = Report::new(options);
    let mut groups = Vec::new();
    match yaml::read(text) {
        Err(fault) => report.refuse(fault.place, "", fault.what, "correct the YAML"),
        Ok(None) => {}
        Ok(Some(node)) => {
            let reader = Reader { text, report: &report, file: &options.file_name };
            groups = reader.groups(&node);
        }
    }
    let warnings = report.finish()?;
    Ok(RuleFile { groups, warnings })
}

struct Reader<'a> {
    text: &'a str,
    report: &'a Report<'a>,
    file: &'a str,
}

impl<'a> Reader<'a> {
    fn groups(&self, node: &'a Node) -> Vec<RuleGroup> {
        let Some(root) = Form::open(self.report, node, String::new()) else { return Vec::new() };
        let mut groups: Vec<RuleGroup> = Vec::new();
        for form in root.forms("groups") {
            let group = self.group(&form);
            if !group.name.is_empty() && groups.iter().any(|known| known.name == group.name) {
                form.refuse(
                    "name",
                    format!("two groups are named {:?}", group.name),
                    "give each a name of its own",
                );
            }
            form.close();
            groups.push(group);
        }
        root.close();
        groups
    }

    fn group(&self, form: &Form<'a>) -> RuleGroup {
        let mut group = RuleGroup::new(form.text("name").unwrap_or_default());
        self.file.clone_into(&mut group.file);
        if group.name.is_empty() {
            form.refuse("name", "the group has no name", "give it one");
        }
        group.interval = form.duration("interval").filter(|interval| !interval.is_zero());
        group.query_offset = form.duration("query_offset").unwrap_or_default();
        group.limit = form.number("limit").map_or(0, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        group.labels = self.templates(form, "labels");
        form.ignore(&["partial_response_strategy"], "it is Thanos' own");
        for rule in form.forms("rules") {
            if let Some(read) = self.rule(&rule) {
                self.warn_of_twin(&rule, &group, &read);
                group.rules.push(read);
            }
            rule.close();
        }
        group
    }

    fn warn_of_twin(&self, form: &Form<'_>, group: &RuleGroup, rule: &GroupRule) {
        let same = |known: &GroupRule| {
            std::mem::discriminant(known) == std::mem::discriminant(rule)
                && known.name() == rule.name()
                && known.labels() == rule.labels()
        };
        if group.rules.iter().any(same) {
            let key = if matches!(rule, GroupRule::Alert(_)) { "alert" } else { "record" };
            let place = form.node(key).map_or(Place::default(), |node| node.place);
            self.report.warn(
                place,
                &format!("{}.{key}", form.path),
                format!("another rule of the group is {:?} with the same labels", rule.name()),
                "tell them apart by a label",
            );
        }
    }

    fn rule(&self, form: &Form<'a>) -> Option<GroupRule> {
        let (alert, record) = (form.text("alert"), form.text("record"));
        let expr = self.expression(form);
        let labels = self.templates(form, "labels");
        let for_duration = form.duration("for");
        let keep_firing_for = form.duration("keep_firing_for");
        let annotations = self.templates(form, "annotations");
        match (alert, record) {
            (Some(name), None) => {
                if name.is_empty() {
                    form.refuse("alert", "the alert has no name", "give it one");
                }
                let mut rule = Rule::new(name, expr?);
                rule.for_duration = for_duration.unwrap_or_default();
                rule.keep_firing_for = keep_firing_for.unwrap_or_default();
                (rule.labels, rule.annotations) = (labels, annotations);
                Some(rule.into())
            }
            (None, Some(name)) => {
                for key in ["for", "keep_firing_for", "annotations"] {
                    if form.has(key) {
                        form.refuse(
                            key,
                            "a recording rule cannot have this",
                            "remove it, or make it an alert",
                        );
                    }
                }
                if name.is_empty() || name.contains(['{', '}']) {
                    form.refuse(
                        "record",
                        format!("{name:?} is not a metric's name"),
                        "write a name without labels",
                    );
                }
                let mut rule = RecordingRule::new(name, expr?);
                rule.labels = labels;
                Some(rule.into())
            }
            (Some(_), Some(_)) => {
                form.refuse("record", "the rule has both `alert` and `record`", "make two rules of it");
                None
            }
            (None, None) => {
                form.refuse("alert", "the rule has neither `alert` nor `record`", "add one of them");
                None
            }
        }
    }

    fn expression(&self, form: &Form<'a>) -> Option<String> {
        let Some(node) = form.node("expr") else {
            form.refuse("expr", "the rule has no expression", "add one");
            return None;
        };
        let path = format!("{}.expr", form.path);
        let text = scalar(self.report, node, &path)?;
        match Query::parse(&text) {
            Ok(query) if matches!(query.value_type(), ValueType::Scalar | ValueType::Vector) => Some(text),
            Ok(query) => {
                let what = format!("the expression is a {}, not a vector", query.value_type().name());
                self.report.refuse(node.place, &path, what, "put a function around it");
                None
            }
            Err(error) => {
                let position = error.position().unwrap_or(Position { line: 1, column: 1 });
                let place = place_within(self.text, node.place, position);
                self.report.refuse(place, &path, error.message(), error.hint().unwrap_or_default());
                None
            }
        }
    }

    /// A map of names to texts, which are templates.
    fn templates(&self, form: &Form<'a>, key: &'static str) -> BTreeMap<String, String> {
        let texts = form.text_map(key);
        for (name, path, node) in form.open_entries(key) {
            if key == "labels" && (name.is_empty() || name == alfred_ops_core::Labels::NAME) {
                let what = format!("{name:?} cannot be the name of a label here");
                self.report.refuse(node.place, &path, what, "choose another name");
            }
            if let Some(Err(problem)) = texts.get(&name).map(|text| Template::parse(text)) {
                let position = problem.position().unwrap_or(Position { line: 1, column: 1 });
                let place = place_within(self.text, node.place, position);
                self.report.refuse(place, &path, problem.message(), problem.hint().unwrap_or_default());
            }
        }
        texts
    }
}
