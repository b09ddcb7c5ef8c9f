//! The scaler in memory keeps the contract.

use alfred_ops_scaling::MemoryScaler;
use alfred_ops_scaling::testing::conformance;

#[tokio::test]
async fn memory() {
    conformance::scaler(&MemoryScaler::new("agents", 0)).await;
}
