//! The real binary: sockets, signals, exit codes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};

use crate::harness::{HEAD, component, fixture, full_request, json};

/// A running extender; ended when it goes out of scope.
pub(crate) struct Running {
    process: Child,
    stderr: BufReader<std::process::ChildStderr>,
    pub(crate) extender: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry-extender"));
    command.env_remove("RUST_LOG").env_remove("GANTRY_CONFIG").env_remove("KUBERNETES_SERVICE_HOST");
    command
}

impl Running {
    /// Starts it on free ports and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut log = String::new();
        while !log.contains("listening") {
            assert_ne!(stderr.read_line(&mut log).unwrap(), 0, "ended before it listened: {log}");
        }
        let address = |name: &str| {
            let start = log.find(name).unwrap_or_else(|| panic!("no {name} in {log}")) + name.len();
            let text = &log[start..];
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(text.len());
            text[..end].parse().unwrap_or_else(|error| panic!("{error}: {log}"))
        };
        let (extender, admin) = (address("extender="), address("admin="));
        Self { process, stderr, extender, admin }
    }

    fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The rest of the log, and the exit code.
    fn end(&mut self) -> (String, Option<i32>) {
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        (log, self.process.wait().unwrap().code())
    }
}

fn head_of(path: &str, length: usize, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
    )
}

/// Reads one answer with a content length, as kube-scheduler does on a kept connection.
fn read_answer(stream: &mut BufReader<TcpStream>) -> (String, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0, "closed in the head: {head}");
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

/// One answer to a request on a connection of its own: head and body.
pub(crate) fn post(address: SocketAddr, path: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = connect(address);
    stream.get_mut().write_all(head_of(path, body.len(), "").as_bytes()).unwrap();
    stream.get_mut().write_all(body).unwrap();
    read_answer(&mut stream)
}

pub(crate) fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut stream = connect(address);
    stream.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    read_answer(&mut stream)
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(address).unwrap())
}

#[test]
fn filter_and_prioritize_ride_on_one_connection() {
    let running = Running::start(&[]);
    let mut stream = connect(running.extender);
    for (path, name) in [("/filter", "filter_full_nodes.json"), ("/prioritize", "prioritize_full_nodes.json")] {
        let body = fixture(name);
        stream.get_mut().write_all(head_of(path, body.len(), "").as_bytes()).unwrap();
        stream.get_mut().write_all(&body).unwrap();
        let (head, answer) = read_answer(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200 OK") && !head.to_lowercase().contains("connection: close"), "{head}");
        assert!(!answer.is_empty());
    }
}

#[test]
fn a_plugin_that_keeps_its_thread_costs_kube_scheduler_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (file, guest) = (folder.path().join("gantry.yaml"), component(folder.path(), "endless_loop"));
    let plugin = format!("{{name: g, component: {guest}, limits: {{deadline: 100ms}}}}");
    let profiles = format!("profiles: [{{schedulerName: default-scheduler, plugins: [{plugin}]}}]");
    std::fs::write(&file, format!("{HEAD}{profiles}\n")).unwrap();
    let running = Running::start(&["--config", file.to_str().unwrap()]);
    let mut stream = connect(running.extender);
    for _ in 0..2 {
        let body = full_request("u", "{}", &["{}"; 2]);
        stream.get_mut().write_all(head_of("/prioritize", body.len(), "").as_bytes()).unwrap();
        stream.get_mut().write_all(body.as_bytes()).unwrap();
        let (head, _) = read_answer(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200 OK") && !head.to_lowercase().contains("connection: close"), "{head}");
    }
}

#[test]
fn a_request_in_flight_is_answered_after_the_signal_and_the_process_ends_well() {
    let mut running = Running::start(&[]);
    let body = full_request("u1", "{}", &["{}"]);
    let mut stream = connect(running.extender);
    stream.get_mut().write_all(head_of("/filter", body.len(), "Expect: 100-continue\r\n").as_bytes()).unwrap();
    // The server asks for the body: it is inside the handler now.
    assert!(read_answer(&mut stream).0.starts_with("HTTP/1.1 100"));
    running.terminate();
    let mut log = String::new();
    while !log.contains("shutting down") {
        assert_ne!(running.stderr.read_line(&mut log).unwrap(), 0, "{log}");
    }
    stream.get_mut().write_all(body.as_bytes()).unwrap();
    assert!(read_answer(&mut stream).0.starts_with("HTTP/1.1 200"));
    assert_eq!(running.end().1, Some(0));
    assert!(TcpStream::connect(running.extender).is_err(), "it still listens");
}

#[test]
fn a_client_that_sends_too_much_gets_to_see_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gantry.yaml");
    let text =
        "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: none}\nserver: {bodyLimit: 1Mi}\n";
    std::fs::write(&file, text).unwrap();
    let running = Running::start(&["--config", file.to_str().unwrap()]);
    let mut stream = connect(running.extender);
    let body = vec![b' '; 3 << 20];
    stream.get_mut().write_all(head_of("/filter", body.len(), "").as_bytes()).unwrap();
    stream.get_mut().write_all(&body).unwrap();
    let (head, answer) = read_answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(String::from_utf8(answer).unwrap().contains("server.bodyLimit (1048576 bytes)"));
}

#[test]
fn the_admin_port_answers_probes_on_its_own() {
    let running = Running::start(&["--log-format", "text"]);
    let mut stream = connect(running.admin);
    stream.get_mut().write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (head, body) = read_answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200") && body == b"ok\n");
}

#[test]
fn until_the_first_list_is_done_answers_are_neutral_and_the_probe_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    // Port 1 is never listened on: the API server is down.
    let cluster = "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]";
    let context = "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x";
    std::fs::write(&file, format!("apiVersion: v1\nkind: Config\n{cluster}\n{context}\n")).unwrap();
    let running = Running::start(&["--kubeconfig", file.to_str().unwrap()]);
    let mut admin = connect(running.admin);
    admin.get_mut().write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (head, body) = read_answer(&mut admin);
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("first list"));
    let mut extender = connect(running.extender);
    let body = fixture("filter_cached_names.json");
    extender.get_mut().write_all(head_of("/filter", body.len(), "").as_bytes()).unwrap();
    extender.get_mut().write_all(&body).unwrap();
    let (_, answer) = read_answer(&mut extender);
    assert_eq!(json(&answer)["NodeNames"], json(&body)["NodeNames"]);
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn with_config(text: &str, arguments: impl Fn(&str) -> Output) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gantry.yaml");
    std::fs::write(&file, text).unwrap();
    arguments(file.to_str().unwrap())
}

#[test]
fn a_bad_configuration_ends_with_exit_code_2_and_says_what_to_write() {
    let text =
        "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: none}\nserver: {deadline: 9s}\n";
    for arguments in [&["serve", "--config"][..], &["check-config"][..]] {
        let output = with_config(text, |file| run(&[arguments, &[file]].concat()));
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains("server.deadline: `9s` is refused: use a duration from"),
            "{}",
            stderr(&output)
        );
    }
    let output = run(&["--config", "nowhere.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nowhere.yaml"), "{}", stderr(&output));
}

#[test]
fn a_setting_that_the_plugin_refuses_is_named_with_its_key() {
    let text = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: none}\nprofiles: [{schedulerName: s, plugins: [{name: gantry, component: 'builtin:gantry', settings: {objectiv: x}}]}]\n";
    let output = with_config(text, |file| run(&["check-config", file]));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("profiles[0].plugins[0].settings"), "{}", stderr(&output));
}

#[test]
fn an_extension_point_that_the_plugin_lacks_is_named_with_those_it_offers() {
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path(), "score_only");
    let profile = |points: &str| {
        let plugin =
            format!("{{name: g, component: {component}, extensionPoints: [{points}], limits: {{deadline: 400ms}}}}");
        format!("{HEAD}profiles: [{{schedulerName: s, plugins: [{plugin}]}}]\n")
    };
    for arguments in [&["serve", "--config"][..], &["check-config"][..]] {
        let output = with_config(&profile("filter, score, plan"), |file| run(&[arguments, &[file]].concat()));
        assert_eq!(output.status.code(), Some(2));
        let said = "profiles[0].plugins[0].extensionPoints: `filter, plan` is refused: this plugin offers score;";
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    let output = with_config(&profile("score"), |file| run(&["check-config", file]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_plan_that_no_plugin_can_make_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path(), "score_only");
    let checked = |more: &str| {
        let scores = format!("{{name: g, component: {component}, limits: {{deadline: 400ms}}}}");
        let profile = format!("profiles: [{{schedulerName: s, plan: {{}}, plugins: [{scores}{more}]}}]\n");
        let text = format!("apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\n{profile}");
        with_config(&text, |file| run(&["check-config", file]))
    };
    let output = checked("");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("profiles[0].plan: no plugin of this profile plans;"), "{}", stderr(&output));
    let output = checked(", {name: gantry, component: 'builtin:gantry'}");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_good_configuration_ends_with_exit_code_0() {
    let text = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\nprofiles: [{schedulerName: s, plugins: [{name: gantry, component: 'builtin:gantry'}]}]\n";
    let output = with_config(text, |file| run(&["check-config", file]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8(output.stdout).unwrap().contains("profiles: 1, plugins loaded"));
}

#[test]
fn a_cache_that_cannot_be_used_is_named_by_the_check_and_refuses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Nobody, not even root, makes a folder within a file.
    let dir = file.join("cache").display().to_string();
    let output = with_config(&format!("{HEAD}cache: {{dir: {dir}}}\n"), |config| run(&["check-config", config]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("cache.dir cannot be used") && said.contains(&dir), "{said}");
}

#[test]
fn an_address_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address, "--admin", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&address) && stderr(&output).contains("--listen"), "{}", stderr(&output));
}

#[test]
fn a_file_whose_cluster_is_not_watched_is_warned_of_at_the_start() {
    // Where it cannot listen it has started, and ends.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flags = ["--listen", &address, "--admin", "127.0.0.1:0"];
    let warned = |output: Output| {
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output).contains("cluster.mode is none")
    };
    assert!(warned(with_config(HEAD, |file| run(&[&flags[..], &["--config", file]].concat()))));
    assert!(!warned(run(&flags)), "without a file there is nobody to be warned");
}

#[test]
fn the_demonstration_prints_curl_lines_and_their_answers() {
    let mut running = Running::start(&["--demo"]);
    let mut stdout = BufReader::new(running.process.stdout.take().unwrap());
    let mut shown = String::new();
    while !shown.contains("Ctrl-C") {
        assert_ne!(stdout.read_line(&mut shown).unwrap(), 0, "{shown}");
    }
    let address = running.extender;
    for path in ["filter", "prioritize"] {
        let curl = format!("curl -s --data @extender/src/demo/filter_full_nodes.json http://{address}/{path}");
        assert!(shown.contains(&curl), "{shown}");
    }
    assert!(shown.contains(r#""FailedNodes":{}"#) && shown.contains(r#""Score":10}"#), "{shown}");
    running.terminate();
    assert_eq!(running.end().1, Some(0));
}

#[test]
fn a_reader_of_the_demonstration_who_goes_away_ends_nothing() {
    let mut running = Running::start(&["--demo"]);
    drop(running.process.stdout.take());
    // Served until told to end: that is heard when the demonstration is over.
    running.terminate();
    assert_eq!(running.end().1, Some(0));
}

#[test]
fn json_logs_are_one_object_a_line() {
    let output = with_config("kind: Pod", |file| run(&["--log-format", "json", "--config", file]));
    assert_eq!(output.status.code(), Some(2));
    let mut running = Running::start_json();
    running.terminate();
    let (log, code) = running.end();
    assert_eq!(code, Some(0));
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
}

impl Running {
    /// In JSON the addresses are fields; the ports are not needed there.
    fn start_json() -> Self {
        let mut command = command();
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json"]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("\"listening\"") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0);
        }
        let fields: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| fields[name].as_str().unwrap().parse().unwrap();
        Self { process, extender: address("extender"), admin: address("admin"), stderr }
    }
}
