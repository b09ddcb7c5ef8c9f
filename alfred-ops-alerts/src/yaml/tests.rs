use proptest::prelude::*;

use super::{Node, Place, Value, read, write};

/// The tree without its places, so that it can be compared with one that was made.
fn bare(node: Node) -> Node {
    let value = match node.value {
        Value::Scalar { text, .. } => Value::Scalar { text, plain: false },
        Value::List(items) => Value::List(items.into_iter().map(bare).collect()),
        Value::Map(entries) => Value::Map(
            entries.into_iter().map(|(key, _, node)| (key, Place::default(), bare(node))).collect(),
        ),
    };
    Node { place: Place::default(), value }
}

fn some_node() -> impl Strategy<Value = Node> {
    let text = prop_oneof![any::<String>(), "[a-zA-Z0-9_:. -]{0,12}"];
    let leaf = text.prop_map(Node::text);
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Node::list),
            prop::collection::btree_map("[a-z<:]{1,6}|\\PC{1,5}", inner, 0..5)
                .prop_map(|map| Node::map(map.into_iter().map(|(key, node)| (key, Some(node))))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_equal(node in some_node()) {
        let text = write(&node);
        let back = read(&text).unwrap().unwrap();
        prop_assert_eq!(bare(back), bare(node), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c:&*<{}\\[\\],\n \"'#!|>-]{0,40}|\\PC{0,40}") {
        let _ = read(&text);
    }
}

#[test]
fn places_are_those_of_the_text() {
    let node = read("a: 1\nlist:\n  - x\n  - {b: \"y\"}\n").unwrap().unwrap();
    let Value::Map(entries) = node.value else { panic!("no map") };
    let (key, place, value) = &entries[0];
    assert_eq!((key.as_str(), *place, value.place), ("a", at(1, 1), at(1, 4)));
    let Value::List(items) = &entries[1].2.value else { panic!("no list") };
    assert_eq!((items[0].place, items[1].place), (at(3, 5), at(4, 5)));
    let Value::Map(inner) = &items[1].value else { panic!("no map") };
    assert_eq!((inner[0].1, inner[0].2.place), (at(4, 6), at(4, 9)));
    assert_eq!(inner[0].2.value, Value::Scalar { text: "y".to_owned(), plain: false });
}

#[test]
fn aliases_and_merges_are_followed() {
    let node = read("a: &x {k: 1, l: 2}\nb: *x\nc:\n  <<: *x\n  l: 3\n").unwrap().unwrap();
    let expected = read("a: {k: 1, l: 2}\nb: {k: 1, l: 2}\nc: {l: 3, k: 1}\n").unwrap().unwrap();
    assert_eq!(bare(node), bare(expected));
}

#[test]
fn faults_have_a_place_and_bombs_are_refused() {
    let fault = read("a: [1\nb: 2\n").unwrap_err();
    assert!(fault.place.line >= 1, "{fault:?}");
    assert_eq!(read("a: 1\n---\nb: 2\n").unwrap_err().place.line, 3);
    assert!(read("? [a]\n: b\n").unwrap_err().what.contains("key"));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert!(read(&bomb).unwrap_err().what.contains("too many nodes"));
    assert!(read(&"[".repeat(10_000)).is_err());
    assert_eq!(read("# nothing\n").unwrap(), None);
}

fn at(line: usize, column: usize) -> Place {
    Place { line, column }
}
