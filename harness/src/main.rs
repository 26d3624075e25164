//! The program `gauntlet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tls_gauntlet::cli::main()
}
