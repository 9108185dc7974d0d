//! `obhut demo`: the server as it is, a ward of simulated patients, and devices that enrol and speak like real ones.
//!
//! Nothing here is a shortcut: devices are invited through the operator's router, enrol over HTTPS with their one-time token, and send over MQTT
//! with their own certificates. Only patients and their physiology are invented, or replayed from recordings.

mod devices;
mod progress;

use crate::cli::{self, Language, Place};
use crate::client::Client;
use crate::config::{Config, LOCAL_CONFIG};
use crate::logging::{self, Quiet};
use crate::open::{self, Options};
use crate::serve::{self, Running, Told};
use anyhow::{Context, Result, bail};
use devices::Fleet;
use obhut_http::api::people;
use obhut_http::{AppState, admin};
use obhut_model::{DeviceTime, ModelId};
use obhut_sim::recordings::{self, Recording};
use obhut_sim::ward::{self, Bed, Models};
use progress::Progress;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The demo charter, as it stands in the repository.
const CHARTER: (&str, &str) = ("demo.toml", include_str!("../../../charters/demo.toml"));
/// Samples a second of a simulated ECG.
const ECG_HERTZ: u16 = 250;

/// Patients and devices are at their beds this long before the first value, so that none is refused as nobody's.
const BEFORE_MICROS: i64 = 10_000_000;

/// Runs the demo until Ctrl-C, or until its time is over.
pub async fn run(demo: &cli::Demo, place: &Place, lang: Language) -> Result<()> {
    logging::start(false, Quiet::Warnings);
    let progress = Progress::new(demo.headless, lang);
    let config = configure(demo, place)?;
    let recordings = load_recordings(demo.recordings.as_deref(), &progress)?;

    progress.begin(
        "opening keys, store and certificate authority",
        "Schlüssel, Speicher und Zertifizierungsstelle werden geöffnet",
    );
    let note = if recordings.is_empty() { "Demo" } else { "Demo, recordings" };
    let options = Options {
        speed: demo.speed,
        built_in: Some(CHARTER),
        beds: Some(usize::from(demo.beds)),
        note: Some(note),
        existing_only: false,
    };
    let opened = open::open_all(&config, &options).await?;
    let state = opened.state.clone();
    progress.done(&format!(
        "charter {} ({})",
        state.charter.load().name,
        short(&state.charter.load().rules.fingerprint)
    ));

    progress.begin("starting the server", "der Server startet");
    let running = serve::start(&config, opened).await?;
    progress.done(&format!("https {}, mqtt {}", running.https, running.gateway));

    let began = DeviceTime::from_micros(state.clock.now().micros());
    let beds = plan(demo, &recordings, began)?;
    let client = Client::Local(Box::new(admin::within(state.clone(), rustix::process::geteuid().as_raw())));
    let fleet =
        Fleet::start(beds, began.plus_micros(-BEFORE_MICROS), &client, &running, &config, demo, &progress).await?;
    let told = Told::listen()?;
    let links = links(&state, lang).await?;
    print_welcome(&running, &fleet, &config, demo, lang, &links);

    until_over(demo, &fleet, told, &running).await;
    progress.begin("stopping", "wird beendet");
    fleet.stop().await;
    running.stop().await?;
    progress.done(&config.data.display().to_string());
    Ok(())
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// The demo's configuration: everything on loopback, written into the data directory so that the tools find it.
fn configure(demo: &cli::Demo, place: &Place) -> Result<Config> {
    let mut config = Config::find(&Place {
        config: None,
        data: Some(place.data.clone().unwrap_or_else(|| crate::config::DEFAULT_DATA.into())),
    })?;
    if place.config.is_some() {
        bail!("the demo makes its own configuration; leave `--config` away, or use `obhut serve`");
    }
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    config.listen.https = local(demo.port);
    config.listen.gateway = local(demo.gateway_port);
    config.charter.clone_from(&demo.charter);
    let path = config.data.join(LOCAL_CONFIG);
    if !path.exists() {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&config.data)
            .with_context(|| format!("cannot make `{}`", config.data.display()))?;
        std::fs::write(
            &path,
            "# Made by `obhut demo`, so that the tools find their way: obhut --data THIS-DIRECTORY device list\n",
        )
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(config)
}

fn load_recordings(folder: Option<&Path>, progress: &Progress) -> Result<Vec<Arc<Recording>>> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    progress.begin("reading recordings", "Aufzeichnungen werden gelesen");
    let found =
        recordings::find(folder).with_context(|| format!("the recordings in `{}` cannot be read", folder.display()))?;
    if found.is_empty() {
        bail!("there is no WFDB record (a `.hea` file) in `{}`", folder.display());
    }
    progress.done(&found.iter().map(|recording| recording.name.as_str()).collect::<Vec<_>>().join(", "));
    Ok(found.into_iter().map(Arc::new).collect())
}

fn plan(demo: &cli::Demo, recordings: &[Arc<Recording>], start: DeviceTime) -> Result<Vec<Bed>> {
    let model = |name| ModelId::new(name).context("a model of the demo charter");
    let models = Models { monitor: model("monitor-m1")?, pump: model("pump-p1")?, movement: model("movement-s1")? };
    let options = ward::Options {
        beds: demo.beds,
        seed: demo.seed,
        start,
        models,
        recordings: recordings.to_vec(),
        ecg_hertz: ECG_HERTZ,
        repeat: if demo.once { obhut_sim::device::Repeat::Once } else { obhut_sim::device::Repeat::Forever },
    };
    ward::build(&options).context("the ward could not be set up")
}

/// A link into each role of the charter that people of the hospital have, the nurse's first. In the demonstration, and only there, a link is enough.
async fn links(state: &Arc<AppState>, lang: Language) -> Result<Vec<(String, String)>> {
    state.signin.demonstrate();
    let charter = state.charter.load_full();
    let mut roles: Vec<_> = people::roles_for_demo(&charter).collect();
    roles.sort_by_key(|role| role.id.as_str() != "nurse");
    let mut links = Vec::new();
    for role in roles {
        let name = match lang {
            Language::De => role.text.de.clone(),
            Language::En => role.text.en.clone(),
        };
        let (_, link) = people::demo_link(state, role.id.as_str(), &format!("Demo: {name}"))
            .await
            .with_context(|| format!("the link for the role `{}` could not be made", role.id.as_str()))?;
        links.push((name, link));
    }
    Ok(links)
}

fn print_welcome(
    running: &Running,
    fleet: &Fleet,
    config: &Config,
    demo: &cli::Demo,
    lang: Language,
    links: &[(String, String)],
) {
    let data = config.data.display();
    let width = links.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = links.iter().map(|(name, link)| format!("    {name:<width$}  {link}")).collect();
    if demo.headless {
        // The first line is a link alone, for scripts.
        links.first().into_iter().for_each(|(_, link)| println!("{link}"));
        lines.iter().for_each(|line| println!("{line}"));
        return;
    }
    for line in fleet.stories() {
        println!("    {line}");
    }
    match lang {
        Language::De => {
            println!(
                "\n  Die Station ist live. Im Browser öffnen, je Rolle ein Link (jeder gilt einmal):\n\n{}\n",
                lines.join("\n")
            );
            println!(
                "  Der Browser kennt die Zertifizierungsstelle dieser Demo nicht und warnt; ihr Wurzelzertifikat:"
            );
            println!("    SHA-256 {}\n", running.opened.state.authority.root_fingerprint());
            println!(
                "  In einem zweiten Terminal:  obhut --data {data} device list\n                              obhut --data {data} doctor\n"
            );
            println!("  Verteiltes Informationssystem; nicht als primärer Alarm zu verwenden. Strg-C beendet.");
        }
        Language::En => {
            println!(
                "\n  The ward is live. Open in a browser, a link for each role (each works once):\n\n{}\n",
                lines.join("\n")
            );
            println!(
                "  The browser does not know this demo's certificate authority and will warn; its root certificate:"
            );
            println!("    SHA-256 {}\n", running.opened.state.authority.root_fingerprint());
            println!(
                "  In a second terminal:  obhut --data {data} device list\n                         obhut --data {data} doctor\n"
            );
            println!("  Distributed information system; not to be relied on as primary alarm. Ctrl-C ends it.");
        }
    }
}

/// Waits for the end: Ctrl-C, SIGTERM, the time set, or with `--once` the end of every recording.
async fn until_over(demo: &cli::Demo, fleet: &Fleet, told: Told, running: &Running) {
    let limit = demo.duration.unwrap_or(Duration::MAX);
    tokio::select! {
        () = told.stop(running) => {}
        () = tokio::time::sleep(limit) => {}
        () = fleet.all_played(), if demo.once => {}
    }
}
