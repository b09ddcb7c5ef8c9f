//! What services and worker pools have in common.

use std::fmt;

use alfred_ops_core::Result;
use alfred_ops_scaling::CloudRunApi;
use google_cloud_run_v2::model::{Condition, Container, Revision};
use google_cloud_wkt::FieldMask;

/// An answer of the Admin API.
pub(super) type Answer<A> = std::result::Result<A, google_cloud_gax::error::Error>;

/// A service or a worker pool: it has revisions, a template for the next one, and a split among those that are there.
pub(super) trait Resource: fmt::Debug + Send + Sync + Sized + 'static {
    type Client: Send + Sync;
    type Template: Template;
    type Entry: Entry;
    /// What people call it.
    const NOUN: &'static str;
    /// What is split, for people.
    const GOODS: &'static str;
    /// The field of the split, as a mask names it.
    const SPLIT: &'static str;

    /// A client of its own.
    fn connect(api: &CloudRunApi) -> impl Future<Output = Result<Self::Client>> + Send;
    fn get(client: &Self::Client, name: &str) -> impl Future<Output = Answer<Self>> + Send;
    /// Sends a change of the masked fields. What the API says is wrong with one that it has taken on, if anything.
    fn update(
        client: &Self::Client,
        change: Self,
        mask: FieldMask,
    ) -> impl Future<Output = Answer<Option<String>>> + Send;

    /// A change that names this version.
    fn change(name: &str, etag: &str) -> Self;
    fn with_template(self, template: Self::Template) -> Self;
    fn with_entries(self, entries: Vec<Self::Entry>) -> Self;

    fn etag(&self) -> &str;
    fn latest_ready(&self) -> &str;
    fn latest_created(&self) -> &str;
    fn reconciling(&self) -> bool;
    fn template(&self) -> Option<&Self::Template>;
    fn entries(&self) -> &[Self::Entry];
    /// The split that Cloud Run says it really makes, as entries.
    fn served(&self) -> Vec<Self::Entry>;
    /// What became of the last change, as far as Cloud Run has come.
    fn terminal(&self) -> Option<&Condition>;
}

/// What the next revision is made of.
pub(super) trait Template: Clone + Default + Send + Sync {
    fn revision(&self) -> &str;
    fn containers(&self) -> &[Container];
    fn containers_mut(&mut self) -> &mut [Container];
    fn with_revision(self, name: &str) -> Self;
    /// All that a revision shows is that of `revision`.
    fn take_over(&mut self, revision: &Revision);
}

/// One entry of a split.
pub(super) trait Entry: Clone + Send + Sync {
    fn to(&self) -> To<'_>;
    fn percent(&self) -> i32;
    /// A name by which this revision can be reached; empty without one.
    fn tag(&self) -> &str;
    fn with_percent(self, percent: i32) -> Self;
    /// The share of a named revision.
    fn of(revision: &str, percent: i32) -> Self;
}

/// Whom an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To<'e> {
    /// The newest revision that is ready.
    Latest,
    Revision(&'e str),
    /// This software does not know.
    Unknown,
}
