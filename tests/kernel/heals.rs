//! Losses heal: random scripts of socket operations under agents that lose records or have no room, held
//! against what /proc and sock_diag say.
//!
//! `SOCKTRACE_HEAL_ROUNDS` sets how many rounds there are, each with [`ACTORS`] scripts;
//! `SOCKTRACE_HEAL_SEED` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::agent::Agent;
use socktrace_tests::json::{field, has, number, text};
use socktrace_tests::log::Watch;
use socktrace_tests::wait::{Deadline, now};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::oracle::{self, Leak, Name};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("heals::random_scripts", random_scripts),
    ("heals::killed_agent_finds_them_again", killed),
];

/// Scripts that run at the same time.
const ACTORS: usize = 12;
const ROUNDS: u64 = 3;
/// Operations in a script, at most.
const LONGEST: u64 = 30;
/// `--leak-after` and `--sweep-every` here.
const QUICK: [&str; 4] = ["--leak-after", "200ms", "--sweep-every", "1s"];
/// A loss is noticed within a second; then come at most a reading that fails and two that do not, a second
/// apart, and leak-after. The rest is for a machine that does other things too.
const SWEEP: Duration = Duration::from_secs(30);

/// An agent, and what it says is open.
struct Watched {
    what: &'static str,
    args: Vec<String>,
    agent: Agent,
    watch: Watch,
    open: BTreeMap<String, Value>,
    /// There is room for everything, so that it has to say everything.
    complete: bool,
}

impl Watched {
    fn start(stage: &Stage, what: &'static str, more: &[&str], complete: bool) -> Self {
        let args = stage.agent_args("run", &[&QUICK, more].concat());
        let agent = Agent::start(&args);
        Self {
            what,
            watch: agent.watch_from_start(),
            args: args.into_iter().map(str::to_owned).collect(),
            agent,
            open: BTreeMap::new(),
            complete,
        }
    }

    /// It is killed, and another one starts.
    fn kill(&mut self) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.agent.kill();
        self.agent = Agent::start(&args);
        self.watch = self.agent.watch_from_start();
        self.open.clear();
    }

    /// Takes the lines that have come.
    fn listen(&mut self) {
        while let Ok(line) = self.watch.next(Deadline::within(Duration::from_millis(1))) {
            if !has(&line.value, "socktrace.leak.id") {
                continue;
            }
            let id = text(&line.value, "socktrace.leak.id").to_owned();
            if text(&line.value, "socktrace.leak.phase") == "resolved" {
                self.open.remove(&id);
            } else {
                self.open.insert(id, line.value.clone());
            }
        }
    }

    /// What it says is open among the connections of the listener on `port`, with the leaks' ids.
    fn said(&self, port: u16) -> BTreeMap<Name, (Leak, String)> {
        let mine = |line: &&Value| oracle::ends_in(line).contains(&port);
        let lines = self.open.values().filter(mine);
        lines
            .map(|line| {
                let id = text(line, "socktrace.leak.id").to_owned();
                (oracle::name_in(line), (oracle::leak_in(line), id))
            })
            .collect()
    }

    /// What is wrong with what it says, given the truth; `None` if nothing is.
    fn mistake(&self, port: u16, truth: &BTreeMap<Name, Leak>) -> Option<String> {
        let said = self.said(port);
        let wrong = said
            .iter()
            .find(|(name, (leak, _))| truth.get(name) != Some(leak));
        if let Some((name, (leak, _))) = wrong {
            return Some(format!("says {name:?} {leak:?}, is {:?}", truth.get(name)));
        }
        let missing = truth.iter().find(|(name, _)| !said.contains_key(name));
        missing
            .filter(|_| self.complete)
            .map(|(name, leak)| format!("does not say {name:?} {leak:?}"))
    }
}

/// A random script that runs.
struct Actor {
    workload: Workload,
    script: Vec<String>,
}

impl Actor {
    fn start(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let length = 5 + chance.below(LONGEST - 5);
        let script = (0..length).map(|_| chance.operation()).collect();
        let workload = Workload::start(Program::C("script"), &[]);
        Self { workload, script }
    }

    /// Plays it to its end. Returns its processes and its listener's port.
    fn play(&mut self) -> (Vec<u64>, u16) {
        for operation in &self.script {
            self.workload.say(operation);
        }
        self.workload.say("sync");
        let step = self.workload.step("synced");
        let pids = field(&step, "pids").as_array().expect("pids");
        let pids = pids.iter().filter_map(Value::as_u64).collect();
        (pids, u16::try_from(number(&step, "port")).expect("a port"))
    }
}

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn operation(&mut self) -> String {
        let verb = match self.below(24) {
            0..5 => return "open".to_owned(),
            5 | 6 => return "queue".to_owned(),
            7 => return "accept".to_owned(),
            8 => return "fork".to_owned(),
            9 => return "reap".to_owned(),
            10 => return "drop".to_owned(),
            11..15 => "close",
            15 => "reset",
            16 | 17 => "half",
            18 => "write",
            19 => "read",
            20 => "drain",
            21 => "dup",
            _ => "give",
        };
        format!("{verb} {}", self.below(64))
    }
}

fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn random_scripts(stage: &Stage) {
    let seed = number_in("SOCKTRACE_HEAL_SEED").unwrap_or(now().0);
    let rounds = number_in("SOCKTRACE_HEAL_ROUNDS").unwrap_or(ROUNDS);
    println!("heals: SOCKTRACE_HEAL_SEED={seed}");
    let drops = format!("ring=60,walk=30,seed={seed}");
    let one_page = ["--ring-size", "4KiB", "--drop-events", &drops];
    let tables = ["--max-suspects", "1", "--max-owners", "1"];
    let mut agents = [
        Watched::start(stage, "an agent that loses records", &one_page, true),
        Watched::start(stage, "an agent with tiny tables", &tables, true),
        Watched::start(
            stage,
            "an agent without room",
            &["--max-sockets", "1"],
            false,
        ),
    ];
    let (mut longest, mut leaks) = (Duration::ZERO, 0);
    for round in 0..rounds {
        let seeds = (0..ACTORS as u64).map(|n| seed.wrapping_add(round * ACTORS as u64 + n));
        let mut actors: Vec<(u64, Actor)> = seeds.map(|seed| (seed, Actor::start(seed))).collect();
        let told: Vec<_> = actors.iter_mut().map(|(_, actor)| actor.play()).collect();
        let since = now();
        for ((seed, actor), (pids, port)) in actors.iter().zip(&told) {
            leaks += agree(&mut agents, (pids, *port), *seed, &actor.script);
        }
        longest = longest.max(now().since(since));
        for (_, actor) in &mut actors {
            actor.workload.say("quit");
        }
    }
    let scripts = rounds * ACTORS as u64;
    println!("heals: {scripts} scripts, {leaks} leaks, true within {longest:?}");
    assert!(leaks as u64 > scripts, "the scripts leak too little");
    let lost = |agent: &Watched, place: &str| {
        let mut lines = agent.agent.watch_from_start();
        let is_lost = |line: &Value| field(line, "socktrace.status.lost")[place].as_u64() > Some(0);
        lines.expect(&format!("loss in {place}"), SWEEP, is_lost);
    };
    lost(&agents[0], "ring");
    lost(&agents[0], "decode");
    lost(&agents[1], "suspects");
    lost(&agents[2], "tracker");
}

/// Waits until every agent says what is true of an actor's sockets; how many leaks there are.
#[track_caller]
fn agree(
    agents: &mut [Watched],
    (pids, port): (&[u64], u16),
    seed: u64,
    script: &[String],
) -> usize {
    let deadline = Deadline::within(SWEEP);
    loop {
        agents.iter_mut().for_each(Watched::listen);
        let Some(truth) = oracle::leaks(pids, port) else {
            continue;
        };
        let mistakes = agents
            .iter()
            .find_map(|agent| Some((agent.what, agent.mistake(port, &truth)?)));
        let Some((who, mistake)) = mistakes else {
            return truth.len();
        };
        assert!(
            deadline.left().is_some(),
            "SOCKTRACE_HEAL_SEED={seed}: {who} {mistake}\nthe script was: {}\n{}",
            script.join(", "),
            statuses(agents),
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The last status of each agent, and how many lines it wrote.
fn statuses(agents: &[Watched]) -> String {
    let last = |agent: &Watched| {
        let lines = agent.agent.watch_from_start().up_to(&agent.agent.watch());
        let status = lines
            .iter()
            .rfind(|line| has(&line.value, "socktrace.status"));
        let status = status.map(|line| line.raw.clone()).unwrap_or_default();
        format!("{}: {} lines, {status}", agent.what, lines.len())
    };
    agents.iter().map(last).collect::<Vec<_>>().join("\n")
}

/// The next agent finds them under the same names.
fn killed(stage: &Stage) {
    let seed = number_in("SOCKTRACE_HEAL_SEED").unwrap_or(now().0);
    println!("heals: SOCKTRACE_HEAL_SEED={seed}");
    let mut agents = [Watched::start(stage, "the agent", &[], true)];
    let mut actors: Vec<(u64, Actor)> = (seed..)
        .take(ACTORS)
        .map(|seed| (seed, Actor::start(seed)))
        .collect();
    let told: Vec<_> = actors.iter_mut().map(|(_, actor)| actor.play()).collect();
    let mut found = 0;
    let names = |agents: &mut [Watched]| {
        let mut all = Vec::new();
        for ((seed, actor), (pids, port)) in actors.iter().zip(&told) {
            agree(agents, (pids, *port), *seed, &actor.script);
            let said = agents[0].said(*port);
            let ids: BTreeMap<Name, String> =
                said.into_iter().map(|(name, (_, id))| (name, id)).collect();
            all.push(ids);
        }
        all
    };
    let before = names(&mut agents);
    // One that was resolved is in its second episode, which the next agent cannot know.
    let resolved: BTreeSet<Name> = agents[0]
        .agent
        .watch_from_start()
        .up_to(&agents[0].agent.watch())
        .iter()
        .filter(|line| text(&line.value, "socktrace.leak.phase") == "resolved")
        .map(|line| oracle::name_in(&line.value))
        .collect();
    agents[0].kill();
    let after = names(&mut agents);
    for (before, after) in before.iter().zip(&after) {
        for (name, id) in before {
            let synthetic = stage.hooks().state == "tracepoint" && matches!(name, Name::Queued(..));
            if !resolved.contains(name) && !synthetic {
                assert_eq!(after.get(name), Some(id), "{name:?}");
                found += 1;
            }
        }
    }
    assert!(
        found > 0,
        "the scripts leak nothing: SOCKTRACE_HEAL_SEED={seed}"
    );
}
