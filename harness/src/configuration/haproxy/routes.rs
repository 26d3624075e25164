//! The rules of a frontend of HAProxy, and the URLs that lead to each backend.

use std::cmp::Reverse;

use super::{
    super::{
        Configuration, Leg, Unreadable, Url,
        files::{Text, Texts},
        known,
    },
    Program, binds,
    conditions::{Call, Tests},
    sections::{Line, Section},
    servers,
};

/// Reads a frontend, or a `listen` section.
pub(super) fn read(
    program: &Program,
    section: &Section,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let places = binds::read(program, section, texts, configuration)?;
    let known = |place: &usize| {
        Some((*place, &configuration.listeners[*place], configuration.listeners[*place].port()?))
    };
    let chosen =
        places.iter().filter_map(known).max_by_key(|(place, listener, _)| (listener.tls, Reverse(*place)));
    let Some((listener, tls, port)) = chosen.map(|(place, listener, port)| (place, listener.tls, port))
    else {
        if !places.is_empty() {
            configuration.problem(&section.at, "no listener has a port that is known");
        }
        return Ok(());
    };
    let mut missing = Vec::new();
    let tests = Tests::of(&section.lines, &mut |at, path| {
        let read = texts.within(path, None, |_, text: &Text| Ok(text.clone()));
        let lines = |text: Text| {
            text.text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
        };
        read.map_or_else(
            |_| {
                missing.push((at.clone(), path.to_owned()));
                Vec::new()
            },
            lines,
        )
    });
    for (at, path) in missing {
        configuration.problem(&at, format!("cannot read {path}"));
    }
    let names = &configuration.listeners[listener].names;
    let host =
        names.first().map_or_else(|| "localhost".to_owned(), |name| name.value.replace('*', "gauntlet"));
    let mut rules: Vec<&Line> = section.lines.iter().filter(|line| line.word(0) == "use_backend").collect();
    configuration.bound(&mut rules, |line| line.at.clone());
    let frontend = Frontend {
        program,
        section,
        tests,
        rules,
        listener,
        port,
        call: Call { host, path: "/".to_owned(), tls },
    };
    frontend.legs(texts, configuration)
}

/// A frontend, and the call that its rules are tried with.
struct Frontend<'p> {
    program: &'p Program,
    section: &'p Section,
    tests: Tests,
    rules: Vec<&'p Line>,
    listener: usize,
    port: u16,
    call: Call,
}

impl Frontend<'_> {
    fn legs(&self, texts: &mut Texts<'_>, configuration: &mut Configuration) -> Result<(), Unreadable> {
        for (number, rule) in self.rules.iter().enumerate() {
            if rule.word(1).contains('%') {
                self.mapped(rule, texts, configuration)?;
                continue;
            }
            let call = self.tests.call(rule, &self.call);
            match self.reached(number, rule, &call) {
                Ok(call) => self.to(rule, rule.word(1), &call, configuration),
                Err(why) => configuration.problem(&rule.at, why),
            }
        }
        if let Some(line) = self.program.line(self.section, "default_backend") {
            let rest = Call { path: "/gauntlet".to_owned(), ..self.call.clone() };
            let elsewhere = Call { host: "gauntlet.invalid".to_owned(), ..rest.clone() };
            let tries = [self.call.clone(), rest, elsewhere];
            match tries.iter().find(|call| self.before(self.rules.len(), call) == Some(false)) {
                Some(call) => self.to(line, line.word(1), call, configuration),
                None => configuration.problem(&line.at, "no URL was found that leads to the default backend"),
            }
        }
        let own = self.section.lines.iter().find(|line| matches!(line.word(0), "server" | "server-template"));
        if let Some(line) = own.filter(|_| self.section.kind == "listen") {
            self.to(line, &self.section.name, &self.call, configuration);
        }
        Ok(())
    }

    /// Whether one of the first rules applies to a call.
    fn before(&self, number: usize, call: &Call) -> Option<bool> {
        known::any(self.rules[..number].iter().map(|rule| self.tests.decide(rule, call)))
    }

    /// The call if a rule is the first that applies to it; else why not.
    fn reached(&self, number: usize, rule: &Line, call: &Call) -> Result<Call, String> {
        let condition = || rule.words.get(2..).map_or_else(String::new, |words| words.join(" "));
        match (self.tests.decide(rule, call), self.before(number, call)) {
            (None, _) => Err(format!("the condition \"{}\" depends on more than host and path", condition())),
            (Some(false), _) => Err(format!("no URL was found for the condition \"{}\"", condition())),
            (_, Some(false)) => Ok(call.clone()),
            (_, Some(true)) => Err("a rule before this one takes its calls".to_owned()),
            (_, None) => Err("a rule before this one may take its calls".to_owned()),
        }
    }

    /// `use_backend %[req.hdr(host),lower,map(FILE,DEFAULT)]`: a leg for each line of the file.
    fn mapped(
        &self,
        rule: &Line,
        texts: &mut Texts<'_>,
        configuration: &mut Configuration,
    ) -> Result<(), Unreadable> {
        let expression = rule.word(1).trim_start_matches("%[").trim_end_matches(']');
        let by_host = ["req.hdr(host)", "hdr(host)", "ssl_fc_sni", "req.ssl_sni", "req_ssl_sni"]
            .iter()
            .any(|fetch| expression.to_lowercase().starts_with(fetch));
        let map = expression.split_once("map(").or_else(|| expression.split_once("map_str("));
        let Some((_, arguments)) = map.filter(|_| by_host && rule.word(1).starts_with("%[")) else {
            configuration.problem(&rule.at, format!("the backend depends on {}", rule.word(1)));
            return Ok(());
        };
        let mut arguments = arguments.trim_end_matches(')').split(',');
        let path = arguments.next().unwrap_or_default();
        let text = match texts.within(path, Some(&rule.at), |_, text: &Text| Ok(text.clone())) {
            Ok(text) => text,
            Err(Unreadable::File { path, source }) => {
                configuration.problem(&rule.at, format!("cannot read {path}: {source}"));
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        for (number, line) in
            text.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'))
        {
            let Some((host, backend)) = line.trim().split_once(char::is_whitespace) else { continue };
            let line = Line { words: Vec::new(), at: text.at(number + 1) };
            self.to(
                &line,
                backend.trim(),
                &Call { host: host.to_owned(), ..self.call.clone() },
                configuration,
            );
        }
        if let Some(default) = arguments.next() {
            self.to(rule, default, &self.call, configuration);
        }
        Ok(())
    }

    /// The legs that go to a backend.
    fn to(&self, line: &Line, backend: &str, call: &Call, configuration: &mut Configuration) {
        let Some(section) = self.program.backend(backend) else {
            configuration.problem(&line.at, format!("there is no backend \"{backend}\""));
            return;
        };
        let http = self.program.is_http(self.section);
        let scheme = match (http, call.tls) {
            (true, true) => "https",
            (true, false) => "http",
            (false, true) => "tls",
            (false, false) => "tcp",
        };
        let path = if http { call.path.clone() } else { String::new() };
        let url = Url { scheme, host: call.host.clone(), port: self.port, path };
        for group in servers::read(self.program, section, &call.host, configuration) {
            configuration.legs.push(Leg {
                name: format!("{} {backend}", section.kind),
                at: line.at.clone(),
                url: url.clone(),
                listener: self.listener,
                dialled: group.dialled,
                tls: group.tls,
                settings: group.settings,
            });
        }
    }
}
