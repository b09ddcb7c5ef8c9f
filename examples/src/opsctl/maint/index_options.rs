//! What care of indexes may do.

use alfred_ops_maintenance::{IndexPolicy, Rebuilds};
use clap::{Args, ValueEnum};

/// What care of indexes may do beyond removing what failed builds left.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options of the chore `indexes`")]
pub(in crate::opsctl) struct IndexOptions {
    /// Drop indexes that others do as well.
    #[arg(long)]
    drop: bool,
    /// Which bloated indexes are rebuilt; the measured ones if not given.
    #[arg(long, value_name = "WHICH")]
    rebuild: Option<RebuildChoice>,
    /// Build indexes that foreign keys lack.
    #[arg(long)]
    create_for_keys: bool,
    /// Build indexes that statements lack which read whole tables, where the planner's cost falls to one GAIN-th, such as 10,
    /// as the extensions pg_stat_statements and hypopg tell.
    #[arg(long, value_name = "GAIN", value_parser = gain)]
    create_for_scans: Option<f64>,
    /// Build no index that takes more bytes, for old and new lie beside one another until it is done; 8 GiB if not given.
    #[arg(long, value_name = "BYTES")]
    build_bytes_max: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RebuildChoice {
    /// None: they are named.
    Never,
    /// Those whose pages the extension pgstattuple has read.
    Measured,
    /// Those too whose bloat is only estimated.
    Estimated,
}

impl IndexOptions {
    pub(super) fn policy(&self) -> IndexPolicy {
        let mut policy = IndexPolicy::default();
        if self.drop {
            policy = policy.with_drops();
        }
        if let Some(rebuild) = self.rebuild {
            policy = policy.with_rebuilds(match rebuild {
                RebuildChoice::Never => Rebuilds::Never,
                RebuildChoice::Measured => Rebuilds::Measured,
                RebuildChoice::Estimated => Rebuilds::Estimated,
            });
        }
        if self.create_for_keys {
            policy = policy.with_creates();
        }
        if let Some(gain) = self.create_for_scans {
            policy = policy.with_scan_creates(gain);
        }
        if let Some(bytes) = self.build_bytes_max {
            policy = policy.with_build_bytes_max(bytes);
        }
        policy
    }

    /// Each option, and whether it is given.
    pub(super) fn given(&self) -> [(&'static str, bool); 5] {
        [
            ("--drop", self.drop),
            ("--rebuild", self.rebuild.is_some()),
            ("--create-for-keys", self.create_for_keys),
            ("--create-for-scans", self.create_for_scans.is_some()),
            ("--build-bytes-max", self.build_bytes_max.is_some()),
        ]
    }
}

fn gain(text: &str) -> Result<f64, String> {
    let gain: f64 = text.parse().map_err(|_| "write a number, such as 10".to_owned())?;
    if gain.is_finite() && gain > 1.0 {
        Ok(gain)
    } else {
        Err("write a number above 1, such as 10".to_owned())
    }
}
