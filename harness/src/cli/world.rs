//! `gauntlet world`: the stages of a rehearsal's sealed world, which Gauntlet starts itself.

use std::{ffi::OsString, net::IpAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use tokio::io::AsyncReadExt;

use super::{failure::Failure, rehearsal, streams};
use crate::world;

/// The stages of a sealed world, which a rehearsal starts itself.
#[derive(Debug, Args)]
#[command(hide = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    stage: Stage,
}

#[derive(Debug, Subcommand)]
enum Stage {
    /// Process 1 of the world: seals the file system and starts what runs inside.
    Init {
        /// An empty folder, which the world's file system covers.
        scratch: PathBuf,
        /// The arguments of the Gauntlet inside.
        #[arg(last = true, required = true)]
        inside: Vec<OsString>,
    },
    /// Inside: runs one program in the world and lists the names that it asked for.
    Open {
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Inside: rehearses a configuration, and writes what happens and the record as lines of JSON.
    Rehearse {
        /// What is rehearsed, in JSON.
        rehearsal: String,
    },
    /// The gateway: sets up its half of the link, drops its rights and becomes the program.
    Enter {
        /// Its number among the programs of the world.
        number: u8,
        /// An address of its own, so that it can listen there.
        #[arg(long)]
        address: Vec<IpAddr>,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// Runs the stage.
pub(super) fn world(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.stage {
        Stage::Init { scratch, inside } => match world::init(&scratch, &inside) {
            Ok(code) => Ok(ExitCode::from(code)),
            Err(error) => Err(Failure::work(error)),
        },
        Stage::Open { command } => open(&command),
        Stage::Rehearse { rehearsal } => rehearsal::inside(&rehearsal),
        Stage::Enter { number, address, command } => match world::enter(number, &address, &command) {
            Ok(never) => match never {},
            Err(error) => Err(Failure::work(error)),
        },
    }
}

#[tokio::main(flavor = "current_thread")]
async fn open(command: &[OsString]) -> Result<ExitCode, Failure> {
    let gauntlet = std::env::current_exe().map_err(Failure::work)?;
    let mut world = world::World::open().await.map_err(Failure::work)?;
    let mut inhabitant = world.settle(&gauntlet, &[], command).await.map_err(Failure::work)?;
    let mut written = inhabitant.begin().await.map_err(Failure::work)?;
    let mut said = String::new();
    written.output.read_to_string(&mut said).await.map_err(Failure::work)?;
    streams::print(&said)?;
    let status = inhabitant.program.wait().await.map_err(Failure::work)?;
    streams::print(&format!("asked for: {}\n", world.asked().join(" ")))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
