//! The engine: what tests have on it, and the gateway that is made of the machine's own, since no image can be pulled.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, id},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use testcontainers::{
    ContainerAsync, GenericImage, ImageExt,
    bollard::models::PortBinding,
    core::{IntoContainerPort, Mount, WaitFor},
    runners::AsyncRunner,
};
use tls_gauntlet::container::{GauntletContainer, GauntletImage};
use tokio::runtime::{Builder, Runtime};

/// The label of everything that one test starts.
const LABEL: &str = "test.gauntlet";

/// Where the gateway listens in its container.
pub const FRONT: u16 = 8443;

/// What was built, for the time of this process.
static BUILT: Mutex<Option<String>> = Mutex::new(None);

/// One test's own corner of the engine: a name that nobody else has.
pub struct Place {
    pub name: String,
}

impl Place {
    pub fn new() -> Self {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        Self { name: format!("gauntlet-{}-{}", id(), PLACES.fetch_add(1, Ordering::Relaxed)) }
    }

    /// Starts a fleet here.
    pub async fn fleet(&self, image: GauntletImage) -> GauntletContainer {
        let host = self.fleet_host();
        let request = image.with_host(&host).request();
        let request =
            request.with_label(LABEL, &self.name).with_network(&self.name).with_container_name(host);
        GauntletContainer::start(request).await.unwrap()
    }

    /// The name of the fleet in the network of this place.
    pub fn fleet_host(&self) -> String {
        format!("{}-fleet", self.name)
    }

    /// Starts nginx here, with this in its `http` block and these files beside its configuration; its port on loopback. What
    /// it says goes to `error.log` in this folder as well.
    pub async fn nginx(
        &self,
        http: &str,
        files: &[(&str, String)],
        log: &Path,
    ) -> (ContainerAsync<GenericImage>, u16) {
        fs::set_permissions(log, fs::Permissions::from_mode(0o777)).unwrap();
        let configuration = format!(
            "daemon off; pid /tmp/nginx.pid; worker_processes 1; events {{}}\n\
             error_log stderr info; error_log /log/error.log info;\n\
             http {{ access_log off; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;\n\
             fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;\n{http}\n}}\n"
        );
        let mut request = nginx_image()
            .with_network(&self.name)
            .with_label(LABEL, &self.name)
            .with_user("65532:65532")
            .with_mount(Mount::tmpfs_mount("/tmp"))
            .with_mount(Mount::bind_mount(log.display().to_string(), "/log"))
            .with_mapped_port(0, FRONT.tcp())
            // It listens before it has anybody to serve.
            .with_ready_conditions(vec![WaitFor::message_on_stderr("start worker process")])
            .with_host_config_modifier(|host| {
                let loopback =
                    PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
                host.port_bindings = Some(HashMap::from([(format!("{FRONT}/tcp"), Some(vec![loopback]))]));
            })
            .with_copy_to("/etc/nginx/nginx.conf", configuration.into_bytes());
        for (name, content) in files {
            request = request.with_copy_to(format!("/etc/nginx/{name}"), content.clone().into_bytes());
        }
        let container = request.start().await.unwrap();
        let port = container.get_host_port_ipv4(FRONT).await.unwrap();
        (container, port)
    }

    /// Makes the network of this place, for a test that needs it before any container.
    pub fn network(&self) -> Network<'_> {
        docker(&["network", "create", "--label", &self.label(), &self.name]).unwrap();
        Network { name: &self.name }
    }

    /// What is here, by the kind of each.
    pub fn what_is_here(&self) -> Vec<String> {
        let containers = docker(&["ps", "--all", "--quiet", "--filter", &format!("label={}", self.label())]);
        let networks = docker(&["network", "ls", "--quiet", "--filter", &format!("name=^{}$", self.name)]);
        let of = |kind: &str, ids: Option<String>| -> Vec<String> {
            ids.unwrap_or_default().lines().map(|id| format!("{kind} {id}")).collect()
        };
        [of("container", containers), of("network", networks)].concat()
    }

    /// Removes what a test has left, containers first; what that was.
    pub fn clear(&self) -> Vec<String> {
        let left = self.what_is_here();
        for thing in &left {
            let _ = match thing.split_once(' ') {
                Some(("container", id)) => docker(&["rm", "--force", "--volumes", id]),
                Some((kind, id)) => docker(&[kind, "rm", id]),
                None => None,
            };
        }
        left
    }

    fn label(&self) -> String {
        format!("{LABEL}={}", self.name)
    }
}

/// A network, removed when this is dropped: after what is in it.
pub struct Network<'a> {
    name: &'a str,
}

impl Network<'_> {
    /// The address by which its containers reach this machine.
    pub fn host_address(&self) -> String {
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        docker(&["network", "inspect", self.name, "--format", format]).unwrap()
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        docker(&["network", "rm", self.name]);
    }
}

/// Runs the client of the engine; what it says, if it succeeds.
pub fn docker(arguments: &[&str]) -> Option<String> {
    // The builder that every engine has.
    let output = Command::new("docker").args(arguments).env("DOCKER_BUILDKIT", "0").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What of all that is needed is not there: an engine, the image, and the gateway to put into another.
pub fn missing() -> Option<&'static str> {
    if docker(&["version"]).is_none() {
        Some("no engine answers")
    } else if docker(&["image", "inspect", "gauntlet"]).is_none() {
        Some("there is no image; ci/image/build.sh builds it")
    } else if !Path::new(NGINX).exists() {
        Some("there is no nginx; ci/install-gateways.sh nginx installs it")
    } else {
        None
    }
}

/// One thread, so that what a test does between two steps happens between them.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const NGINX: &str = "/usr/sbin/nginx";

/// An image of the machine's own nginx.
fn nginx_image() -> GenericImage {
    let (name, tag) = ("gauntlet-test-nginx", id().to_string());
    let mut built = BUILT.lock().unwrap();
    if built.is_none() {
        let (folder, image) = (tempfile::tempdir().unwrap(), format!("{name}:{tag}"));
        let folder = folder.path().display().to_string();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ci/image/of-program.sh");
        let made = Command::new(script).args([NGINX, &folder]).status();
        assert!(made.is_ok_and(|status| status.success()), "{script} fails");
        docker(&["build", "--quiet", "--tag", &image, &folder]).expect("the image is built");
        *built = Some(image);
    }
    GenericImage::new(name, &tag)
}

/// Removes what was built.
pub fn remove_images() {
    if let Some(image) = BUILT.lock().unwrap().take() {
        docker(&["image", "rm", "--force", &image]);
    }
}
