//! Listings, in the order of bytes.

use alfred_ops_core::{Error, ErrorKind, Result};

use super::S3BlobStore;
use crate::BlobInfo;

/// S3's own limit for one page of a listing.
const PAGE_MAX: usize = 1000;

impl S3BlobStore {
    /// Lists from a server that sorts by bytes, page by page; with `strict` another order is an error.
    pub(super) async fn list_in_server_order(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
        strict: bool,
    ) -> Result<Vec<BlobInfo>> {
        let full_prefix = self.full_key(prefix);
        let cut = full_prefix.len() - prefix.len();
        let mut found: Vec<BlobInfo> = Vec::new();
        while found.len() < limit {
            let after = found.last().map_or(after, |blob| &blob.key).to_owned();
            let page = i32::try_from((limit - found.len()).min(PAGE_MAX)).unwrap_or(1);
            let mut request = self.client.list_objects_v2().bucket(&self.bucket).max_keys(page);
            request = request.prefix(&full_prefix);
            if !after.is_empty() {
                request = request.start_after(self.full_key(&after));
            }
            let answer = request.send().await.map_err(self.fail("list blobs", prefix))?;
            let mut last = after;
            for object in answer.contents() {
                let Some(key) = object.key().and_then(|key| key.get(cut..)) else { continue };
                if strict && key <= last.as_str() {
                    return Err(self.out_of_order(prefix, &last, key));
                }
                key.clone_into(&mut last);
                let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
                found.push(BlobInfo { key: key.to_owned(), bytes });
            }
            if answer.is_truncated() != Some(true) || answer.contents().is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// Lists from a server that has an order of its own: only all of the keys show which come next.
    pub(super) async fn list_sorted_here(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<BlobInfo>> {
        let mut found = self.list_in_server_order(prefix, "", usize::MAX, false).await?;
        found.retain(|blob| blob.key.as_str() > after);
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found.truncate(limit);
        Ok(found)
    }

    fn out_of_order(&self, prefix: &str, before: &str, key: &str) -> Error {
        let fault = format!("the server lists {key:?} after {before:?}, which is not the order of bytes");
        Error::new(ErrorKind::Unsupported, "list blobs", fault)
            .with_target(self.target(prefix))
            .with_remedy("name the server's flavour (S3Options::with_flavour), such as S3Flavour::SeaweedFs")
    }
}
