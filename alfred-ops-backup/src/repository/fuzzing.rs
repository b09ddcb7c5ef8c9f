//! Our own format, for fuzz targets: nothing may panic, and what is read is written the same.

use bytes::Bytes;

use super::frame::split_frames;
use super::header::Header;
use super::index::{Index, Tables};
use super::page_map::PageMap;
use super::sealer::Sealer;
use super::{BackupRecord, Layout};

/// Every kind of object.
pub fn format(data: &[u8]) {
    if let Ok(frames) = split_frames(&Bytes::copy_from_slice(data)) {
        let whole: Vec<u8> = frames.concat();
        assert_eq!(whole, data, "frames lose nothing");
        for frame in frames {
            let _ = Sealer::default().open("fuzz", &frame, None);
        }
    }
    if let Ok(index) = Index::decode(data) {
        let again = Index::decode(&index.encode()).map(|index| index.encode());
        assert_eq!(again.ok(), Some(index.encode()), "an index is read as it was written");
    }
    let _ = Tables::read(data);
    if let Ok(map) = PageMap::decode(data) {
        let again = PageMap::decode(&map.encode()).map(|map| map.encode());
        assert_eq!(again.ok(), Some(map.encode()), "a page map is read as it was written");
    }
    let _ = Header::parse(data, "fuzz");
    let _ = serde_json::from_slice::<BackupRecord>(data);
    let _ = Layout::positions_of_chunk(&String::from_utf8_lossy(data));
}
