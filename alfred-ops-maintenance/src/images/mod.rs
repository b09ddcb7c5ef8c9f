//! Images of containers: which are removed from an engine or a registry, and which never.

#[cfg(feature = "cloud-run-use")]
mod cloud_run_use;
#[cfg(feature = "images")]
mod docker;
mod facts;
mod family;
mod image_care;
mod image_ref;
mod image_store;
mod image_use;
#[cfg(feature = "kubernetes-use")]
mod kubernetes_use;
mod plan;
#[cfg(feature = "kubernetes-use")]
mod pod_images;
mod policy;
mod reason;
#[cfg(feature = "images")]
mod registry;
mod seen_image;
mod seen_images;
mod stable_version;

#[cfg(test)]
mod tests;

#[cfg(feature = "cloud-run-use")]
pub use cloud_run_use::CloudRunUse;
#[cfg(feature = "images")]
pub use docker::DockerEngine;
pub use facts::{ImageFacts, ImageLayer, ImageTag, ImageView, UsedImage};
pub use image_care::ImageCare;
pub use image_ref::ImageRef;
pub use image_store::{IMAGES_MAX, ImageListing, ImageRemoval, ImageStore};
pub use image_use::{ClosureUse, ImageUse};
#[cfg(feature = "kubernetes-use")]
pub use kubernetes_use::KubernetesUse;
pub use plan::{ImagePlan, ImageStep, plan_images};
pub use policy::ImagePolicy;
pub use reason::{ImageKeep, ImageReason};
#[cfg(feature = "images")]
pub use registry::{Registry, TagReport};
