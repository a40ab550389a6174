//! Simulated access devices for laboratories and tests.

// Who waits for the sockets handles what comes: with several threads nearly each batch would change between two.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    iad_sim::cli::main().await
}
