//! The `kakehashi` binary: everything is in the library.

/// glibc's grows and trims the heap's top for the aligned blocks of tasks, with system calls and cleared pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    kakehashi::cli::run()
}
