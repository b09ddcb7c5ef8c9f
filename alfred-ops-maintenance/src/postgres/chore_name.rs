//! Names of chores at servers.

use alfred_ops_core::PostgresOptions;

use super::label;

/// As many bytes as a supervisor allows for a name.
const NAME_BYTES_MAX: usize = 100;

/// The name of a chore of this `kind` about `what` at `server`: two databases of one name on two servers have two histories.
/// What does not fit, or bears characters that a name may not have, is told apart by a hash at its end.
pub(crate) fn chore_name(kind: &str, server: &PostgresOptions, what: &str) -> String {
    let whole = format!("{kind}-{}:{}:{what}", server.host, server.port);
    let name = label(&whole);
    if name == whole && name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let hash = format!("-{:016x}", fnv(&whole));
    // It is all ASCII, one byte a character.
    let kept: String = name.chars().take(NAME_BYTES_MAX - hash.len()).collect();
    kept + &hash
}

/// FNV-1a: the same in all versions and on all machines.
fn fnv(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_servers_apart_and_fit() {
        let name = |host: &str, port: u16, what: &str| {
            chore_name("vacuum", &PostgresOptions::new(host, "ops").with_port(port), what)
        };
        assert_eq!(name("db.internal", 5432, "app"), "vacuum-db.internal:5432:app");
        let names = [
            name("a", 1, "app"),
            name("b", 1, "app"),
            name("a", 2, "app"),
            name("/run/pg", 1, "app"),
            name("/run_pg", 1, "app"),
            name("a", 1, "bücher"),
            name("a", 1, "bächer"),
            name(&"h".repeat(200), 1, "app"),
            name(&"h".repeat(200), 1, "other"),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(name.len() <= NAME_BYTES_MAX && !name.contains('/') && name.is_ascii(), "{name}");
            assert!(!names[..index].contains(name), "{name}");
        }
    }
}
