//! Fuzzing on the stable toolchain: inputs that others wrote, changed at random, the same each time, for every reader of ours.
//!
//! A test run takes a few thousand of them; `ci/fuzz.sh` as many as it is told to. An input that makes a reader panic, take too long
//! or hold too much is written to a file and named.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::{
    collections::BTreeMap,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rstest::rstest;
use tls_gauntlet_certs::{ClientCertificate, Identity, PfxEncryption, Pki, ServerCertificate, authorities};
use tls_gauntlet_scenarios::{
    BackendProfile, ClientProfile, GatewayProfile, ListenerProfile, UpstreamProfile,
    custom_properties::CustomProperties,
};

use crate::{
    configuration::{Configuration, InMemory, Kind},
    gateway::manifest::Manifest,
    late::LateReport,
    limits::SERVER_FLIGHT,
    printable,
    record::{Baseline, RunRecord},
    scan::record::ScanRecord,
    wire::{
        client_hello::{self, Assembly, FirstMessage},
        offer::Offer,
        server_flight::ServerFlight,
    },
};

/// How many inputs each reader gets.
const EXECUTIONS: &str = "GAUNTLET_FUZZ";
const FEW: u64 = 2000;

/// The longest that an input may take; it strikes where work grows faster than the input.
const LONGEST: Duration = Duration::from_secs(5);

/// The most that an input grows to.
const LARGEST: usize = 64 << 10;

/// Hands changed seeds to a reader. It ends with the input that the reader cannot bear.
pub(crate) fn each(name: &str, seeds: &[Vec<u8>], reader: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "{name} has no seed");
    let count = env::var(EXECUTIONS).ok().and_then(|count| count.parse().ok()).unwrap_or(FEW);
    let words = words();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let held = resident();
    for seed in seeds {
        bear(name, seed, &reader);
    }
    for _ in 0..count {
        let mut input = seeds[chance.below(seeds.len())].clone();
        for _ in 0..=chance.below(8) {
            chance.change(&mut input, seeds, &words);
        }
        input.truncate(LARGEST);
        bear(name, &input, &reader);
    }
    let grown = resident().saturating_sub(held);
    assert!(grown < 256 << 10, "{name} holds {grown} kB more after {count} inputs");
}

fn bear(name: &str, input: &[u8], reader: &impl Fn(&[u8])) {
    let kept = || {
        let path = env::temp_dir().join(format!("gauntlet-fuzz-{name}.input"));
        fs::write(&path, input).unwrap();
        path.display().to_string()
    };
    let began = Instant::now();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| reader(input))) {
        #[allow(clippy::print_stderr, reason = "the panic itself does not say for which input")]
        {
            eprintln!("{name} cannot bear {}", kept());
        }
        resume_unwind(panic);
    }
    assert!(began.elapsed() < LONGEST, "{name} takes {:?} for {}", began.elapsed(), kept());
}

/// What this process holds in memory, in kB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    held.and_then(|held| held.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// Knuth's MMIX generator: the same numbers each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end.max(1)
    }

    /// Changes the input at one place.
    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>]) {
        let place = self.below(input.len() + 1);
        let length = self.below(32).min(input.len() - place);
        let range = place..place + length;
        match self.below(9) {
            0 if length > 0 => input[place] ^= 1 << self.below(8),
            1 if length > 0 => input[place] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'{'][self.below(8)],
            2 => {
                input.splice(range, words[self.below(words.len())].iter().copied());
            }
            3 => {
                input.splice(place..place, words[self.below(words.len())].iter().copied());
            }
            4 => {
                input.drain(range);
            }
            5 => {
                let again = input[range].repeat(1 + self.below(64));
                input.splice(place..place, again);
            }
            6 => input.truncate(place),
            7 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len() + 1);
                let to = (from + self.below(256)).min(other.len());
                input.splice(place..place, other[from..to].iter().copied());
            }
            _ => {
                let number = [0_u16, 1, 0x00ff, 0x0100, 0x3fff, 0x4001, 0x7fff, 0xffff][self.below(8)];
                let range = place..(place + 2).min(input.len());
                input.splice(range, number.to_be_bytes());
            }
        }
    }
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The dictionary: what readers look for.
fn words() -> Vec<Vec<u8>> {
    let text = fs::read_to_string(here("tests/corpus/words.txt")).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| line.replace("\\n", "\n").into_bytes()).collect()
}

/// Every file below the folder whose name ends like this.
fn files(folder: &str, end: &str) -> Vec<Vec<u8>> {
    let (mut found, mut folders) = (Vec::new(), vec![here(folder)]);
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(fs::read(path).unwrap());
            }
        }
    }
    found
}

fn text(reader: impl Fn(&str)) -> impl Fn(&[u8]) {
    move |input| reader(&String::from_utf8_lossy(input))
}

#[test]
fn client_hellos() {
    each("client-hello", &files("tests/corpus", ".bin"), |bytes| {
        let facts = client_hello::facts(bytes);
        assert_eq!(facts.length, bytes.len());
        // Read in portions, it is what it is at once.
        let (whole, mut assembly) = (FirstMessage::of(bytes), Assembly::default());
        let portions = (0..bytes.len()).step_by(bytes.len() / 7 + 1).chain([bytes.len()]);
        let told = portions.map(|end| assembly.read(&bytes[..end])).find(|told| *told != FirstMessage::Begun);
        assert_eq!(told.unwrap_or(FirstMessage::Begun), whole);
        // What we write, we read the same.
        let mut offer = Offer::default();
        let _ = offer.read(bytes.get(5..).unwrap_or_default());
        // An extension that comes twice (RFC 8446 4.2 forbids it) adds up, and a list that is too long is cut.
        let mut kinds = offer.extensions.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let is_plain = kinds.len() == offer.extensions.len() && bytes.len() < LARGEST / 4;
        let written = again(&offer);
        assert!(!is_plain || again(&written) == written, "{written:?}");
    });
}

/// The offer, written and read again.
fn again(offer: &Offer) -> Offer {
    let mut read = Offer::default();
    let _ = read.read(&offer.record([7; 32])[5..]);
    // No key is written, so none is read.
    read.key_shares.clear();
    read
}

#[test]
fn server_flights() {
    let hello = [&[22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0xc0, 0x2b, 0]].concat();
    let certificates = [22, 3, 3, 0, 15, 11, 0, 0, 11, 0, 0, 8, 0, 0, 1, 0xaa, 0, 0, 1, 0xbb];
    let request = [22, 3, 3, 0, 15, 13, 0, 0, 11, 1, 64, 0, 2, 4, 3, 0, 3, 0, 1, 0xcc];
    let done = [22, 3, 3, 0, 4, 14, 0, 0, 0];
    let alert = vec![21, 3, 3, 0, 2, 2, 40];
    let seeds = [[&hello[..], &certificates, &request, &done].concat(), alert, b"HTTP/1.1 400\r\n".to_vec()];
    each("server-flight", &seeds, |bytes| {
        let mut flight = ServerFlight::default();
        for part in bytes.chunks(bytes.len() / 5 + 1).cycle().take(64) {
            flight.feed(part);
        }
        let held = flight.certificates.iter().map(|one| one.len() + size_of::<Vec<u8>>()).sum::<usize>();
        assert!(held <= 9 * SERVER_FLIGHT, "{held} bytes");
    });
}

#[test]
fn records() {
    let scan = include_bytes!("report/scan/sample.json").to_vec();
    let run = serde_json::to_vec(&serde_json::json!({
        "schema": "gauntlet.run/1", "tool": { "name": "gauntlet", "version": "0" }, "seed": 1, "started": "2026-01-01T00:00:00Z",
        "duration_ms": 1, "gateways": [{ "name": "nginx", "version": "1", "kind": "program" }], "summary": { "pass": 1 },
        "cells": [{ "id": "upstream/plain-good/strict::default/default::nginx", "gateway": "nginx", "client": "default",
            "listener": "default", "upstream": "strict", "backend": "plain-good", "verdict": "pass", "client_saw": {},
            "why": "w", "source": "s", "reproduce": "r", "duration_ms": 1 }]
    }));
    each(
        "records",
        &[scan, run.unwrap()],
        text(|text| {
            if let Ok(record) = RunRecord::parse(text) {
                let again = serde_json::to_string(&record).unwrap();
                assert_eq!(RunRecord::parse(&again).unwrap(), record);
                let _ = LateReport::of_record(&record);
                for format in crate::report::FORMATS {
                    let drawn = (format.render)(&record, &crate::report::Look::default());
                    let shown = drawn.chars().find(|letter| printable::is_command(*letter));
                    assert_eq!(shown, None, "{}: {drawn}", format.name);
                }
            }
            let _ = Baseline::parse(text);
            if let Ok(record) = ScanRecord::parse(text) {
                let _ = crate::report::scan::console(&record, &crate::report::Look::default());
                let _ = crate::report::scan::markdown(&record);
            }
        }),
    );
}

#[test]
fn settings_of_gateways() {
    each(
        "gateway-toml",
        &files("gateways", "gateway.toml"),
        text(|text| drop(Manifest::parse("gateway.toml", text))),
    );
}

#[test]
fn profiles() {
    each(
        "profiles",
        &files("../scenarios/catalog", ".toml"),
        text(|text| {
            let _ = toml::from_str::<BackendProfile>(text);
            let _ = toml::from_str::<ClientProfile>(text);
            let _ = toml::from_str::<ListenerProfile>(text);
            let _ = toml::from_str::<UpstreamProfile>(text);
            if let Ok(profile) = toml::from_str::<GatewayProfile>(text) {
                let _ = CustomProperties::of(&profile).profile();
            }
            if let Ok(map) = toml::from_str::<BTreeMap<String, String>>(text) {
                let _ = CustomProperties::read(&map, false).and_then(|read| read.profile());
            }
        }),
    );
}

#[test]
fn keys_and_certificates() {
    let pki = Pki::new(1, time::macros::datetime!(2026-11-21 12:00 UTC)).unwrap();
    let client = pki.client(ClientCertificate::Good).unwrap();
    let server = pki.server(ServerCertificate::Good, &["localhost".parse().unwrap()]).unwrap();
    let pem = format!("{}{}{}", client.chain_pem(), client.key_pem(), server.chain_pem()).into_bytes();
    let seeds = [
        pem,
        client.pfx("", PfxEncryption::Modern).unwrap(),
        client.pfx("x", PfxEncryption::Legacy).unwrap(),
    ];
    each("certificates", &seeds, |bytes| {
        let _ = Identity::from_pfx(bytes, "");
        let _ = Identity::from_pem(bytes);
        let _ = authorities(bytes);
    });
}

#[rstest]
#[case(Kind::Nginx, "nginx", ".conf")]
#[case(Kind::Haproxy, "haproxy", ".cfg")]
#[case(Kind::Envoy, "envoy", ".yaml")]
#[case(Kind::Httpd, "httpd", ".conf")]
#[case(Kind::Caddy, "caddy", "Caddyfile")]
#[case(Kind::Traefik, "traefik", ".yml")]
fn configurations(#[case] kind: Kind, #[case] folder: &str, #[case] end: &str) {
    let seeds = files(&format!("tests/configuration/{folder}"), end);
    each(
        folder,
        &seeds,
        text(|text| {
            let path = format!("/etc/gateway/main{end}");
            let files = InMemory(BTreeMap::from([(path.clone(), text.to_owned())]));
            let _ = Kind::detect(&path, text);
            let _ = Configuration::read(kind, &[path.as_str()], &files);
        }),
    );
}

#[test]
fn what_is_shown() {
    let seeds = ["::error::x\n\x1b[2J", "##vso[task]\u{202e}", "\u{1b}[1;31mred\u{1b}[0m"];
    each(
        "printable",
        &seeds.map(|seed| seed.as_bytes().to_vec()),
        text(|text| {
            let shown = printable::printable(text);
            assert!(!shown.contains(printable::is_command), "{shown}");
            assert_eq!(printable::printable(&shown), shown, "what is printable stays");
            let _ = (printable::line(text), printable::painted(text), printable::message(text));
        }),
    );
}
