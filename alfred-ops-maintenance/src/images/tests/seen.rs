//! What is remembered of images.

use std::collections::BTreeSet;
use std::sync::Arc;

use alfred_ops_core::MemoryStateStore;

use super::super::seen_image::SeenImage;
use super::super::seen_images::SeenImages;
use super::hour;
use crate::{IMAGES_MAX, ImageTag, ImageView};

fn tags(names: &[&str]) -> BTreeSet<ImageTag> {
    names.iter().map(|name| ImageTag::new("bot", name)).collect()
}

/// When it was first seen, when it got its latest tag, and which it had.
fn told(seen: &SeenImage) -> (Option<i64>, Option<i64>, Vec<String>) {
    let mut view = ImageView::new("sha256:1");
    seen.tell(&mut view);
    let hours = |at: chrono::DateTime<chrono::Utc>| (at - hour(0)).num_hours();
    let former = view.former_tags.into_iter().map(|tag| tag.tag).collect();
    (view.first_seen.map(hours), view.tagged_at.map(hours), former)
}

#[test]
fn a_tag_is_as_old_as_the_look_that_first_found_it_and_a_lost_one_is_told_until_it_is_back() {
    let mut seen = SeenImage::new(tags(&[]), hour(0));
    assert_eq!(told(&seen), (Some(0), None, vec![]), "it never had one");
    seen.note(tags(&["a", "b"]), hour(1));
    assert_eq!(told(&seen), (Some(0), Some(1), vec![]));
    seen.note(tags(&["b"]), hour(2));
    assert_eq!(told(&seen), (Some(0), Some(1), vec!["a".to_owned()]), "a loss makes nothing young");
    seen.note(tags(&[]), hour(3));
    assert_eq!(told(&seen), (Some(0), Some(1), vec!["a".to_owned(), "b".to_owned()]));
    seen.note(tags(&["a"]), hour(4));
    assert_eq!(told(&seen), (Some(0), Some(4), vec!["b".to_owned()]));
    assert_eq!(told(&SeenImage::new(tags(&["a"]), hour(5))), (Some(5), Some(5), vec![]));
}

#[test]
fn of_many_lost_tags_the_latest_are_remembered() {
    let mut seen = SeenImage::new(tags(&["0"]), hour(0));
    for number in 1..=20 {
        seen.note(tags(&[&number.to_string()]), hour(number));
    }
    let latest: Vec<String> = (4..20).map(|number| number.to_string()).collect();
    assert_eq!(told(&seen), (Some(0), Some(20), latest));
}

#[tokio::test]
async fn as_many_images_as_a_store_may_have_fit() {
    let seen = SeenImages::new(Arc::new(MemoryStateStore::default()), "registry");
    // Those of one digit, and some more than the others have.
    let mut images: Vec<ImageView> = (0..IMAGES_MAX / 16 + 300)
        .map(|number| ImageView::new(&format!("bot@sha256:0{number:063x}")).with_tag("bot", "v1.2.3"))
        .collect();
    seen.note(&mut images, true, hour(0), None).await.unwrap();
    assert_eq!(seen.known().await.unwrap().len(), images.len());
}
