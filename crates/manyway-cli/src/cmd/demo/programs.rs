//! The ordinary programs of the demo: what is installed, else two plain ones of our own.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::{plain_client, plain_server};
use crate::failure::Failure;

/// The file's name on the server.
const FILE: &str = "file";

/// A program under `manyway run`, and its name for people.
#[derive(Debug)]
pub(super) struct Ordinary {
    pub(super) name: String,
    pub(super) command: Command,
}

/// Where things are.
#[derive(Debug)]
pub(super) struct Places {
    /// A directory of this demo's own.
    pub(super) work: PathBuf,
    /// Only the file to serve is in there.
    pub(super) www: PathBuf,
}

impl Places {
    pub(super) fn file(&self) -> PathBuf {
        self.www.join(FILE)
    }

    pub(super) fn downloaded(&self) -> PathBuf {
        self.work.join("downloaded")
    }

    pub(super) fn runtime(&self) -> PathBuf {
        self.work.join("run")
    }

    /// `manyway run -- PROGRAM ARGUMENTS`
    fn under_manyway(&self, program: &[OsString], log: &str) -> io::Result<Command> {
        let log = fs::File::create(self.work.join(log))?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("run")
            .arg("--")
            .args(program)
            .current_dir(&self.www);
        command.env("MANYWAY_RUNTIME_DIR", self.runtime());
        command
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }
}

/// A web server that serves the file on `port`: nginx, Python's, or a plain one.
pub(super) fn server(places: &Places, port: u16) -> io::Result<Ordinary> {
    let (name, program): (_, Vec<OsString>) = if let Some(nginx) = find("nginx") {
        let config = places.work.join("nginx.conf");
        fs::write(&config, nginx_config(places, port))?;
        let arguments = [
            "-p".into(),
            places.work.clone().into(),
            "-c".into(),
            config.into(),
        ];
        (
            "nginx",
            [nginx.into()].into_iter().chain(arguments).collect(),
        )
    } else if let Some(python) = find("python3") {
        let port = port.to_string();
        let arguments = ["-m", "http.server", &port].map(OsString::from);
        (
            "python3 -m http.server",
            [python.into()].into_iter().chain(arguments).collect(),
        )
    } else {
        let port = port.to_string().into();
        let this = std::env::current_exe()?.into();
        (
            "a plain std::net server",
            vec![this, "plain-server".into(), places.file().into(), port],
        )
    };
    let command = places.under_manyway(&program, "server.log")?;
    Ok(Ordinary {
        name: name.to_owned(),
        command,
    })
}

/// A web client that downloads the file: curl, wget, or a plain one.
pub(super) fn client(places: &Places, server: SocketAddr) -> io::Result<Ordinary> {
    let url = format!("http://{server}/{FILE}");
    let to: OsString = places.downloaded().into();
    let (name, program): (_, Vec<OsString>) = if let Some(curl) = find("curl") {
        (
            "curl",
            vec![curl.into(), "-sS".into(), "-o".into(), to, url.into()],
        )
    } else if let Some(wget) = find("wget") {
        (
            "wget",
            vec![wget.into(), "-nv".into(), "-O".into(), to, url.into()],
        )
    } else {
        let this = std::env::current_exe()?.into();
        (
            "a plain std::net client",
            vec![this, "plain-client".into(), server.to_string().into(), to],
        )
    };
    let command = places.under_manyway(&program, "client.log")?;
    Ok(Ordinary {
        name: name.to_owned(),
        command,
    })
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).chain(
        ["/usr/sbin".into()]
            .into_iter()
            .filter(|_| !path.is_empty()),
    );
    places
        .map(|place| place.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// One process in the foreground that writes nowhere but into the demo's directory.
fn nginx_config(places: &Places, port: u16) -> String {
    let work = places.work.display();
    let mut config = format!(
        "user root root;\ndaemon off;\nmaster_process off;\npid {work}/nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 64; }}\nhttp {{\n  access_log off;\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(config, "  {kind}_temp_path {work}/nginx-{kind};");
    }
    let www = places.www.display();
    let _ = writeln!(config, "  server {{ listen {port}; root {www}; }}\n}}");
    config
}

/// The hidden subcommand `plain-server FILE PORT`.
pub(crate) fn plain_server(file: &Path, port: u16) -> Result<ExitCode, Failure> {
    plain_server::serve(file, port)
        .map_err(|error| Failure::new(format!("cannot serve: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// The hidden subcommand `plain-client SERVER FILE`.
pub(crate) fn plain_client(server: SocketAddr, file: &Path) -> Result<ExitCode, Failure> {
    plain_client::download(server, &format!("/{FILE}"), file)
        .map_err(|error| Failure::new(format!("cannot download: {error}")))?;
    Ok(ExitCode::SUCCESS)
}
