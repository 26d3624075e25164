//! The zoo, seen by tools that nobody here wrote: each backend shows its behaviour to at least one of them.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod tool;

use futures_util::future::join_all;
use rstest::rstest;
use tls_gauntlet_scenarios::catalogue;
use tool::{Said, Target, is_installed};

/// Who looks, and what for.
#[derive(Debug, Clone, Copy)]
enum Oracle {
    /// `openssl s_client` of the distribution, with these arguments.
    SClient(&'static str),
    /// curl, with these arguments.
    Curl(&'static str),
    /// `gnutls-cli`, with this priority and these arguments.
    Gnutls(&'static str, &'static str),
    /// nmap, with this script.
    Nmap(&'static str),
}

impl Oracle {
    fn program(self) -> &'static str {
        match self {
            Self::SClient(_) => "openssl",
            Self::Curl(_) => "curl",
            Self::Gnutls(..) => "gnutls-cli",
            Self::Nmap(_) => "nmap",
        }
    }

    async fn ask(self, target: &Target) -> Said {
        match self {
            Self::SClient(arguments) => target.s_client(arguments).await,
            Self::Curl(arguments) => target.curl(arguments).await,
            Self::Gnutls(priority, arguments) => target.gnutls(priority, arguments).await,
            Self::Nmap(script) => target.nmap(script).await,
        }
    }
}

/// One line of the table: what the oracle must say of the backend, and what it must not.
type Line = (&'static str, Oracle, &'static [&'static str], &'static [&'static str]);

use Oracle::{Gnutls, Nmap, SClient};

const SUITES: Oracle = Nmap("ssl-enum-ciphers");

const PROTOCOL: &[Line] = &[
    ("ssl3-only", SUITES, &["SSLv3:", "TLS_RSA_WITH_AES_128_CBC_SHA"], &["TLSv1"]),
    ("ssl3-to-tls12", SUITES, &["SSLv3:", "TLSv1.0:", "TLSv1.1:", "TLSv1.2:"], &["TLSv1.3:"]),
    ("tls10-to-11", SUITES, &["TLSv1.0:", "TLSv1.1:"], &["SSLv3:", "TLSv1.2:", "TLSv1.3:"]),
    ("tls10-to-12", SUITES, &["TLSv1.0:", "TLSv1.1:", "TLSv1.2:"], &["SSLv3:", "TLSv1.3:"]),
    ("tls11-to-12", SUITES, &["TLSv1.1:", "TLSv1.2:"], &["TLSv1.0:", "TLSv1.3:"]),
    ("tls10-to-13", SUITES, &["TLSv1.0:", "TLSv1.1:", "TLSv1.2:", "TLSv1.3:"], &["SSLv3:"]),
    ("tls10-and-12", SUITES, &["TLSv1.0:", "TLSv1.2:"], &["TLSv1.1:", "TLSv1.3:"]),
    ("tls11-and-13", SUITES, &["TLSv1.1:", "TLSv1.3:"], &["TLSv1.0:", "TLSv1.2:"]),
    ("tls10-only", SUITES, &["TLSv1.0:"], &["TLSv1.1:", "TLSv1.2:", "TLSv1.3:"]),
    ("tls11-only", SUITES, &["TLSv1.1:"], &["TLSv1.0:", "TLSv1.2:", "TLSv1.3:"]),
    ("tls12-only", SUITES, &["TLSv1.2:"], &["TLSv1.1:", "TLSv1.3:"]),
    ("tls12-and-13", SUITES, &["TLSv1.2:", "TLSv1.3:"], &["TLSv1.1:"]),
    ("tls13-only", SUITES, &["TLSv1.3:"], &["TLSv1.2:"]),
];

const CIPHER: &[Line] = &[
    (
        "rc4-only",
        SUITES,
        &["TLS_ECDHE_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_RC4_128_SHA"],
        &["AES", "TLSv1.3:"],
    ),
    (
        "3des-only",
        Gnutls("NORMAL:-CIPHER-ALL:+3DES-CBC", ""),
        &["(3DES-CBC)", "Handshake was completed"],
        &[],
    ),
    ("null-only", SClient("-tls1_2 -cipher eNULL@SECLEVEL=0"), &["Cipher is NULL-SHA256", "200 OK"], &[]),
    (
        "anonymous-only",
        SClient("-tls1_2 -cipher aNULL@SECLEVEL=0"),
        &["no peer certificate available", "ADH-AES128-GCM-SHA256", "200 OK"],
        &[],
    ),
    ("cbc-sha1-only", SUITES, &["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA "], &["GCM", "SHA256 ", "TLSv1.3:"]),
    ("cbc-sha256-only", SUITES, &["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 "], &["GCM", "_SHA "]),
    ("cbc-sha384-only", SUITES, &["TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 "], &["GCM", "_SHA "]),
    ("static-rsa-cbc", SUITES, &["TLS_RSA_WITH_AES_128_CBC_SHA "], &["ECDHE", "GCM"]),
    ("static-rsa-gcm", SUITES, &["TLS_RSA_WITH_AES_128_GCM_SHA256 "], &["ECDHE", "CBC"]),
    ("dhe-only-2048", SUITES, &["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 (dh 2048)"], &["ECDHE"]),
    ("dhe-only-1024", SUITES, &["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 (dh 1024)"], &["ECDHE"]),
    ("chacha20-only", SUITES, &["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"], &["AES"]),
    ("aes128-gcm-only", SUITES, &["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], &["AES_256", "CHACHA"]),
    ("aes256-gcm-only", SUITES, &["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"], &["AES_128", "CHACHA"]),
    ("tls13-aes128-gcm", SClient("-tls1_3"), &["TLS_AES_128_GCM_SHA256", "200 OK"], &[]),
    (
        "tls13-aes256-gcm",
        Gnutls("NORMAL", ""),
        &["(TLS1.3-X.509)", "(AES-256-GCM)", "Handshake was completed"],
        &[],
    ),
    ("tls13-chacha20", SClient("-tls1_3"), &["TLS_CHACHA20_POLY1305_SHA256", "200 OK"], &[]),
    ("tls13-ccm", Gnutls("NORMAL", ""), &["(TLS1.3-X.509)", "(AES-128-CCM)", "Handshake was completed"], &[]),
    (
        "tls13-ccm8",
        SClient("-tls1_3 -ciphersuites TLS_AES_128_CCM_8_SHA256"),
        &["TLS_AES_128_CCM_8_SHA256", "200 OK"],
        &[],
    ),
    ("ccm-only", SUITES, &["TLS_ECDHE_ECDSA_WITH_AES_128_CCM "], &["GCM", "CBC"]),
];

const GROUP: &[Line] = &[
    ("x25519-only", Gnutls("NORMAL", ""), &["(ECDHE-X25519)", "Handshake was completed"], &[]),
    ("p256-only", Gnutls("NORMAL", ""), &["(ECDHE-SECP256R1)", "Handshake was completed"], &[]),
    ("p384-only", Gnutls("NORMAL", ""), &["(ECDHE-SECP384R1)", "Handshake was completed"], &[]),
    ("p521-only", Gnutls("NORMAL", ""), &["(ECDHE-SECP521R1)", "Handshake was completed"], &[]),
    ("x448-only", SClient(""), &["Server Temp Key: X448", "200 OK"], &[]),
    ("ffdhe2048-only", Gnutls("NORMAL", ""), &["(DHE-FFDHE2048)", "Handshake was completed"], &[]),
    // No tool of the distribution speaks these yet: what they see is that nothing else will do.
    ("x25519mlkem768-only", SClient("-tls1_3"), &["alert handshake failure"], &["200 OK"]),
    ("secp256r1mlkem768-only", SClient("-tls1_3"), &["alert handshake failure"], &["200 OK"]),
    (
        "forces-hello-retry-request",
        SClient("-tls1_3 -trace"),
        &["ClientHello, Length=347", "NamedGroup: secp521r1 (P-521) (25)", "200 OK"],
        &[],
    ),
    ("without-post-quantum", SClient(""), &["Server Temp Key: X25519", "200 OK"], &[]),
];

#[rstest]
#[case::protocol(PROTOCOL)]
#[case::cipher(CIPHER)]
#[case::group(GROUP)]
#[tokio::test]
async fn what_oracles_say(#[case] table: &'static [Line]) {
    let asked = table.iter().filter(|(_, oracle, ..)| is_installed(oracle.program())).map(
        |&(backend, oracle, wanted, unwanted)| async move {
            let target = Target::start(backend).await;
            let said = oracle.ask(&target).await;
            let whole = format!("{}\n{}", said.out, said.err);
            let missing = wanted.iter().filter(|words| !whole.contains(**words));
            let surplus = unwanted.iter().filter(|words| whole.contains(**words));
            let wrong: Vec<_> = missing.chain(surplus).collect();
            (!wrong.is_empty()).then(|| format!("{backend} to {oracle:?}: {wrong:?} in\n{whole}"))
        },
    );
    let wrong: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Every backend of these families stands in a table.
#[test]
fn nobody_is_left_out() {
    for (family, table) in [("protocol", PROTOCOL), ("cipher", CIPHER), ("group", GROUP)] {
        for (name, _, _) in catalogue().backends().filter(|(_, of, _)| *of == family) {
            assert!(table.iter().any(|(backend, ..)| *backend == name), "{family}/{name} has no oracle");
        }
    }
}
