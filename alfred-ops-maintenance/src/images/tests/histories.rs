//! Random histories of pushes, tags that move, containers, rollouts elsewhere and runs that are killed. After every look the plan
//! is held against an oracle that asks of each image alone why it must stay.

use std::collections::{BTreeMap, BTreeSet};

use alfred_ops_core::{EntropyExt as _, SeededEntropy};

use super::{digest, hour};
use crate::{ImageFacts, ImageKeep, ImageLayer, ImagePolicy, ImageView, UsedImage, plan_images};

const REPOSITORIES: [&str; 2] = ["r.example/app", "bot"];
const UNUSED_AFTER: i64 = 168;

#[derive(Debug, Default, Clone)]
struct Item {
    tags: BTreeSet<(&'static str, String)>,
    needs: Vec<usize>,
    is_index: bool,
    seen: Option<i64>,
    /// The tags at the last look, and when the latest was first seen.
    tagged: Option<(BTreeSet<(&'static str, String)>, i64)>,
    containers: usize,
}

#[derive(Debug, Clone)]
enum Elsewhere {
    Digest(usize),
    Tag(&'static str, String),
}

#[derive(Debug, Default)]
struct World {
    items: BTreeMap<usize, Item>,
    made: usize,
    elsewhere: Vec<Elsewhere>,
    now: i64,
    versions: usize,
}

impl World {
    /// Why an image must stay. It knows the world, and not what the planner was told.
    fn must_stay(&self, number: usize) -> bool {
        let item = &self.items[&number];
        self.is_used(number)
            || item.tags.iter().any(|(repository, tag)| {
                tag == "stable"
                    || tag == "latest"
                    || self.rank(repository, tag).is_some_and(|rank| rank < self.versions)
            })
            || item.seen.is_none_or(|seen| self.now - seen <= UNUSED_AFTER)
            || item.tagged.as_ref().is_some_and(|(_, since)| self.now - since <= UNUSED_AFTER)
            || self
                .items
                .iter()
                .any(|(&other, needer)| needer.needs.contains(&number) && self.must_stay(other))
    }

    fn is_used(&self, number: usize) -> bool {
        let item = &self.items[&number];
        let named = |place: &Elsewhere| match place {
            Elsewhere::Digest(other) => *other == number,
            Elsewhere::Tag(repository, tag) => item.tags.contains(&(*repository, tag.clone())),
        };
        item.containers > 0
            || self.elsewhere.iter().any(named)
            || item.is_index
                && item.needs.iter().any(|need| self.items.contains_key(need) && self.is_used(*need))
    }

    /// How many higher versions a repository has.
    fn rank(&self, repository: &str, tag: &str) -> Option<usize> {
        let own = numbers(tag)?;
        let tags = self.items.values().flat_map(|item| &item.tags);
        let higher: BTreeSet<Vec<u32>> = tags
            .filter(|(of, _)| *of == repository)
            .filter_map(|(_, tag)| numbers(tag))
            .filter(|other| *other > own)
            .collect();
        Some(higher.len())
    }

    fn stored(&self) -> u64 {
        let layers: BTreeMap<String, u64> = self.items.keys().flat_map(|&number| layers(number)).collect();
        layers.values().sum()
    }

    fn facts(&self, order: &SeededEntropy) -> ImageFacts {
        let mut images: Vec<ImageView> = Vec::new();
        for (&number, item) in &self.items {
            let mut image = ImageView::new(&digest(number));
            for (repository, tag) in &item.tags {
                image = image.with_tag(repository, tag);
            }
            image.layers =
                layers(number).into_iter().map(|(id, bytes)| ImageLayer::new(&id, bytes)).collect();
            image.needs = item.needs.iter().map(|&need| digest(need)).collect();
            image.is_index = item.is_index;
            image.used_by = (0..item.containers).map(|count| format!("c{count}")).collect();
            image.first_seen = item.seen.map(hour);
            image.tagged_at = item.tagged.as_ref().map(|(_, since)| hour(*since));
            let place = draw(order, images.len() + 1);
            images.insert(place, image);
        }
        let used = self.elsewhere.iter().map(|place| {
            let name = match place {
                Elsewhere::Digest(number) => format!("mirror.example/any@{}", digest(*number)),
                Elsewhere::Tag("bot", tag) => format!("index.docker.io/library/bot:{tag}"),
                Elsewhere::Tag(repository, tag) => {
                    format!("localhost:5000/{}:{tag}", &repository["r.example/".len()..])
                }
            };
            UsedImage::new("cluster", name.parse().unwrap())
        });
        ImageFacts { images, used: used.collect(), ..ImageFacts::default() }
    }

    fn set_tag(&mut self, number: usize, repository: &'static str, tag: String) {
        for item in self.items.values_mut() {
            item.tags.remove(&(repository, tag.clone()));
        }
        if let Some(item) = self.items.get_mut(&number) {
            item.tags.insert((repository, tag));
        }
    }
}

fn numbers(tag: &str) -> Option<Vec<u32>> {
    let parts: Vec<&str> = tag.strip_prefix('v')?.split('.').collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    (parts.len() == 3 && numbers.len() == 3).then_some(numbers)
}

/// Some layers are shared by three neighbours.
fn layers(number: usize) -> Vec<(String, u64)> {
    vec![(format!("own {number}"), 1 + number as u64), (format!("shared {}", number / 3), 1000)]
}

fn draw(entropy: &SeededEntropy, bound: usize) -> usize {
    usize::try_from(entropy.below(bound as u64)).unwrap()
}

fn pick(entropy: &SeededEntropy, world: &World) -> Option<usize> {
    let place = draw(entropy, world.items.len());
    world.items.keys().nth(place).copied()
}

fn any_tag(entropy: &SeededEntropy) -> (&'static str, String) {
    let repository = REPOSITORIES[draw(entropy, 2)];
    let tag = match entropy.below(8) {
        0 => "latest".to_owned(),
        1 => "stable".to_owned(),
        2 => "edge".to_owned(),
        3 => format!("v1.0.{}-rc1", entropy.below(4)),
        _ => format!("v{}.{}.{}", entropy.below(2), entropy.below(3), entropy.below(12)),
    };
    (repository, tag)
}

/// One random event that is not a run.
fn happen(entropy: &SeededEntropy, world: &mut World) {
    let chosen = pick(entropy, world);
    match (entropy.below(13), chosen) {
        (0..=2, _) => {
            world.made += 1;
            let mut item = Item::default();
            if entropy.below(3) == 0 {
                item.is_index = entropy.below(2) == 0;
                let parts = if item.is_index { 1 + entropy.below(3) } else { 1 };
                item.needs = (0..parts).filter_map(|_| pick(entropy, world)).collect();
            }
            world.items.insert(world.made, item);
            if entropy.below(4) > 0 {
                let (repository, tag) = any_tag(entropy);
                world.set_tag(world.made, repository, tag);
            }
        }
        (3..=4, Some(number)) => {
            let (repository, tag) = any_tag(entropy);
            world.set_tag(number, repository, tag);
        }
        (5, Some(number)) => {
            if let Some(item) = world.items.get_mut(&number) {
                item.containers += 1;
            }
        }
        (6, Some(number)) => {
            if let Some(item) = world.items.get_mut(&number) {
                item.containers = 0;
            }
        }
        (7, Some(number)) => world.elsewhere.push(Elsewhere::Digest(number)),
        (8, Some(number)) => {
            let (repository, tag) =
                world.items[&number].tags.first().cloned().unwrap_or_else(|| any_tag(entropy));
            world.elsewhere.push(Elsewhere::Tag(repository, tag));
        }
        (9, _) => {
            let gone = draw(entropy, world.elsewhere.len() + 1);
            world.elsewhere.truncate(gone);
        }
        _ => world.now += i64::try_from(entropy.below(600)).unwrap(),
    }
}

/// Looks, plans and removes; a part of the runs is killed on the way. Returns how many images went.
fn run(entropy: &SeededEntropy, world: &mut World, seed: u64) -> usize {
    let now = world.now;
    for item in world.items.values_mut() {
        item.seen.get_or_insert(now);
        let (had, since) = item.tagged.clone().unwrap_or_default();
        let gained = !item.tags.is_subset(&had);
        if gained || item.tagged.is_some() {
            item.tagged = Some((item.tags.clone(), if gained { now } else { since }));
        }
    }
    let mut facts = world.facts(entropy);
    let max = if entropy.below(3) == 0 { draw(entropy, 4) } else { 1000 };
    let policy = ImagePolicy::default().with_versions(world.versions).with_removals_max(max);
    if entropy.below(8) == 0 {
        facts.unsure = vec!["nobody answers".to_owned()];
        let plan = plan_images(&facts, &policy, hour(now));
        assert!(plan.steps.is_empty() && plan.kept.len() == world.items.len(), "seed {seed}");
        return 0;
    }
    let plan = plan_images(&facts, &policy, hour(now));
    let may_go: Vec<usize> = world.items.keys().copied().filter(|&number| !world.must_stay(number)).collect();
    let named: BTreeMap<String, usize> = world.items.keys().map(|&number| (digest(number), number)).collect();
    let goes: Vec<usize> = plan.steps.iter().map(|step| named[&step.image.id]).collect();
    assert!(
        goes.iter().all(|number| may_go.contains(number)),
        "seed {seed}: of {may_go:?} go {goes:?}\n{plan}"
    );
    assert_eq!(goes.len(), may_go.len().min(max), "seed {seed}: of {may_go:?} go {goes:?}\n{plan}");
    assert_eq!(plan.more, may_go.len() - goes.len(), "seed {seed}");
    assert_eq!(plan.kept.len(), world.items.len() - may_go.len(), "seed {seed}");
    assert!(plan.kept.iter().all(|(_, reason)| *reason != ImageKeep::Unsure), "seed {seed}");
    let (before, killed_after) = (world.stored(), draw(entropy, goes.len() * 2 + 1));
    for (done, (number, step)) in goes.iter().zip(&plan.steps).enumerate() {
        if done == killed_after {
            return done;
        }
        let needers = world.items.values().filter(|item| item.needs.contains(number)).count();
        assert_eq!(needers, 0, "seed {seed}: {} goes before who needs it", step.image);
        world.items.remove(number);
    }
    assert_eq!(plan.bytes(), before - world.stored(), "seed {seed}\n{plan}");
    goes.len()
}

/// CI plays 10,000 histories; `scripts/soak images` plays 100,000.
#[test]
fn nothing_that_must_stay_is_removed_and_all_else_is() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (runs, first): (u64, u64) =
        (number("ALFRED_OPS_IMAGES_RUNS", 10_000), number("ALFRED_OPS_IMAGES_SEED", 1));
    let (mut removed, mut looks) = (0, 0);
    for seed in first..first + runs {
        let entropy = SeededEntropy::new(seed);
        let mut world = World { versions: draw(&entropy, 4), ..World::default() };
        for _ in 0..30 {
            happen(&entropy, &mut world);
            if entropy.below(5) == 0 {
                removed += run(&entropy, &mut world, seed);
                looks += 1;
            }
        }
    }
    println!("{runs} histories, {looks} looks, {removed} images removed");
    assert!(removed as u64 > runs / 2, "the histories remove too little to mean something: {removed}");
}
