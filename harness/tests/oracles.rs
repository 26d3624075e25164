//! The zoo, seen by tools that nobody here wrote: each backend shows its behaviour to at least one of them.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod oracle;
mod oracle_table;
mod tool;

use futures_util::future::join_all;
use oracle::Oracle::{self, Curl, EarlyData, Gnutls, Nmap, Python, SClient};
use rstest::rstest;
use tls_gauntlet_scenarios::catalogue;
use tool::{Target, is_installed};

/// One line of the table: what the oracle must say of the backend, and what it must not.
type Line = (&'static str, Oracle, &'static [&'static str], &'static [&'static str]);

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
    (
        "accepts-everything",
        SUITES,
        &[
            "SSLv3:",
            "TLSv1.1:",
            "TLSv1.3:",
            "TLS_RSA_WITH_NULL_SHA ",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ],
        &[],
    ),
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

const SERVER_NAME: &[Line] = &[
    ("sni-required", SClient("-noservername"), &["unrecognized name"], &["200 OK"]),
    ("sni-required-closes", SClient("-noservername"), &["unexpected eof", "has read 0 bytes"], &["200 OK"]),
    (
        "certificate-per-name",
        SClient("-servername wrong.gauntlet.test -verify_hostname wrong.gauntlet.test"),
        &["Verified peername: wrong.gauntlet.test"],
        &[],
    ),
    (
        "wrong-certificate-without-sni",
        SClient("-noservername -verify_hostname wrong.gauntlet.test"),
        &["Verified peername: wrong.gauntlet.test"],
        &[],
    ),
    ("host-must-match-sni", Curl("--header Host:other.test"), &["\n421 2 1"], &[]),
];

const HTTP: &[Line] = &[
    ("h1-only", Curl("--http2"), &["\n200 1.1 1"], &[]),
    ("h2-only", Curl("--http2"), &["\n200 2 1"], &[]),
    ("alpn-ignored", SClient("-alpn h2,http/1.1"), &["No ALPN negotiated", "200 OK"], &[]),
    ("alpn-refused", SClient("-alpn h2,http/1.1"), &["alert no application protocol"], &["200 OK"]),
    ("alpn-unoffered", SClient("-alpn h2"), &["tls_parse_stoc_alpn:bad extension"], &[]),
    ("h2-spoken-as-h1", SClient("-alpn h2"), &["ALPN protocol: h2", "HTTP/1.1 200 OK"], &[]),
    ("goes-away-after-request", Curl("--http1.1 --include"), &["connection: close", "\n200 "], &[]),
];

const SERVER_HELLO: &str = "(IN), TLS handshake, Server hello (2)";
const CERTIFICATE: &str = "(IN), TLS handshake, Certificate (11)";
const KEY_EXCHANGE: &str = "(IN), TLS handshake, Server key exchange (12)";
const OWN_FINISHED: &str = "(OUT), TLS handshake, Finished (20)";
const VERIFY: &str = "(IN), TLS handshake, CERT verify (15)";
const FINISHED: &str = "(IN), TLS handshake, Finished (20)";
const IN_TLS12: Oracle = Curl("--verbose --tls-max 1.2 --max-time 5");
const IN_TLS13: Oracle = Curl("--verbose --tlsv1.3 --max-time 5");
const HEAD: Oracle = Curl("--http1.1 --include --max-time 5");

const FAULT: &[Line] = &[
    ("refuses-connection", Curl(""), &["curl: (7)"], &[]),
    ("plaintext-http", Curl(""), &["wrong version number"], &[]),
    ("stalls-on-accept", Curl("--max-time 1"), &["curl: (28)"], &[]),
    ("resets-on-accept", Curl(""), &["Connection reset by peer"], &[]),
    ("closes-on-accept", SClient(""), &["unexpected eof", "has read 0 bytes"], &[]),
    ("garbage-on-accept", Curl(""), &["wrong version number"], &[]),
    ("stalls-before-handshake", Curl("--max-time 1"), &["curl: (28)"], &[]),
    ("resets-in-handshake", Curl(""), &["Connection reset by peer"], &[]),
    ("closes-in-handshake", SClient(""), &["unexpected eof", "has read 0 bytes"], &[]),
    ("alerts-in-handshake", SClient(""), &["alert internal error"], &[]),
    ("garbage-in-handshake", Curl(""), &["wrong version number"], &[]),
    ("wrong-record-length", SClient(""), &["packet length too long"], &[]),
    (
        "drips",
        Python("call = Call(); print(call.get()); print('segments', call.segments() > 300)"),
        &["200 OK", "segments True"],
        &[],
    ),
    (
        "intolerant-of-split-hello",
        Python("print(outcome(), outcome(split=100))"),
        &["ok ConnectionResetError"],
        &[],
    ),
    ("stalls-after-server-hello", IN_TLS12, &[SERVER_HELLO, "curl: (28)"], &[CERTIFICATE]),
    ("resets-after-server-hello", IN_TLS12, &[SERVER_HELLO, "Connection reset by peer"], &[CERTIFICATE]),
    ("closes-after-server-hello", IN_TLS13, &[SERVER_HELLO, "SSL_ERROR_SYSCALL"], &[CERTIFICATE]),
    ("stalls-after-certificate", IN_TLS12, &[CERTIFICATE, "curl: (28)"], &[KEY_EXCHANGE]),
    ("resets-after-certificate", IN_TLS13, &[CERTIFICATE, "Connection reset by peer"], &[VERIFY]),
    ("closes-after-certificate", IN_TLS12, &[CERTIFICATE, "SSL_ERROR_SYSCALL"], &[KEY_EXCHANGE]),
    ("stalls-before-finished", IN_TLS12, &[OWN_FINISHED, "curl: (28)"], &[FINISHED]),
    ("resets-before-finished", IN_TLS13, &[VERIFY, "Connection reset by peer"], &[FINISHED]),
    ("closes-before-finished", IN_TLS13, &[VERIFY, "SSL_ERROR_SYSCALL"], &[FINISHED]),
    ("stalls-after-request", HEAD, &["curl: (28)"], &["HTTP/1.1"]),
    ("resets-after-request", HEAD, &["Connection reset by peer"], &["HTTP/1.1"]),
    ("closes-after-request", HEAD, &["curl: (52)"], &["HTTP/1.1"]),
    ("garbage-after-request", HEAD, &["wrong version number"], &["HTTP/1.1"]),
    ("stalls-after-headers", HEAD, &["HTTP/1.1 200 OK", "curl: (28)", "0 out of"], &[]),
    ("resets-after-headers", HEAD, &["HTTP/1.1 200 OK", "Connection reset by peer"], &["\"backend\""]),
    ("closes-after-headers", HEAD, &["HTTP/1.1 200 OK", "curl: (18)"], &["\"backend\""]),
    (
        "drips-response",
        Python("call = Call(); print(call.get()); print('segments', call.segments() > 300)"),
        &["200 OK", "segments True"],
        &[],
    ),
    ("stalls-in-response", HEAD, &["\"backend\"", "curl: (28)"], &["}\n"]),
    ("alerts-after-server-hello", IN_TLS12, &[SERVER_HELLO, "alert internal error"], &[CERTIFICATE]),
    ("alerts-after-certificate", IN_TLS12, &[CERTIFICATE, "alert internal error"], &[KEY_EXCHANGE]),
    ("alerts-after-request", HEAD, &["alert internal error"], &["HTTP/1.1", "(35)"]),
    ("alerts-after-headers", HEAD, &["HTTP/1.1 200 OK", "alert internal error"], &["\"backend\""]),
    ("alerts-in-response", HEAD, &["\"backend\"", "alert internal error"], &["}\n"]),
    ("resets-in-response", HEAD, &["\"backend\"", "Connection reset by peer"], &["}\n"]),
    ("closes-in-response", HEAD, &["\"backend\"", "curl: (18)"], &["}\n"]),
    (
        "ends-without-close-notify",
        Python(
            "call = Call(); print(call.get())\ntry: print(call.do(call.tls.read, 1))\nexcept ssl.SSLEOFError: print('ragged')",
        ),
        &["200 OK", "ragged"],
        &[],
    ),
    (
        "closes-idle-keep-alive",
        Python("call = Call(); print(call.get()); print('rest', call.do(call.tls.read, 1))"),
        &["200 OK", "rest b''"],
        &["connection: close"],
    ),
    (
        "fails-twice-then-heals",
        Python("print(*(outcome() for _ in range(4)))"),
        &["ConnectionResetError ConnectionResetError ok ok"],
        &[],
    ),
    (
        "every-third-resets",
        Python("print(*(outcome() for _ in range(6)))"),
        &["ok ok ConnectionResetError ok ok ConnectionResetError"],
        &[],
    ),
];

const REHANDSHAKE: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
const REHANDSHAKE_OF_OLD: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION";
const HELLO_REQUEST: &str = "(IN), TLS handshake, Hello request (0)";
const LATE_TLS12: Oracle =
    Curl("--http1.1 --verbose --tls-max 1.2 --cert {folder}/good.pem --key {folder}/good.pem");
const LATE_TLS13: Oracle = Curl("--http1.1 --verbose --cert {folder}/good.pem --key {folder}/good.pem");

/// curl, with these arguments, for a path that some backends protect.
macro_rules! secure {
    ($arguments:literal) => {
        Curl(concat!(
            "--http1.1 --verbose --request-target /a/secure/place --cert {folder}/good.pem ",
            $arguments
        ))
    };
}

const RENEGOTIATION: &[Line] = &[
    ("renegotiation-required", LATE_TLS12, &[HELLO_REQUEST, "\n200 1.1 1"], &[]),
    ("renegotiation-required-dual", LATE_TLS12, &[HELLO_REQUEST, "\n200 1.1 1"], &[]),
    (
        "renegotiation-required-dual",
        LATE_TLS13,
        &["TLS handshake, Request CERT (13)", "\n200 1.1 1"],
        &[HELLO_REQUEST],
    ),
    ("post-handshake-auth-required", LATE_TLS13, &["TLS handshake, Request CERT (13)", "\n200 1.1 1"], &[]),
    ("renegotiation-without-cert", LATE_TLS12, &[HELLO_REQUEST, "\n200 1.1 1"], &[]),
    ("renegotiates-as-itself", LATE_TLS12, &[HELLO_REQUEST, "\"renegotiations\":1", "\n200 1.1 1"], &[]),
    ("renegotiates-as-untrusted", LATE_TLS12, &[HELLO_REQUEST, "(OUT), TLS alert, unknown CA"], &["\n200 "]),
    (
        "renegotiates-as-expired",
        LATE_TLS12,
        &[HELLO_REQUEST, "(OUT), TLS alert, certificate expired"],
        &["\n200 "],
    ),
    // curl looks at the name once.
    ("renegotiates-as-other-name", LATE_TLS12, &[HELLO_REQUEST, "\n200 1.1 1"], &[]),
    ("renegotiation-repeated", LATE_TLS12, &[HELLO_REQUEST, "\"renegotiations\":3", "\n200 1.1 1"], &[]),
    ("client-cert-per-path", LATE_TLS12, &["\n200 1.1 1"], &[HELLO_REQUEST, "\"known\""]),
    ("client-cert-per-path", secure!("--tls-max 1.2"), &[HELLO_REQUEST, "\"known\":\"good\"", "\n200 "], &[]),
    ("client-cert-per-path", LATE_TLS13, &["\n200 1.1 1"], &["Request CERT (13)", "\"known\""]),
    (
        "client-cert-per-path",
        secure!("--tlsv1.3"),
        &["Request CERT (13)", "\"known\":\"good\"", "\n200 "],
        &[],
    ),
    ("renegotiation-per-path", LATE_TLS12, &["\n200 1.1 1"], &[HELLO_REQUEST]),
    ("renegotiation-per-path", secure!(""), &[HELLO_REQUEST, "\"renegotiations\":1", "\n200 "], &[]),
    ("renegotiation-in-response", LATE_TLS12, &["HTTP/1.1 200 OK", HELLO_REQUEST, "}\n", "\n200 1.1 1"], &[]),
    // Data, then a handshake message (RFC 5246 6.2.1).
    (
        "renegotiation-in-response",
        Python("call = Call(); call.ask(); print(*call.records(1))"),
        &["23 22"],
        &[],
    ),
    (
        "renegotiation-without-cert",
        Python("call = Call(); call.ask(); print(*call.records(1))"),
        &["22"],
        &["23"],
    ),
    (
        "hello-request-storm",
        Python("call = Call(); call.ask(); print(*call.records(20))"),
        &["22 22 22 22 22 22 22 22 22 22 22 22 22 22 22 22 22 22 22 22"],
        &["23"],
    ),
    ("hello-request-storm", LATE_TLS12, &["\"renegotiations\":1", "\n200 1.1 1"], &[]),
    (
        "client-renegotiation-allowed",
        Gnutls(REHANDSHAKE, "--rehandshake"),
        &["ReHandshake was completed"],
        &[],
    ),
    (
        "client-renegotiation-allowed",
        Gnutls(REHANDSHAKE_OF_OLD, "--rehandshake"),
        &["Handshake was completed"],
        &["ReHandshake was completed"],
    ),
    (
        "client-renegotiation-unsafe",
        Gnutls(REHANDSHAKE_OF_OLD, "--rehandshake"),
        &["ReHandshake was completed"],
        &[],
    ),
    (
        "tls12-only",
        Gnutls(REHANDSHAKE, "--rehandshake"),
        &["Handshake was completed"],
        &["ReHandshake was completed"],
    ),
    ("without-secure-renegotiation", Curl("--tls-max 1.2"), &["unsafe legacy renegotiation disabled"], &[]),
    (
        "without-secure-renegotiation",
        SClient("-legacy_server_connect"),
        &["Secure Renegotiation IS NOT supported", "200 OK"],
        &[],
    ),
];

const TLS13: &[Line] = &[
    (
        "key-update",
        SClient("-msg"),
        &["<<< TLS 1.3, Handshake [length 0005], KeyUpdate", "18 00 00 01 00", "200 OK"],
        &[],
    ),
    (
        "key-update-asked",
        SClient("-msg"),
        &["<<< TLS 1.3, Handshake [length 0005], KeyUpdate", "18 00 00 01 01", "200 OK"],
        &[],
    ),
    (
        "key-update-flood",
        SClient("-msg"),
        &["<<< TLS 1.3, Handshake [length 0005], KeyUpdate", "18 00 00 01 01", "200 OK"],
        &[],
    ),
    // 4,096 bytes and the tag.
    ("padded-records", SClient("-msg"), &["17 03 03 10 10", "200 OK"], &[]),
    // One byte, its type and the tag.
    ("tiny-records", SClient("-tls1_3 -msg"), &["17 03 03 00 12"], &["17 03 03 01"]),
];

const RESUMPTION: &[Line] = &[
    ("session-ids", SClient("-tls1_2 -reconnect"), &["Reused, TLSv1.2"], &["TLS session ticket:"]),
    ("tickets", SClient("-tls1_2 -reconnect"), &["Reused, TLSv1.2", "TLS session ticket:"], &[]),
    ("tickets-refused", SClient("-tls1_2 -reconnect"), &["TLS session ticket:"], &["Reused"]),
    ("tickets", Python("call = Call().getting(); print('reused', again(call))"), &["reused True"], &[]),
    ("ticket-key-rotated", SClient("-tls1_2 -reconnect"), &["TLS session ticket:"], &["Reused"]),
    (
        "ticket-key-rotated",
        Python("call = Call().getting(); print('reused', again(call))"),
        &["reused False"],
        &[],
    ),
    // The key of the second connection is the next; that of the third is the one after the next.
    (
        "ticket-keys-overlap",
        Python("call = Call().getting(); print('reused', again(call), again(call))"),
        &["reused True False"],
        &[],
    ),
    (
        "resumes-with-another-certificate",
        Python(
            "call = Call().getting(); print('reused', again(call), 'same', shown(call) == shown(Call().getting()))",
        ),
        &["reused True same False"],
        &[],
    ),
    (
        "early-data-accepted",
        EarlyData,
        &["Reused, TLSv1.3", "Early data was accepted", "\"early_data\":84"],
        &[],
    ),
    (
        "early-data-refused",
        EarlyData,
        &["Reused, TLSv1.3", "Early data was rejected", "\"early_data\":0"],
        &[],
    ),
    ("tls12-only", SClient("-tls1_2 -reconnect"), &["New, TLSv1.2"], &["TLS session ticket:", "Reused"]),
];

const CERTIFICATES: &[Line] = &[
    ("issued-by-client-ca", Curl(""), &["unable to get local issuer certificate"], &["\n200 "]),
    ("issued-by-client-ca", Curl("--cacert {folder}/client-root.pem"), &["\n200 "], &[]),
    (
        "certificate-renewed",
        Python("a, b, c = (shown(Call().getting()) for _ in range(3)); print(a == b, b == c)"),
        &["True False"],
        &[],
    ),
    (
        "certificate-turns-untrusted",
        Python("print(*(outcome() for _ in range(4)))"),
        &["ok ok SSLCertVerificationError SSLCertVerificationError"],
        &[],
    ),
    ("certificate-turns-untrusted", Python(THIRD), &["unable to get local issuer certificate"], &[]),
    (
        "certificate-expires-between",
        Python("print(*(outcome() for _ in range(4)))"),
        &["ok ok SSLCertVerificationError SSLCertVerificationError"],
        &[],
    ),
    ("certificate-expires-between", Python(THIRD), &["certificate has expired"], &[]),
];

/// What is wrong with the third connection.
const THIRD: &str = "outcome(), outcome()\ntry: Call().get()\nexcept ssl.SSLError as error: print(error)";

const CERTIFIED: Oracle = Curl("--http1.1 --cert {folder}/good.pem --key {folder}/good.pem");

/// `s_client`, with these arguments and this certificate.
macro_rules! shows {
    ($arguments:literal, $name:literal) => {
        SClient(concat!($arguments, "-cert {folder}/", $name, ".pem -cert_chain {folder}/", $name, ".pem"))
    };
}

const CLIENT_CERTIFICATE: &[Line] = &[
    ("client-cert-optional", SClient(""), &["Acceptable client certificate CA names", "200 OK"], &[]),
    ("client-cert-optional", CERTIFIED, &["\"known\":\"good\"", "\n200 "], &[]),
    ("client-cert-required", SClient("-tls1_2"), &["alert handshake failure"], &["200 OK"]),
    ("client-cert-required", SClient("-tls1_3"), &["alert certificate required"], &["200 OK"]),
    ("client-cert-required", CERTIFIED, &["\"known\":\"good\"", "\n200 "], &[]),
    ("client-cert-required", shows!("", "expired"), &["alert certificate expired"], &["200 OK"]),
    ("client-cert-required", shows!("", "untrusted"), &["alert unknown ca"], &["200 OK"]),
    ("client-cert-required", shows!("", "not-yet-valid"), &["alert bad certificate"], &["200 OK"]),
    ("client-cert-required", shows!("", "issued-by-server-ca"), &["alert unknown ca"], &["200 OK"]),
    ("client-cert-required", shows!("", "revoked-intermediate"), &["alert certificate revoked"], &["200 OK"]),
    (
        "client-cert-required",
        shows!("", "wrong-extended-key-usage"),
        &["alert unsupported certificate"],
        &["200 OK"],
    ),
    ("client-cert-required", shows!("", "revoked"), &["alert certificate revoked"], &["200 OK"]),
    (
        "client-cert-required",
        shows!("-cipher DEFAULT@SECLEVEL=0 ", "weak"),
        &["alert bad certificate"],
        &["200 OK"],
    ),
    (
        "authority-hints-empty",
        SClient("-tls1_2"),
        &["No client certificate CA names sent", "Requested Signature Algorithms"],
        &[],
    ),
    ("authority-hints-empty", CERTIFIED, &["\"known\":\"good\"", "\n200 "], &[]),
    ("authority-hints-wrong", SClient("-tls1_2"), &["CN = Nobody's Authority"], &[]),
    ("authority-hints-wrong", CERTIFIED, &["\"known\":\"good\"", "\n200 "], &[]),
    ("authority-hints-huge", SClient("-tls1_2"), &["CN = Authority 500 of a long list"], &[]),
    ("authority-hints-huge", CERTIFIED, &["\"known\":\"good\"", "\n200 "], &[]),
    ("client-cert-refused-late", CERTIFIED, &["\"known\":\"good\"", "\n200 "], &[]),
    ("client-cert-refused-late", SClient("-tls1_3"), &["alert certificate required"], &["200 OK"]),
    // Up to TLS 1.2 the server's Finished comes after the client's certificate.
    (
        "client-cert-refused-late",
        Curl("--verbose --tls-max 1.2 --cert {folder}/revoked.pem"),
        &[FINISHED, "alert certificate revoked"],
        &["\n200 "],
    ),
    ("client-cert-or-400", Curl(""), &["\n400 "], &[]),
    ("client-cert-or-400", CERTIFIED, &["\n200 "], &[]),
    ("client-cert-or-403", Curl("--cert {folder}/expired.pem --key {folder}/expired.pem"), &["\n403 "], &[]),
    ("client-cert-or-403", CERTIFIED, &["\n200 "], &[]),
];

const FETCH_CRL: Oracle = SClient("-crl_check -crl_download");
const ASK_OCSP: Oracle = Gnutls("NORMAL", "--ocsp");
const STAPLE: Oracle = SClient("-status");
const WANT_STAPLE: Oracle = Curl("--cert-status");

const REVOCATION: &[Line] = &[
    ("plain-good", FETCH_CRL, &["Verify return code: 3 (unable to get certificate CRL)"], &[]),
    ("crl-current", FETCH_CRL, &["Verify return code: 0 (ok)"], &[]),
    ("revoked-by-crl", FETCH_CRL, &["Verify return code: 23 (certificate revoked)"], &[]),
    ("revoked-intermediate", Curl("--crlfile {folder}/crl.pem"), &["certificate revoked"], &["\n200 "]),
    ("revoked-intermediate", Curl(""), &["\n200 "], &[]),
    ("plain-good", Curl("--crlfile {folder}/crl.pem"), &["\n200 "], &[]),
    ("crl-stale", FETCH_CRL, &["Verify return code: 12 (CRL has expired)"], &[]),
    ("crl-slow", Python("print(status('crlDistributionPoints'))"), &["TimeoutError"], &[]),
    ("crl-unreachable", Python("print(status('crlDistributionPoints'))"), &["ConnectionRefusedError"], &[]),
    ("ocsp-good", ASK_OCSP, &["OCSP: verified 1 certificate(s).", "Handshake was completed"], &[]),
    ("revoked-by-ocsp", ASK_OCSP, &["Certificate was revoked at"], &["Handshake was completed"]),
    (
        "ocsp-stale",
        ASK_OCSP,
        &["The OCSP response was issued at", "newer issue"],
        &["Handshake was completed"],
    ),
    ("ocsp-slow", Python("print(status('OCSP'))"), &["TimeoutError"], &[]),
    ("ocsp-unreachable", Python("print(status('OCSP'))"), &["ConnectionRefusedError"], &[]),
    ("stapled-good", STAPLE, &["OCSP Response Status: successful", "Cert Status: good"], &[]),
    ("stapled-good", WANT_STAPLE, &["\n200 "], &[]),
    ("stapled-good", SClient(""), &["200 OK"], &["OCSP Response Status"]),
    ("stapled-good", SClient("-status -tls1_2"), &["Cert Status: good"], &[]),
    ("stapled-revoked", STAPLE, &["Cert Status: revoked"], &[]),
    ("stapled-revoked", WANT_STAPLE, &["curl: (91) SSL certificate revocation reason: keyCompromise"], &[]),
    ("stapled-expired", WANT_STAPLE, &["curl: (91) OCSP response has expired"], &[]),
    ("stapled-garbage", WANT_STAPLE, &["curl: (91) Invalid OCSP response"], &[]),
    ("must-staple-kept", Gnutls("NORMAL", ""), &["The certificate is trusted", "OCSP status request"], &[]),
    ("must-staple-violated", STAPLE, &["OCSP response: no response sent", "200 OK"], &[]),
    (
        "must-staple-violated",
        Gnutls("NORMAL", ""),
        &[
            "The certificate requires the server to include an OCSP status in its response, but the OCSP status is missing",
        ],
        &["Handshake was completed"],
    ),
];

#[rstest]
#[case::revocation(REVOCATION)]
#[case::client_certificate(CLIENT_CERTIFICATE)]
#[case::certificates(CERTIFICATES)]
#[case::renegotiation(RENEGOTIATION)]
#[case::tls13(TLS13)]
#[case::resumption(RESUMPTION)]
#[case::server_name(SERVER_NAME)]
#[case::http(HTTP)]
#[case::fault(FAULT)]
#[case::protocol(PROTOCOL)]
#[case::cipher(CIPHER)]
#[case::group(GROUP)]
#[tokio::test]
async fn what_oracles_say(#[case] table: &'static [Line]) {
    // Making keys takes the processor for itself, so all of that is done before anybody waits for an answer.
    let mut targets = Vec::new();
    for line in table.iter().filter(|(_, oracle, ..)| is_installed(oracle.program())) {
        targets.push((line, Target::start(line.0).await));
    }
    let asked = targets.iter().map(|((backend, oracle, wanted, unwanted), target)| async move {
        let said = oracle.ask(target).await;
        let whole = format!("{}\n{}", said.out, said.err);
        let missing = wanted.iter().filter(|words| !whole.contains(**words));
        let surplus = unwanted.iter().filter(|words| whole.contains(**words));
        let wrong: Vec<_> = missing.chain(surplus).collect();
        (!wrong.is_empty()).then(|| format!("{backend} to {oracle:?}: {wrong:?} in\n{whole}"))
    });
    let wrong: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The tables, by the family that each is for.
const TABLES: &[(&str, &[Line])] = &[
    ("revocation", REVOCATION),
    ("protocol", PROTOCOL),
    ("cipher", CIPHER),
    ("group", GROUP),
    ("server-name", SERVER_NAME),
    ("http", HTTP),
    ("fault", FAULT),
    ("renegotiation", RENEGOTIATION),
    ("tls13", TLS13),
    ("client-certificate", CLIENT_CERTIFICATE),
    ("resumption", RESUMPTION),
    // Of the family "certificate", whose others are in `backend_certificates.rs`.
    ("some certificates", CERTIFICATES),
];

/// Every backend of these families stands in a table.
#[test]
fn nobody_is_left_out() {
    for (family, table) in TABLES {
        for (name, _, _) in catalogue().backends().filter(|(_, of, _)| of == family) {
            assert!(table.iter().any(|(backend, ..)| *backend == name), "{family}/{name} has no oracle");
        }
    }
}
