//! Reads ```` ```console ```` blocks: lines that begin with `$ ` are commands, the lines after a
//! command are its output. A command that ends in `<<'EOF'` continues in lines that begin with `>
//! `.

/// A command and its output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
    /// Number of the command's line in the page.
    pub(crate) line: usize,
}

/// All commands of a page, in order.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            let command = command.to_owned();
            steps.push(Step { command, output: Vec::new(), line: index + 1 });
        } else if let (true, Some(more)) = (inside, continuation(&steps, line)) {
            let step = steps.last_mut().expect("it is continued");
            step.command = format!("{}\n{more}", step.command);
        } else if inside {
            let step = steps.last_mut().expect("a console block begins with a command");
            step.output.push(line.to_owned());
        }
    }
    assert!(!steps.is_empty(), "the page has no console block");
    steps
}

/// The continuation that the line adds to an incomplete command.
fn continuation<'a>(steps: &[Step], line: &'a str) -> Option<&'a str> {
    let command = &steps.last()?.command;
    let open = command.lines().next()?.ends_with("<<'EOF'") && !command.ends_with("\nEOF");
    line.strip_prefix('>').filter(|_| open).map(|rest| rest.strip_prefix(' ').unwrap_or(rest))
}

#[test]
fn commands_are_told_from_their_output() {
    let page = "text\n```console\n$ echo a\na\n\n$ cat <<'EOF'\n> b\n>\n> EOF\nb\n```\n$ no\n```sh\n$ no\n```\n";
    let step = |command: &str, output: &[&str], line| Step {
        command: command.into(),
        output: output.iter().map(ToString::to_string).collect(),
        line,
    };
    assert_eq!(
        steps(page),
        [step("echo a", &["a", ""], 3), step("cat <<'EOF'\nb\n\nEOF", &["b"], 6)]
    );
}
