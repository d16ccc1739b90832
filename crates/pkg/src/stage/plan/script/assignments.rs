//! The assignments of a plan's commands.
//!
//! Functions are not run, so their assignments are only recorded; values assigned under a condition
//! or in a loop are unknown.

use super::{
    super::{
        NEEDED,
        cursor::Broken,
        is_needed,
        values::{List, Value},
        words::{self, Why},
    },
    Argument, Assignment, Element, End, Place, SOURCES_DEPTH_MAX, SOURCES_MAX, Scope, Script,
    Source, is_name,
};

impl<'a> Script<'a, '_, '_, '_> {
    /// A command of assignments and words.
    pub(super) fn simple(&mut self) -> Result<(), Broken> {
        let mut assignments = Vec::new();
        loop {
            self.cursor.skip_blanks();
            match self.assignment()? {
                Some(assignment) => assignments.push(assignment),
                None => break,
            }
        }
        let at = self.cursor.at;
        let first = match self.argument(false)? {
            None => {
                // Assignments before a command do not persist.
                for assignment in assignments {
                    self.assign(assignment);
                }
                if self.cursor.at == at && self.cursor.peek().is_some_and(|c| c == '(') {
                    self.cursor.skip_commands(at)?;
                }
                return Ok(());
            }
            Some(Argument::Word(first)) => first,
            Some(Argument::Assignment(_)) => return Ok(()),
        };
        self.cursor.skip_blanks();
        if assignments.is_empty() && self.cursor.rest().starts_with('(') {
            return self.named_function(first, at);
        }
        let place = self.place(at);
        match first {
            "declare" | "typeset" | "local" | "export" | "readonly" => self.declare(first),
            "source" | "." => {
                let path = self.argument(false)?;
                self.rest_of_command()?;
                if let Some(Argument::Word(path)) = path {
                    self.source(path, place);
                }
                Ok(())
            }
            "unset" => {
                while let Some(Argument::Word(name)) = self.argument(false)? {
                    match self.scope() {
                        Scope::Always => drop(self.effects.known.variables.remove(name)),
                        Scope::Perhaps if self.effects.known.variables.contains_key(name) => {
                            self.set_unknown(name, &place, "it is unset under a condition");
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            "read" | "mapfile" | "readarray" | "printf" | "let" | "getopts" => {
                let mut target = first != "printf";
                while let Some(Argument::Word(word)) = self.argument(false)? {
                    let name = word.split(['=', '[']).next().unwrap_or_default();
                    if target && is_name(name) {
                        self.set_unknown(name, &place, &format!("'{first}' assigns it"));
                    }
                    if first == "printf" {
                        target = word == "-v";
                    }
                }
                Ok(())
            }
            "eval" => {
                while let Some(Argument::Word(word)) = self.argument(false)? {
                    for (name, _) in NEEDED {
                        if word.contains(name) {
                            self.set_unknown(name, &place, "'eval' may assign it");
                        }
                    }
                }
                Ok(())
            }
            // `: "${name:=word}"` assigns.
            ":" => {
                while let Some(Argument::Word(word)) = self.argument(false)? {
                    if matches!(self.scope(), Scope::Always) {
                        // An unknown value stays unset.
                        let _ = words::expand(word, false, &mut self.effects.known);
                    }
                }
                Ok(())
            }
            _ => self.rest_of_command(),
        }
    }

    /// The arguments of `declare` and similar commands.
    fn declare(&mut self, command: &str) -> Result<(), Broken> {
        let mut associative = false;
        let local = self.is_in_function() && !matches!(command, "export" | "readonly");
        let mut global = false;
        while let Some(argument) = self.argument(true)? {
            match argument {
                Argument::Word(option) if option.starts_with(['-', '+']) => {
                    associative |= option.starts_with('-') && option.contains('A');
                    global |= option.contains('g');
                }
                Argument::Word(name) => {
                    if associative && is_name(name) {
                        self.effects.known.declare_associative(name);
                    }
                }
                Argument::Assignment(assignment) => {
                    if associative {
                        self.effects.known.declare_associative(assignment.name);
                    }
                    if !local || global {
                        self.assign(assignment);
                    }
                }
            }
        }
        Ok(())
    }

    fn assign(&mut self, assignment: Assignment<'a>) {
        let Assignment { at, name, index, append, value } = assignment;
        let place = self.place(at);
        if self.effects.known.is_fixed(name) {
            return;
        }
        match self.scope() {
            Scope::Never => return,
            Scope::Function(function) => {
                if is_needed(name) {
                    self.effects.in_functions.push((name.into(), place, function));
                }
                return;
            }
            Scope::Perhaps => {
                return self.set_unknown(
                    name,
                    &place,
                    "it is assigned under a condition or in a loop",
                );
            }
            Scope::Always => {}
        }
        self.effects.places.insert(name.into(), place);
        if let Err(why) = self.evaluate(name, index, append, value) {
            self.effects.known.set(name, Value::Unknown(why));
        }
    }

    fn evaluate(
        &mut self,
        name: &str,
        index: Option<&str>,
        append: bool,
        value: Source<'_>,
    ) -> Result<(), Why> {
        let known = &mut self.effects.known;
        match value {
            Source::Word(word) => {
                let text = words::expand(word, false, known)?.scalar()?;
                let index = match index {
                    Some(index) => Some(words::expand(index, false, known)?.scalar()?),
                    None => None,
                };
                known.assign(name, index.as_deref(), append, text)
            }
            Source::List(elements) => {
                let mut list = List::default();
                for Element { key, word } in elements {
                    match key {
                        Some((key, append)) => {
                            let key = words::expand(key, false, known)?.scalar()?;
                            let text = words::expand(word, false, known)?.scalar()?;
                            list.pairs.push((key, text, append));
                        }
                        None => list.items.extend(words::expand(word, true, known)?.fields()),
                    }
                }
                known.assign_list(name, append, list)
            }
        }
    }

    pub(super) fn set_unknown(&mut self, name: &str, place: &Place, why: &str) {
        if self.effects.known.is_fixed(name) || !is_name(name) {
            return;
        }
        match self.scope() {
            Scope::Never => {}
            Scope::Function(function) => {
                if is_needed(name) {
                    self.effects.in_functions.push((name.into(), place.clone(), function));
                }
            }
            Scope::Always | Scope::Perhaps => {
                self.effects.places.insert(name.into(), place.clone());
                self.effects.known.set(name, Value::Unknown(why.into()));
            }
        }
    }

    /// `source FILE`: reads the file as a part of the plan.
    fn source(&mut self, word: &str, place: Place) {
        let scope = self.scope();
        if matches!(scope, Scope::Function(_) | Scope::Never) {
            return;
        }
        let path =
            words::expand(word, false, &mut self.effects.known).and_then(words::Word::scalar);
        let read = match (path, scope) {
            (Err(why), _) => Err(why),
            (Ok(_), Scope::Perhaps) => Err("it is read under a condition".into()),
            _ if self.depth == SOURCES_DEPTH_MAX || self.effects.sources == SOURCES_MAX => {
                Err("too many files are read".into())
            }
            (Ok(path), _) => (self.effects.include)(&path),
        };
        match read {
            Ok((path, text)) => {
                self.effects.sources += 1;
                let mut script = Script::new(&text, Some(path), self.effects);
                script.depth = self.depth + 1;
                if let End::Broken { place, problem } = script.run() {
                    self.effects.warnings.push((place, problem));
                }
            }
            Err(why) => {
                let text = format!("{word} is not read, and what it assigns is not known: {why}");
                self.effects.warnings.push((place, text));
            }
        }
    }
}
