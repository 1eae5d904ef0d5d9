//! The `kakehashi` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    kakehashi::cli::run()
}
