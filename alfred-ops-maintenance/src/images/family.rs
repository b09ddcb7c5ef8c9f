//! How images depend on one another, and who uses which. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::image_ref::path_of;
use super::{ImageView, UsedImage};

/// Images by their places in a list, and who needs whom among them.
#[derive(Debug)]
pub(super) struct Family<'a> {
    images: Vec<&'a ImageView>,
    needs: Vec<Vec<usize>>,
    needed_by: Vec<Vec<usize>>,
}

impl<'a> Family<'a> {
    pub(super) fn new(images: Vec<&'a ImageView>) -> Self {
        let places: HashMap<&str, usize> =
            images.iter().enumerate().map(|(place, image)| (image.id.as_str(), place)).collect();
        let needs: Vec<Vec<usize>> = images
            .iter()
            .map(|image| image.needs.iter().filter_map(|id| places.get(id.as_str()).copied()).collect())
            .collect();
        let mut needed_by = vec![Vec::new(); images.len()];
        for (place, needs) in needs.iter().enumerate() {
            for &needed in needs {
                needed_by[needed].push(place);
            }
        }
        Self { images, needs, needed_by }
    }

    /// Who uses which image, by its place: as its container, by its digest, by a tag, or, if it is an index, by a part.
    pub(super) fn users(&self, used: &[UsedImage]) -> BTreeMap<usize, String> {
        let mut by_digest: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_tag: HashMap<(String, &str), Vec<usize>> = HashMap::new();
        let mut users: BTreeMap<usize, String> = BTreeMap::new();
        for (place, image) in self.images.iter().enumerate() {
            for digest in &image.digests {
                by_digest.entry(digest).or_default().push(place);
            }
            for tag in &image.tags {
                by_tag.entry((path_of(&tag.repository), &tag.tag)).or_default().push(place);
            }
            if let Some(container) = image.used_by.first() {
                users.insert(place, format!("container {container}"));
            }
        }
        for UsedImage { by, image } in used {
            let digest = image.digest().and_then(|digest| by_digest.get(digest));
            let tag = image.repository().zip(image.tag());
            let tag = tag.and_then(|(repository, tag)| by_tag.get(&(path_of(repository), tag)));
            for &place in digest.into_iter().chain(tag).flatten() {
                users.entry(place).or_insert_with(|| by.clone());
            }
        }
        self.add_indexes(&mut users);
        users
    }

    /// An index of which a part is in use is in use.
    fn add_indexes(&self, users: &mut BTreeMap<usize, String>) {
        let mut open: Vec<usize> = users.keys().copied().collect();
        while let Some(part) = open.pop() {
            for &whole in &self.needed_by[part] {
                if self.images[whole].is_index && !users.contains_key(&whole) {
                    users.insert(whole, users[&part].clone());
                    open.push(whole);
                }
            }
        }
    }

    /// What the given ones need, directly or not, beside themselves: each with one that needs it.
    pub(super) fn needed(&self, roots: impl IntoIterator<Item = usize>) -> BTreeMap<usize, usize> {
        let mut open: Vec<usize> = roots.into_iter().collect();
        let mut seen: BTreeSet<usize> = open.iter().copied().collect();
        let mut needed = BTreeMap::new();
        while let Some(place) = open.pop() {
            for &need in &self.needs[place] {
                if seen.insert(need) {
                    needed.insert(need, place);
                    open.push(need);
                }
            }
        }
        needed
    }

    /// The same places, so that whoever needs another comes before it. A store that lies about who needs whom gets any
    /// order.
    pub(super) fn needers_first(&self, places: &BTreeSet<usize>) -> Vec<usize> {
        let waits =
            |place: usize| self.needed_by[place].iter().filter(|needer| places.contains(needer)).count();
        let mut waits: BTreeMap<usize, usize> = places.iter().map(|&place| (place, waits(place))).collect();
        let mut free: BTreeSet<usize> =
            waits.iter().filter(|(_, waits)| **waits == 0).map(|(place, _)| *place).collect();
        let mut order = Vec::with_capacity(places.len());
        while let Some(place) = free.pop_first() {
            waits.remove(&place);
            order.push(place);
            for need in &self.needs[place] {
                if let Some(left) = waits.get_mut(need) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        free.insert(*need);
                    }
                }
            }
        }
        order.extend(waits.into_keys());
        order
    }
}
