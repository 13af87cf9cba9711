//! Unmodified programs, blocking and non-blocking, static and dynamic, in every outcome.

use std::time::Duration;

use crate::common::{
    Plan, REMOTE, REMOTE6, TestHandler, http_service, installed, intercepted, serve,
};

const SOON: Duration = Duration::from_millis(30);
const LATER: Duration = Duration::from_millis(300);

fn fetchers(url: &str) -> Vec<Vec<String>> {
    let node = format!(
        "require('http').get('{url}', r => r.pipe(process.stdout))\
         .on('error', e => {{ console.log(e.code); process.exit(1) }})"
    );
    let python = format!("import urllib.request as u; print(u.urlopen('{url}').read().decode())");
    let lines: [&[&str]; 5] = [
        &["curl", "-sS", "--max-time", "20", url],
        &["wget", "-q", "-O", "-", "--tries=1", "-T", "20", url],
        &["busybox", "wget", "-q", "-O", "-", url],
        &["python3", "-c", &python],
        &["node", "-e", &node],
    ];
    let owned = |line: &&[&str]| line.iter().map(|s| (*s).to_owned()).collect();
    lines
        .iter()
        .filter(|line| installed(line[0]))
        .map(owned)
        .collect()
}

fn strs(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

#[test]
fn fetchers_reach_a_remote_server_that_exists_only_behind_the_handler() {
    let server = serve("127.0.0.1:0", http_service);
    for host in [REMOTE.to_owned(), format!("[{REMOTE6}]")] {
        for line in fetchers(&format!("http://{host}/")) {
            for delay in [Duration::ZERO, SOON, LATER] {
                let handler = TestHandler::new(Plan::Succeed(delay), server);
                let run = intercepted(&handler, &strs(&line));
                assert_eq!(
                    (run.output.trim(), run.status),
                    ("hello", Some(0)),
                    "{line:?}"
                );
                assert!(handler.count() >= 1, "{line:?} was not intercepted");
            }
        }
    }
}
