//! The whole matrix, one test for each cell: the embedded gateway, our own client alone, and the real gateways.

use std::process::ExitCode;

fn main() -> ExitCode {
    tls_gauntlet::trials::main(&[
        "reference",
        "direct",
        "nginx",
        "haproxy",
        "envoy",
        "caddy",
        "traefik",
        "httpd",
    ])
}
