//! Images put into a registry, as clients do it.

use aws_lc_rs::digest::{SHA256, digest};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let hex: String = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A manifest of these blobs, of which the first is the configuration.
pub(crate) fn image_manifest(blobs: &[&str]) -> String {
    let described: Vec<Value> =
        blobs.iter().map(|blob| json!({"mediaType": "text/plain", "digest": digest_of(blob.as_bytes()), "size": blob.len()})).collect();
    json!({"schemaVersion": 2, "mediaType": IMAGE, "config": described[0], "layers": described[1..]})
        .to_string()
}

pub(crate) fn index_manifest(parts: &[&str]) -> String {
    let parts: Vec<Value> = parts
        .iter()
        .map(|part| json!({"mediaType": IMAGE, "digest": digest_of(part.as_bytes()), "size": part.len()}))
        .collect();
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}).to_string()
}

/// Speaks to a registry, with a password if it has users.
pub(crate) struct Pusher {
    client: Client,
    url: String,
    password: Option<String>,
}

impl Pusher {
    pub(crate) fn new(url: String, password: Option<&str>) -> Self {
        Self {
            client: alfred_ops_core::http::plain_client().unwrap(),
            url,
            password: password.map(str::to_owned),
        }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, content_type: &str, body: &str) -> Response {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/v2/{path}", self.url) };
        let mut request = self.client.request(method, url).header("content-type", content_type);
        request = request.header("accept", format!("{IMAGE}, {INDEX}"));
        if let Some(password) = &self.password {
            request = request.basic_auth("ops", Some(password));
        }
        request.body(body.to_owned()).send().await.unwrap()
    }

    /// Puts an image of two layers, one of which is shared by all. Returns its manifest.
    pub(crate) async fn image(&self, repository: &str, tag: &str, content: &str) -> String {
        let blobs = [&*format!("{{\"of\":\"{content}\"}}"), content, "what all images have in common"];
        for blob in blobs {
            let begun =
                self.ask(Method::POST, &format!("{repository}/blobs/uploads/"), "text/plain", "").await;
            assert_eq!(begun.status(), 202);
            let place = begun.headers()["location"].to_str().unwrap();
            let place = format!("{place}&digest={}", digest_of(blob.as_bytes()));
            let put = self.ask(Method::PUT, &place, "application/octet-stream", blob).await;
            assert_eq!(put.status(), 201);
        }
        let manifest = image_manifest(&blobs);
        self.put(repository, tag, IMAGE, &manifest).await;
        manifest
    }

    /// Puts an index of manifests. Returns its own.
    pub(crate) async fn index(&self, repository: &str, tag: &str, parts: &[&str]) -> String {
        let manifest = index_manifest(parts);
        self.put(repository, tag, INDEX, &manifest).await;
        manifest
    }

    async fn put(&self, repository: &str, tag: &str, content_type: &str, manifest: &str) {
        let tag = if tag.is_empty() { digest_of(manifest.as_bytes()) } else { tag.to_owned() };
        let put =
            self.ask(Method::PUT, &format!("{repository}/manifests/{tag}"), content_type, manifest).await;
        assert_eq!(put.status(), 201, "{:?}", put.text().await);
    }

    /// The digest of a tag, if it is there.
    pub(crate) async fn tag(&self, repository: &str, tag: &str) -> Option<String> {
        let answer = self.ask(Method::GET, &format!("{repository}/manifests/{tag}"), "text/plain", "").await;
        (answer.status() == 200).then_some(())?;
        Some(digest_of(&answer.bytes().await.unwrap()))
    }

    pub(crate) async fn has(&self, repository: &str, manifest: &str) -> bool {
        self.tag(repository, &digest_of(manifest.as_bytes())).await.is_some()
    }

    /// Whether all blobs of an image are there.
    pub(crate) async fn is_whole(&self, repository: &str, manifest: &str) -> bool {
        let manifest: Value = serde_json::from_str(manifest).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
        for layer in layers {
            let path = format!("{repository}/blobs/{}", layer["digest"].as_str().unwrap());
            if self.ask(Method::GET, &path, "text/plain", "").await.status() != 200 {
                return false;
            }
        }
        true
    }
}
