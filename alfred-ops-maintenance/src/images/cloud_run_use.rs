//! What Cloud Run uses.

use std::collections::BTreeSet;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_scaling::CloudRunInventory;
use async_trait::async_trait;

use super::{ImageRef, ImageUse};

/// The images that Cloud Run uses or may go back to in some regions of a project: of services, worker pools and jobs, of all
/// their revisions and executions.
///
/// Cloud Run names images as whoever deployed them did. Deploy by digest, or by tags that do not move: a revision that was
/// deployed by `latest` keeps whatever `latest` means today.
///
/// The host's service account needs `roles/run.viewer` on the project.
#[derive(Debug)]
pub struct CloudRunUse {
    name: String,
    regions: Vec<CloudRunInventory>,
}

impl CloudRunUse {
    /// The use of these regions, which people know by `name`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] without a region: no image would be in use.
    pub fn new(
        name: impl Into<String>,
        regions: impl IntoIterator<Item = CloudRunInventory>,
    ) -> Result<Self> {
        let regions: Vec<CloudRunInventory> = regions.into_iter().collect();
        if regions.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "care for images", "regions: there is none")
                .with_remedy("name every region in which the project runs something"));
        }
        Ok(Self { name: name.into(), regions })
    }
}

#[async_trait]
impl ImageUse for CloudRunUse {
    fn name(&self) -> &str {
        &self.name
    }

    async fn in_use(&self) -> Result<Vec<ImageRef>> {
        let mut used = BTreeSet::new();
        for region in &self.regions {
            for (resource, images) in region.images().await? {
                for image in images {
                    used.insert(image.parse().map_err(|source| unreadable(&resource, source))?);
                }
            }
        }
        Ok(used.into_iter().collect())
    }
}

/// Somebody may have meant an image that we would remove.
fn unreadable(resource: &str, source: Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "read images of Cloud Run", "an image is called by what is no name")
        .with_target(resource)
        .with_remedy("delete the resource: no image is removed meanwhile")
        .with_source(source)
}
