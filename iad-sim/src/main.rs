//! Simulated access devices for laboratories and tests.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    iad_sim::cli::main().await
}
