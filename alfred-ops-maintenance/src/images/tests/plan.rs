//! What is decided, and how it reads.

use chrono::TimeDelta;

use super::{digest, hour};
use crate::{ChorePlan as _, ImageFacts, ImageLayer, ImagePolicy, ImageView, UsedImage, plan_images};

/// An image of 10 bytes of its own, seen first 200 hours ago.
fn old(number: usize, tags: &[&str]) -> ImageView {
    let mut image = ImageView::new(&digest(number));
    for tag in tags {
        image = image.with_tag("app", tag);
    }
    image.layers = vec![ImageLayer::new(&image.id, 10)];
    image.first_seen = Some(hour(-200));
    image
}

fn with(mut image: ImageView, edit: impl FnOnce(&mut ImageView)) -> ImageView {
    edit(&mut image);
    image
}

fn facts(images: Vec<ImageView>, used: &[&str]) -> ImageFacts {
    let used = used.iter().map(|name| UsedImage::new("cluster", name.parse().unwrap())).collect();
    ImageFacts { images, used, ..ImageFacts::default() }
}

/// `#7` stands for the beginning of the seventh digest.
fn check(facts: &ImageFacts, expected: &str) {
    let mut expected = expected.to_owned();
    for number in (1..30).rev() {
        expected = expected.replace(&format!("#{number}"), &digest(number)[..19]);
    }
    let policy = ImagePolicy::default().with_versions(2);
    assert_eq!(plan_images(facts, &policy, hour(0)).to_string(), expected);
}

#[test]
fn each_image_stays_or_goes_for_a_reason() {
    check(
        &facts(
            vec![
                old(1, &["v1.9.0"]),
                old(2, &["v1.10.0", "x"]),
                old(3, &["v1.2.0"]),
                old(4, &["v2.0.0"]),
                old(5, &["v3.0.0-rc1"]),
                old(6, &["latest"]),
                with(old(7, &["young"]), |image| image.first_seen = Some(hour(0) - TimeDelta::hours(168))),
                with(old(8, &["new"]), |image| image.first_seen = None),
                with(old(9, &[]), |image| image.used_by = vec!["web".to_owned()]),
                old(10, &["v0.1.0"]),
                old(11, &[]),
            ],
            &["elsewhere:5000/app:v0.1.0", &digest(11)],
        ),
        "remove 3 images, which frees 30 bytes\n\
         remove app:v1.9.0 (#1), 10 bytes: 2 higher versions stay, unused, first seen 200 h ago\n\
         remove app:v1.2.0 (#3), 10 bytes: 2 higher versions stay, unused, first seen 200 h ago\n\
         remove app:v3.0.0-rc1 (#5), 10 bytes: no tag that is kept, unused, first seen 200 h ago\n\
         keep app:v1.10.0, app:x (#2): v1.10.0 is one of the highest versions\n\
         keep app:v2.0.0 (#4): v2.0.0 is one of the highest versions\n\
         keep app:latest (#6): the tag latest is kept\n\
         keep app:young (#7): first seen, or tagged anew, 168 h ago\n\
         keep app:new (#8): nobody knows when it was first seen\n\
         keep #9: in use by container web\n\
         keep app:v0.1.0 (#10): in use by cluster\n\
         keep #11: in use by cluster",
    );
}

#[test]
fn an_index_and_its_parts_go_and_stay_together() {
    let index = |number: usize, tags: &[&str], parts: &[usize]| {
        with(old(number, tags), |image| {
            image.is_index = true;
            image.needs = parts.iter().map(|&part| digest(part)).collect();
        })
    };
    let layer = |image: &mut ImageView| image.layers.push(ImageLayer::new("shared", 1000));
    check(
        &facts(
            vec![
                with(old(1, &[]), layer),
                with(old(2, &[]), layer),
                with(old(3, &[]), layer),
                index(4, &["old"], &[1, 2]),
                index(5, &["older"], &[2, 3]),
                with(old(6, &[]), |image| image.digests.push(digest(99))),
                index(7, &["used"], &[6]),
                index(8, &["stable"], &[3]),
            ],
            &[&digest(99)],
        ),
        "remove 4 images, which frees 40 bytes\n\
         remove app:old (#4), 10 bytes: no tag that is kept, unused, first seen 200 h ago\n\
         remove #1, 10 bytes: a part of app:old (#4), unused, first seen 200 h ago\n\
         remove app:older (#5), 10 bytes: no tag that is kept, unused, first seen 200 h ago\n\
         remove #2, 10 bytes: a part of app:older (#5), unused, first seen 200 h ago\n\
         keep #3: app:stable (#8) needs it\n\
         keep #6: in use by cluster\n\
         keep app:used (#7): in use by cluster\n\
         keep app:stable (#8): the tag stable is kept",
    );
}

#[test]
fn who_does_not_answer_keeps_all() {
    let mut facts = facts(vec![old(1, &["x"]), old(2, &["latest"])], &[]);
    facts.unsure = vec!["cluster does not tell".to_owned()];
    facts.missing = vec!["b is not looked after".to_owned()];
    let plan = plan_images(&facts, &ImagePolicy::default(), hour(0));
    assert!(plan.is_empty());
    check(
        &facts,
        "no image to remove\n\
         obstacle: b is not looked after\n\
         obstacle: nothing is removed, since cluster does not tell\n\
         keep app:x (#1): nobody can tell whether it is in use\n\
         keep app:latest (#2): the tag latest is kept",
    );
}

#[test]
fn a_store_that_lies_in_circles_is_no_trap() {
    let circle = |number, need| with(old(number, &[]), |image| image.needs = vec![digest(need)]);
    let plan = plan_images(
        &facts(vec![circle(1, 2), circle(2, 1), circle(3, 3)], &[]),
        &ImagePolicy::default(),
        hour(0),
    );
    assert_eq!(plan.steps.len(), 3);
    let plan = plan_images(
        &facts(vec![circle(1, 2), circle(2, 1)], &[]),
        &ImagePolicy::default().with_removals_max(1),
        hour(0),
    );
    assert_eq!((plan.steps.len(), plan.more), (1, 1));
}
