//! Layers over layers.

mod mistakes;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::tests::{environment, words};
use super::super::{CliError, Environment, RunSettings, Settings, parse};
use crate::model::Kind;
use crate::sink::Target;

/// A folder like /etc/socktrace, and variables.
struct Machine {
    folder: tempfile::TempDir,
    variables: Vec<(OsString, OsString)>,
}

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    fn with(mut self, variables: &[(&str, &str)]) -> Self {
        self.variables.extend(
            variables
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        self
    }

    fn parse(&self, line: &str) -> Result<Settings, CliError> {
        let surroundings = Environment {
            config_folder: Some(self.folder.path()),
            variables: &|| self.variables.clone(),
            ..environment()
        };
        let line = line.replace("{}", self.folder.path().to_str().unwrap());
        parse(words(&line), &surroundings)
    }

    #[track_caller]
    fn run(&self, line: &str) -> RunSettings {
        match self.parse(line) {
            Ok(Settings::Run(run)) => run,
            other => panic!("{other:?}"),
        }
    }

    /// What is wrong, with the folder's name left out.
    #[track_caller]
    fn mistakes(&self, line: &str) -> Vec<String> {
        match self.parse(line) {
            Err(CliError::Config(lines)) => {
                let folder = format!("{}/", self.folder.path().display());
                lines.iter().map(|line| line.replace(&folder, "")).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn report(&self, line: &str) -> String {
        match self.parse(line) {
            Ok(Settings::CheckConfig(check)) => {
                let folder = format!("{}/", self.folder.path().display());
                check.report.replace(&folder, "")
            }
            other => panic!("{other:?}"),
        }
    }
}

fn names(run: &RunSettings) -> Vec<String> {
    let targets = run.outputs.iter().flat_map(|output| &output.targets);
    targets.map(Target::name).collect()
}

#[test]
fn flags_go_before_variables_these_before_drop_ins_and_these_before_the_file() {
    let main = ("socktrace.toml", "leak-after = \"1s\"\n");
    let second = ("conf.d/20.toml", "leak-after = \"3s\"\n");
    let first = ("conf.d/10.toml", "leak-after = \"2s\"\n");
    let variable = ("SOCKTRACE_LEAK_AFTER", "4s");
    let check = |files: &[(&str, &str)], variables: &[(&str, &str)], line: &str, secs| {
        let run = Machine::new(files).with(variables).run(line);
        assert_eq!(run.leak_after, Duration::from_secs(secs), "{line}");
    };
    check(&[], &[], "run", 60);
    check(&[main], &[], "run", 1);
    check(&[main, first], &[], "run", 2);
    check(&[main, second, first], &[], "run", 3);
    check(&[main, second], &[variable], "run", 4);
    check(&[main, second], &[variable], "run --leak-after 5s", 5);
    check(&[main], &[("SOCKTRACE_LEAK_AFTER", "")], "run", 1);
    check(&[main, second], &[], "run --no-config", 60);
    check(&[main], &[variable], "run --no-config", 4);
    let other = ("other.toml", "leak-after = \"7s\"\n");
    check(&[main, second, other], &[], "run --config {}/other.toml", 7);
    // Names that do not end in .toml, and hidden ones, are what editors leave behind.
    let backup = ("conf.d/30.toml~", "leak-after = \"9s\"\n");
    let hidden = ("conf.d/.40.toml", "leak-after = \"9s\"\n");
    check(&[main, backup, hidden], &[], "run", 1);
}

#[test]
fn every_kind_of_value_is_understood() {
    let text = "max-lines-per-process = 0x10\nring-size = \"8MiB\"\nmax-sockets = 1_000\n\
                [filter]\npid = [812, 813]\ncomm = \"orders\"\nport = 8080\nkind = [\"close_wait\"]\n";
    let run = Machine::new(&[("socktrace.toml", text)]).run("run");
    assert_eq!(run.max_lines_per_process, 16);
    assert_eq!(run.kernel.ring_size, 8 << 20);
    assert_eq!(run.kernel.max_sockets, 1000);
    let filter = run.filter;
    assert_eq!(filter.pids.len(), 2);
    assert_eq!(filter.ports, [8080]);
    assert_eq!(filter.kinds, [Kind::CloseWait]);
    // A list of a higher layer replaces that of a lower one.
    let machine =
        Machine::new(&[("socktrace.toml", text)]).with(&[("SOCKTRACE_FILTER_PORT", "1,2")]);
    assert_eq!(machine.run("run").filter.ports, [1, 2]);
    assert_eq!(machine.run("run --port 3").filter.ports, [3]);
}

#[test]
fn outputs_of_all_files_count_unless_somebody_says_otherwise() {
    let main = (
        "socktrace.toml",
        "[[output]]\npath = \"/var/log/a b.json\"\nformat = \"ocsf\"\nactions = [\"socket.leak\", \"process.leak\"]\n\
         rotate-size = \"1MiB\"\nkeep = 3\n",
    );
    let drop_in = (
        "conf.d/10.toml",
        "[[output]]\nurl = \"syslog+tcp://h:601?facility=local3\"\nmin-severity = \"warning\"\n\
         [[output]]\npath = \"-\"\n",
    );
    let machine = Machine::new(&[main, drop_in]);
    let run = machine.run("run");
    assert_eq!(
        names(&run),
        ["/var/log/a b.json", "syslog+tcp://h:601", "standard output"]
    );
    let selection = &run.outputs[0].selection;
    assert_eq!(selection.actions.len(), 2);
    assert_eq!(run.outputs[0].format, crate::schema::Format::Ocsf);
    assert_eq!(names(&machine.run("run --output x")), ["x"]);
    let machine = machine.with(&[("SOCKTRACE_OUTPUT", "/a.json  syslog://")]);
    assert_eq!(names(&machine.run("run")), ["/a.json", "syslog:///dev/log"]);
}

#[test]
fn what_is_in_etc_is_for_the_agent() {
    let text = "leak-after = \"1s\"\n[filter]\nport = 80\n[[output]]\npath = \"/a.json\"\n";
    let machine = Machine::new(&[("socktrace.toml", text)]);
    let scan = |line: &str| match machine.parse(line) {
        Ok(Settings::Scan(scan)) => (scan.filter.ports, scan.outputs[0].targets[0].name()),
        other => panic!("{other:?}"),
    };
    assert_eq!(scan("scan"), (vec![], "standard output".to_owned()));
    let named = "scan --config {}/socktrace.toml";
    assert_eq!(scan(named), (vec![80], "/a.json".to_owned()));
    assert_eq!(scan(&format!("{named} --output -")).1, "standard output");
}

#[test]
fn the_report_is_a_configuration_that_says_the_same_and_from_where() {
    let main = (
        "socktrace.toml",
        "leak-after = \"5s\"\n[filter]\ncomm = [\"a\", \"b\"]\n\n[[output]]\nurl = \"syslog+tcp://h\"\nspool = \"/s\"\n",
    );
    let drop_in = ("conf.d/10.toml", "max-lines-per-process = 3\n");
    let machine = Machine::new(&[main, drop_in]).with(&[("SOCKTRACE_FILTER_PORT", "80")]);
    let report = machine.report("check-config");
    for line in [
        "leak-after = \"5s\"  # socktrace.toml:1",
        "max-lines-per-process = \"3\"  # conf.d/10.toml:1",
        "max-sockets = \"131072\"  # default",
        "comm = [\"a\", \"b\"]  # socktrace.toml:3",
        "port = [\"80\"]  # SOCKTRACE_FILTER_PORT",
        "url = \"syslog+tcp://h?spool=/s\"  # socktrace.toml:5",
    ] {
        assert!(
            report.lines().any(|known| known == line),
            "{line}: {report}"
        );
    }
    let again = Machine::new(&[("socktrace.toml", &report)]);
    // 80 is a list of one text there, as it is here.
    assert_eq!(again.run("run").leak_after, Duration::from_secs(5));
    assert_eq!(names(&again.run("run")), names(&machine.run("run")));
    assert_eq!(
        again.run("run").filter.comms,
        machine.run("run").filter.comms
    );
    let nothing = Machine::new(&[]).report("check-config");
    let again = Machine::new(&[("socktrace.toml", &nothing)]);
    assert_eq!(again.run("run"), Machine::new(&[]).run("run"));
}

#[test]
fn the_example_says_what_counts_anyway_and_leaves_no_key_out() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/socktrace.toml");
    let whole = fs::read_to_string(path).unwrap();
    // The one thing that is on where it is installed and off where it is typed.
    let text = whole.replacen("\nhistory = ", "\n# history = ", 1);
    assert_ne!(text, whole);
    let bare = Machine::new(&[]).run("run");
    assert_eq!(Machine::new(&[("socktrace.toml", &text)]).run("run"), bare);
    // What has one # and no space behind it is a default: without the # it says the same.
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c.is_ascii_alphabetic() || c == '[') => {
                setting
            }
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(
        Machine::new(&[("socktrace.toml", &uncommented)]).run("run"),
        bare
    );
    for key in super::Keys::new().0 {
        let begins = |line: &str| {
            let line = line.trim_start_matches(['#', ' ']);
            line.starts_with(&format!("{} = ", key.flag))
        };
        assert!(
            text.lines().any(begins),
            "{} is not in the example",
            key.name()
        );
        if let Some(default) = &key.default {
            let value = uncommented
                .lines()
                .find(|line| line.starts_with(&format!("{} = ", key.flag)));
            let shows = value.is_some_and(|line| line.contains(default));
            assert!(shows, "{}: {value:?} {default}", key.flag);
        }
    }
}
