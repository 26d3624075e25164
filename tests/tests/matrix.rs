//! The whole matrix, one test for each cell: the embedded gateway, our own client alone, the real gateways,
//! two of them in another version, and three that the embedded one imitates.

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
        "nginx@1.26",
        "haproxy@3.0",
        "azure-apim-classic@2025-08",
        "azure-apim-v2@2025-08",
        "azure-resource-manager@2025-02",
    ])
}
