//! A gateway's program in a container: its image found or built, the program run in it as if it were here.
//!
//! The engine is driven by its own command line. A library that talks to the engine's socket (testcontainers) removes its
//! containers when it is dropped or on a signal that it catches, but nothing does when we are killed, and it sends a
//! container no signals, by which gateways reload.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use super::{
    error::GatewayError,
    folder::{Folder, stays_inside},
    guard::ContainerGuard,
    manifest,
};

/// The program that drives the container engine.
pub(super) const ENGINE: &str = "docker";

/// What every container of ours is labelled with, for whoever lists them.
const LABEL: &str = "tls-gauntlet";

/// An image that is there, and what to run in it.
#[derive(Debug, Clone)]
pub(super) struct Image {
    id: String,
    /// Absent: its own entry point.
    program: Option<String>,
}

/// Why an image cannot be had.
#[derive(Debug)]
pub(super) enum NoImage {
    /// No engine answers; in its own words.
    Engine(String),
    /// The engine does, and does not have it, or cannot build it.
    Image(GatewayError),
}

impl Image {
    /// Finds the image on this machine, or builds it; nothing is pulled.
    pub(super) fn find(
        gateway: &str,
        folder: &Folder,
        container: &manifest::Container,
    ) -> Result<Self, NoImage> {
        let found = match &container.source {
            manifest::ImageSource::Image(image) => {
                engine(&["image", "inspect", "--format", "{{.Id}}", image])
                    .map_err(|because| (image, because))
            }
            manifest::ImageSource::Build(below) => {
                stays_inside(gateway, below).map_err(NoImage::Image)?;
                let context = folder.path().join(below).display().to_string();
                engine(&["build", "--quiet", &context]).map_err(|because| (below, because))
            }
        };
        let (image, because) = match found {
            Ok(id) => return Ok(Self { id, program: container.program.clone() }),
            Err(problem) => problem,
        };
        engine(&["version", "--format", "{{.Server.Version}}"]).map_err(NoImage::Engine)?;
        let remedy = match &container.source {
            manifest::ImageSource::Image(_) => {
                format!("get it ({ENGINE} pull {image}), or correct container.image")
            }
            manifest::ImageSource::Build(_) => "correct its Dockerfile, or container.build".to_owned(),
        };
        Err(NoImage::Image(GatewayError::Image {
            gateway: gateway.to_owned(),
            image: image.clone(),
            because,
            remedy,
        }))
    }

    /// A container in which the program is to be run with these arguments, alone.
    pub(super) fn alone(&self, arguments: &[String]) -> Result<ContainerGuard, String> {
        self.create(&["--network".to_owned(), "none".to_owned()], arguments)
    }

    /// This container on the network of this machine, in the run folder, with that as its only folder from outside, under the
    /// same path, and as the owner of its files.
    pub(super) fn here(
        &self,
        dir: &Path,
        environment: &[(String, String)],
        arguments: &[String],
    ) -> Result<ContainerGuard, String> {
        let owner = fs::metadata(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let dir = dir.display();
        let mut options = vec![
            "--network=host".to_owned(),
            format!("--user={}:{}", owner.uid(), owner.gid()),
            format!("--volume={dir}:{dir}"),
            format!("--workdir={dir}"),
        ];
        options.extend(environment.iter().map(|(name, value)| format!("--env={name}={value}")));
        self.create(&options, arguments)
    }

    fn create(&self, options: &[String], arguments: &[String]) -> Result<ContainerGuard, String> {
        let mut words = vec!["create".to_owned(), "--pull=never".to_owned(), format!("--label={LABEL}")];
        words.extend_from_slice(options);
        words.extend(self.program.iter().map(|program| format!("--entrypoint={program}")));
        words.push(self.id.clone());
        words.extend_from_slice(arguments);
        ContainerGuard::create(ENGINE, &words)
    }

    /// What it is called in messages.
    pub(super) fn called(&self) -> String {
        let program = self.program.as_deref().unwrap_or("its entry point");
        format!("{program} in the image {}", self.id)
    }
}

/// What runs the program of a container that has been made, and ends when that does. Signals are passed on to it.
pub(super) fn attach(container: &ContainerGuard) -> Command {
    let mut command = Command::new(ENGINE);
    command.args(["start", "--attach", container.id()]);
    command
}

/// Has the engine do something; its last line is the answer, or what is wrong.
fn engine(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(ENGINE).args(arguments).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } =
        output.map_err(|error| format!("{ENGINE} cannot be run: {error}"))?;
    let said = if status.success() { stdout } else { stderr };
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let last = said.lines().next_back().unwrap_or("no reason given").to_owned();
    if status.success() { Ok(last) } else { Err(last) }
}
