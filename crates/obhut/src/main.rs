//! The server and its command line.
//!
//! Thin: reads arguments and configuration, joins the rooms of the house, starts and stops them. Decisions are made in the cores.

#![expect(unreachable_pub, reason = "a program: `pub` says what a module offers its neighbours")]

mod backup;
mod charter;
mod cli;
mod client;
mod clock;
mod config;
mod demo;
mod devices;
mod doctor;
mod erasure;
mod exit;
mod export;
mod keys;
mod ledger;
mod logging;
mod open;
mod people;
mod print;
mod request;
mod retention;
mod serve;
mod witness;

use clap::Parser;
use cli::{Cli, Command, Language, Output};
use config::Config;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.output == Output::Json;
    if !matches!(cli.command, Command::Serve(_) | Command::Demo(_) | Command::Witness(_)) {
        exit::when_nobody_reads_on();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return exit::report(&anyhow::Error::from(error).context("the runtime could not be started"), json);
        }
    };
    let result = runtime.block_on(run(cli));
    // Threads that still wait for a disk must not hold up the end; everything that matters was waited for by now.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match result {
        Ok(code) => code,
        Err(error) => exit::report(&error, json),
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let lang = cli.lang.unwrap_or_else(Language::of_environment);
    match &cli.command {
        Command::Charter(command) if !matches!(command, cli::Charter::Reload) => {
            return charter::offline(command, lang, cli.output);
        }
        Command::Demo(demo) => return demo::run(demo, &cli.place, lang).await.map(|()| ExitCode::SUCCESS),
        Command::Doctor => return doctor::run(&cli.place, cli.output).await,
        Command::Witness(arguments) => {
            logging::start(false, logging::Quiet::Warnings);
            return witness::run(arguments).await.map(|()| ExitCode::SUCCESS);
        }
        _ => {}
    }
    let config = Config::find(&cli.place)?;
    if let Command::Ledger(command) = &cli.command
        && let Some(code) = ledger::verify(&config, command, cli.output)
    {
        return Ok(code);
    }
    if let Command::Erasure(command) = &cli.command
        && let Some(code) = erasure::verify(command, cli.output)
    {
        return Ok(code);
    }
    if let Command::Backup(command) = &cli.command
        && let Some(code) = backup::offline(&config, command, cli.output).await
    {
        return Ok(code);
    }
    if let Command::Serve(serve) = &cli.command {
        return serve::run(config, serve).await.map(|()| ExitCode::SUCCESS);
    }
    logging::start(false, logging::Quiet::Warnings);
    let client = client::Client::connect(&config).await?;
    match &cli.command {
        Command::Device(command) => devices::device(&client, command, cli.output).await?,
        Command::Bed(command) => devices::bed(&client, command, cli.output).await?,
        Command::Patient(command) => devices::patient(&client, command, cli.output).await?,
        Command::Ledger(command) => ledger::run(&client, command, cli.output).await?,
        Command::Keys(command) => keys::run(&client, command, cli.output).await?,
        Command::People(command) => people::run(&client, command, cli.output).await?,
        Command::Request(command) => request::run(&client, command, cli.output).await?,
        Command::Retention(arguments) => retention::command(&client, arguments, cli.output).await?,
        Command::Erasure(command) => erasure::run(&client, command, cli.output).await?,
        Command::Backup(command) => backup::run(&client, command, cli.output).await?,
        Command::Readings(command) => export::readings(&client, command, cli.output).await?,
        Command::Link => link(&client, cli.output).await?,
        Command::Charter(_) => charter::reload(&client, cli.output).await?,
        Command::Serve(_) | Command::Demo(_) | Command::Doctor | Command::Witness(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn link(client: &client::Client, output: Output) -> anyhow::Result<()> {
    if !client.is_running() {
        return Err(exit::Failure {
            exit: exit::Exit::NoServer,
            message: "a link is made by a running server".to_owned(),
            hint: Some("start it: `obhut serve` or `obhut demo`".to_owned()),
        }
        .into());
    }
    let answer = client.ask(http::Method::POST, "/v1/link", None).await?;
    print::show(output, &answer, |answer| {
        println!("{}\nworks once, until {}", print::text(answer, "link"), print::time(answer, "expires"))
    });
    Ok(())
}

impl Language {
    /// The language of `LC_ALL`, `LC_MESSAGES` or `LANG`; English unless it is German.
    fn of_environment() -> Self {
        let found = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        if found.is_some_and(|value| value.starts_with("de")) { Self::De } else { Self::En }
    }

    /// The same, as the charter's texts know it.
    fn for_charter(self) -> obhut_charter::Lang {
        match self {
            Self::De => obhut_charter::Lang::De,
            Self::En => obhut_charter::Lang::En,
        }
    }
}
