//! `gauntlet serve --check`: whether a fleet that runs elsewhere is well. A container has no other program to ask with.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    process::ExitCode,
    time::Duration,
};

use super::{
    failure::{Failure, input_error, work_error},
    streams,
};

/// What a fleet gets to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most of an answer that is read.
const MOST: u64 = 64 << 10;

/// Asks the control API at `http://HOST:PORT`.
pub(super) fn check(url: &str) -> Result<ExitCode, Failure> {
    let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let authority = authority.filter(|authority| authority.contains(':') && !authority.contains('/'));
    let Some(authority) = authority else {
        return Err(input_error!(
            "cannot check {url}; write it as http://HOST:PORT, the address of --control"
        ));
    };
    let said = ask(authority).map_err(|error| {
        work_error!("{url} is not well: {error}; start it with gauntlet serve --control {authority}")
    })?;
    if said.split(' ').nth(1) != Some("200") {
        let first = said.lines().next().unwrap_or_default();
        return Err(work_error!("{url} is not well: /healthz answers \"{first}\""));
    }
    streams::print(said.split("\r\n\r\n").nth(1).unwrap_or_default())?;
    Ok(ExitCode::SUCCESS)
}

fn ask(authority: &str) -> std::io::Result<String> {
    let address = authority.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
    let mut said = String::new();
    stream.take(MOST).read_to_string(&mut said)?;
    Ok(said)
}
