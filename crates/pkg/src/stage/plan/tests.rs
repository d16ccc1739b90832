use proptest::prelude::*;

use super::*;

fn read_with(text: &str, settled: &[(&str, Option<&str>)], include: &mut Include<'_>) -> Plan {
    let settled = settled.iter().map(|(name, word)| (*name, word.map(str::to_owned))).collect();
    let preset = [("pkg_svc_data_path", "/d/@__pkg_name__@"), ("pkg_svc_user", "hab")];
    let preset = preset.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let environment = |name: &str| (name == "CHANNEL").then(|| "stable".to_owned());
    parse(text, Surroundings { settled, preset, environment: &environment, include })
}

fn read(text: &str) -> Plan {
    read_with(text, &[], &mut |path| Err(format!("no {path}")))
}

/// All values of a plan without faults, without their places.
fn values(text: &str) -> BTreeMap<&'static str, Value> {
    let plan = read(text);
    assert_eq!(plan.faults, [], "{text}");
    plan.variables.into_iter().map(|(name, (_, value))| (name, value)).collect()
}

fn word(text: &str) -> String {
    match values(&format!("pkg_name={text}\n")).remove("pkg_name") {
        Some(Value::Word(word)) => word,
        other => panic!("{text}: {other:?}"),
    }
}

fn array<const N: usize>(items: [&str; N]) -> Value {
    Value::Array(items.map(str::to_owned).into())
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> Value {
    Value::Map(pairs.map(|(key, text)| (key.to_owned(), text.to_owned())).into())
}

/// Lines and problems of the faults of a plan.
fn faults(text: &str) -> Vec<(usize, String)> {
    read(text).faults.into_iter().map(|fault| (fault.place.line, fault.problem)).collect()
}

#[test]
fn words_are_as_bash_takes_them() {
    for (text, expected) in [
        ("redis", "redis"),
        ("'a b'", "a b"),
        ("\"a b\"", "a b"),
        (r#""a \"b\" \n \\""#, r#"a "b" \n \"#),
        ("a'b'\"c\"d", "abcd"),
        ("1.0~rc1#2", "1.0~rc1#2"),
        ("a\\\nb", "ab"),
        ("a\\ b", "a b"),
        ("", ""),
        ("x # a comment", "x"),
        ("x;", "x"),
        ("x \\\n  ", "x"),
        ("a*?[b]{c,d}", "a*?[b]{c,d}"),
        ("$'a\\tb\\'c'", "a\tb'c"),
        ("\"$pkg_svc_data_path/x\"", "/d/@__pkg_name__@/x"),
        ("${pkg_svc_data_path}", "/d/@__pkg_name__@"),
        ("${CHANNEL}", "stable"),
        ("${CHANNEL:-dev}-${OTHER:-\"x y\"}", "stable-x y"),
        ("${OTHER-}${CHANNEL:+z}${OTHER+q}", "z"),
        ("\"a$\"", "a$"),
        ("x\r", "x"),
    ] {
        assert_eq!(word(text), expected, "{text}");
    }
}

#[test]
fn expansions_cut_replace_and_count() {
    for (text, expected) in [
        ("${v%.*}", "1.22.333"),
        ("${v%%.*}", "1"),
        ("${v#*.}", "22.333.4"),
        ("${v##*.}", "4"),
        ("${v%%[!0-9]*}", "1"),
        ("${v/./_}", "1_22.333.4"),
        ("${v//./_}", "1_22_333_4"),
        ("${v//[0-9]}", "..."),
        ("${v:2:2}", "22"),
        ("${v: -1}", "4"),
        ("${#v}", "10"),
        ("${s^^}${s^}${u,,}${u,}", "ABAbabaB"),
        ("${v%$e}", "1.22.333"),
        ("${a[1]}${a}${#a[@]}", "yx2"),
        ("\"${a[*]}\"", "x y"),
        ("${m[k]}", "l"),
    ] {
        let plan = format!(
            "v=1.22.333.4\ns=ab\nu=AB\ne=.4\na=(x y)\ndeclare -A m=([k]=l)\npkg_name={text}\n"
        );
        let value = values(&plan).remove("pkg_name");
        assert_eq!(value, Some(Value::Word(expected.into())), "{text}");
    }
}

#[test]
fn arrays_are_as_bash_takes_them() {
    for (text, expected) in [
        ("pkg_exposes=(port # main\n  \"ssl-port\"\n)", array(["port", "ssl-port"])),
        ("pkg_exposes=(\n\n# none\n)\npkg_exposes+=(a)\npkg_exposes+=('b c')", array(["a", "b c"])),
        ("p=(a 'b c')\npkg_exposes=(\"${p[@]}\" d)", array(["a", "b c", "d"])),
        ("p='a b'\npkg_exposes=($p \"$p\")", array(["a", "b", "a b"])),
        ("pkg_exposes=(a b)\npkg_exposes[1]=c\npkg_exposes[0]+=x", array(["ax", "c"])),
        ("pkg_exposes=([1]=b [0]=a)", array(["a", "b"])),
        ("pkg_exposes=(a)\npkg_exposes=z", array(["z"])),
        ("pkg_exposes=a\npkg_exposes+=(b)", array(["a", "b"])),
        ("declare -a pkg_exposes=(a)", array(["a"])),
        ("export pkg_exposes=(a)", array(["a"])),
        ("pkg_exposes=()\n", array([])),
        ("\tpkg_exposes=(\ta\t)", array(["a"])),
        ("x=1 pkg_exposes=(a)", array(["a"])),
        ("pkg_exposes=(a b); unset x; true", array(["a", "b"])),
    ] {
        assert_eq!(values(text).remove("pkg_exposes"), Some(expected), "{text}");
    }
}

#[test]
fn associative_arrays_are_as_bash_takes_them() {
    for (text, expected) in [
        (
            "pkg_exports=(\n  [port]=http.port\n  [\"host\"]=\"http.host\" # x\n)",
            map([("port", "http.port"), ("host", "http.host")]),
        ),
        ("pkg_exports=([a]=x)\npkg_exports+=([b]=y [a]=z)", map([("a", "z"), ("b", "y")])),
        (
            "declare -A pkg_exports\npkg_exports[a]=x\npkg_exports['b']=y",
            map([("a", "x"), ("b", "y")]),
        ),
        ("declare -gA pkg_exports=( [a-b]=\"c d\" )", map([("a-b", "c d")])),
        ("k=a\npkg_exports=([$k]=x [\"$k-b\"]=y)", map([("a", "x"), ("a-b", "y")])),
        ("pkg_exports=(a x b y)", map([("a", "x"), ("b", "y")])),
        ("pkg_exports=([a]=x)\npkg_exports[a]+=.y", map([("a", "x.y")])),
        ("pkg_exports=", map([])),
        ("pkg_exports=()", map([])),
    ] {
        assert_eq!(values(text).remove("pkg_exports"), Some(expected), "{text}");
    }
}

#[test]
fn later_lines_build_on_earlier_ones() {
    let read = values(
        "pkg_name=app\npkg_version=1.2\npkg_version+=.3\n_bin=$pkg_name-server\n\
         pkg_svc_run=\"$_bin -c ${pkg_name}.conf\"\npkg_svc_run+=\" -v\"\n\
         pkg_svc_group=\"$pkg_svc_user\"\n",
    );
    assert_eq!(read["pkg_version"], Value::Word("1.2.3".into()));
    assert_eq!(read["pkg_svc_run"], Value::Word("app-server -c app.conf -v".into()));
    assert_eq!(read["pkg_svc_group"], Value::Word("hab".into()));
    assert!(!read.contains_key("pkg_svc_user"), "set before, not by the plan");
}

#[test]
fn commands_that_do_not_run_are_ignored() {
    let text = r#"#!/bin/bash -e
# pkg_name=$y
pkg_description="a
pkg_name=$(no)
"
pkg_deps=(core/glibc
 pkg_name=$x
)
pkg_license='x
'
pkg_source=http://x/${pkg_name}-$(uname -m | sed 's/)/x/').tgz
pkg_build_deps=($(cat "$PLAN_CONTEXT"/deps | grep -v '#'))
my_pkg_name=$1
pkg_dirname="${pkg_name}-`date`"
foo # pkg_name=$z
do_begin() { return 0; }
do_build() {
  local pkg_name=zzz
  make "$pkg_name" --x=${pkg_name}
  cat <<-EOF > "$pkg_prefix/conf"
	pkg_name=$(in a here-document) {
	EOF
  if [[ "$x" == a* && ! -f b ]]; then echo "}"; elif true; then :; fi
  for f in a b; do
    case $f in
      (a) echo ')' ;;
      b|c) x=$(case $f in b) echo y;; esac) ;;
      *) ;;
    esac
  done
  ((i++)); arr=(1 2); while read -r l; do :; done < <(find . -name '*.x')
  grep x <<< "pkg_name=no {" || { echo }; return 1; }
}
function do_install {
  install -v -m 0644 a b 2>/dev/null >&2 && true
}
do_check()
(
  pkg_name=in_a_subshell_function
)
_helper() { awk '{ print "}" $1 }' f; sed -e "s/'/\"/g"; echo ${x#"{"} ${#x} $((1 + (2))); }
cat <<'END' > /dev/null
pkg_name=$(here) ' " (
END
(pkg_version=2)
echo ${pkg_name[0]} ${pkg_name=x}; ./configure --pkg_name=x
pkg_name=app
"#;
    let plan = read(text);
    assert_eq!(plan.faults, []);
    assert_eq!(plan.warnings, []);
    assert!(plan.has_deps);
    let names: Vec<_> = plan.variables.into_iter().collect();
    let place = Place { file: None, line: text.lines().count() };
    assert_eq!(names, [("pkg_name", (place, Value::Word("app".into())))]);
}

#[test]
fn what_needs_bash_is_refused_with_all_lines() {
    for text in [
        "pkg_origin=$(git describe)",
        "pkg_origin=`date`",
        "pkg_origin=\"$(date)\"",
        "pkg_origin=\"$VERSION\"",
        "pkg_origin=${VERSION:?x}",
        "if true; then pkg_origin=1; fi",
        "[[ -n $x ]] && pkg_origin=1",
        "for pkg_origin in a b; do :; done",
        "case x in x) pkg_origin=1;; esac",
        "f() { pkg_origin=1; }",
        "read pkg_origin <<< x",
        "printf -v pkg_origin %s x",
        "eval \"pkg_origin=x\"",
        "pkg_origin=~/x",
        "pkg_origin=$1",
        "x=$(y)\npkg_origin=$x",
        "pkg_origin=a\npkg_origin+=$(y)",
        "pkg_origin=${!x}",
        "while read x; do pkg_origin+=$x; done < y",
    ] {
        let found = faults(&format!("# a plan\n{text}\n"));
        let [(line, problem)] = found.as_slice() else { panic!("{text}: {found:?}") };
        assert_eq!(*line, text.matches('\n').count() + 2, "{text}");
        assert!(problem.contains("pkg_origin"), "{text}: {problem}");
        assert!(problem.ends_with("set 'origin' in roost.toml"), "{problem}");
    }
    let all = faults("pkg_name=$(a)\npkg_exposes=($(b))\n\npkg_svc_user=$c\npkg_svc_run=`d`\n");
    assert_eq!(all.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert!(all[3].1.ends_with("or write hooks/run"), "{all:?}");
}

#[test]
fn an_unclosed_construct_is_reported_where_it_begins() {
    for (text, line) in [
        ("pkg_name=(a", 2),
        ("pkg_name=\"a", 2),
        ("pkg_name='a", 2),
        ("x=`a", 2),
        ("x=${a", 2),
        ("x=$(a", 2),
        ("f() {\n", 2),
        ("if a; then\n\n", 2),
        ("cat <<EOF\nx", 2),
        ("x=(a;b)", 2),
        ("}", 2),
        (")", 2),
        ("case x in\n a", 3),
    ] {
        let found = faults(&format!("# a plan\n{text}"));
        assert_eq!(found.first().map(|(line, _)| *line), Some(line), "{text}: {found:?}");
    }
}

#[test]
fn a_version_that_is_computed_is_one_warning() {
    for text in [
        "pkg_version=$(cat VERSION)",
        "pkg_version() { cat VERSION; }",
        "pkg_version ()\n{\n cat VERSION\n}",
        "do_before() { pkg_version=$(x); }",
        "if a; then pkg_version=1; else pkg_version=2; fi",
    ] {
        let plan = read(&format!("pkg_name=a\n{text}\npkg_svc_run=\"x $pkg_name\"\n"));
        assert_eq!(plan.faults, [], "{text}");
        assert_eq!(plan.variables["pkg_version"].1, Value::Word("0.1.0".into()), "{text}");
        let [(place, warning)] = plan.warnings.as_slice() else { panic!("{:?}", plan.warnings) };
        assert_eq!(place.line, 2);
        assert!(warning.ends_with("set 'version' in roost.toml for another one"), "{warning}");
    }
}

#[test]
fn settled_variables_are_known_and_not_required() {
    let settled = [("pkg_version", Some("9")), ("pkg_exports", None)];
    let text = "pkg_version=$(x)\npkg_exports=$(y)\npkg_svc_run=\"a-$pkg_version\"\n";
    let plan = read_with(text, &settled, &mut |_| Err(String::new()));
    assert_eq!((plan.faults, plan.warnings), (vec![], vec![]));
    assert_eq!(plan.variables["pkg_svc_run"].1, Value::Word("a-9".into()));
    assert_eq!(plan.variables.len(), 1);
}

#[test]
fn files_that_a_plan_reads_are_part_of_it() {
    let mut include = |path: &str| match path {
        "../base/plan.sh" => Ok((path.into(), "pkg_name=base\r\npkg_svc_run=run\n".into())),
        "/broken" => Ok((path.into(), "pkg_origin=$(x)\n".into())),
        path => Err(format!("no {path}")),
    };
    let text = "PLAN=../base\nsource $PLAN/plan.sh\npkg_name=\"my-$pkg_name\"\n. \"$(x)\"\n";
    let plan = read_with(text, &[], &mut include);
    assert_eq!(plan.variables["pkg_name"].1, Value::Word("my-base".into()));
    assert_eq!(plan.variables["pkg_svc_run"].0.file, Some("../base/plan.sh".into()));
    assert_eq!(plan.warnings.len(), 1);
    assert_eq!(plan.warnings[0].0.line, 4);
    let plan = read_with("source /broken", &[], &mut include);
    assert_eq!(plan.faults[0].place, Place { file: Some("/broken".into()), line: 1 });
    let mut endless = |path: &str| Ok((path.into(), "source x\n".into()));
    assert_eq!(read_with("source x", &[], &mut endless).warnings.len(), 1);
}

#[test]
fn marks_of_other_systems_are_ignored() {
    let plan = "\u{feff}pkg_name=app\r\npkg_exposes=(\r\n  port\r\n)\r\nf() {\r\n  x\r\n}\r\n";
    let read = values(plan);
    assert_eq!(read["pkg_name"], Value::Word("app".into()));
    assert_eq!(read["pkg_exposes"], array(["port"]));
}

#[test]
fn size_and_run_time_are_bounded() {
    let plan = "pkg_name=a\n".to_owned() + &"pkg_name=$pkg_name\"$pkg_name\"\n".repeat(40);
    assert!(faults(&plan)[0].1.contains("longer than 65536 bytes"));
    let plan = "a=(b)\n".to_owned() + &"a+=(\"${a[@]}\")\n".repeat(40) + "pkg_name=${a[1]}";
    assert!(faults(&plan)[0].1.contains("more than 4096 elements"));
    let deep = |open: &str| format!("x={}", open.repeat(100_000));
    for open in ["$(", "${a:-", "((", "\"$(", "$((", "<("] {
        assert!(!faults(&deep(open)).is_empty(), "{open}");
    }
    assert!(!faults(&"{ ".repeat(100_000)).is_empty());
    let text = "a".repeat(1000);
    let plan = format!("t={text}\n") + &"x=${t%%*b*b*b*b}\n".repeat(2_000) + "pkg_name=$x";
    assert!(!faults(&plan).is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in "(pkg_name=|pkg_exports[+]?=|case |in|esac|if |fi|then |<<E|\\$\\{a|[#%:-]|[]\\[()\"'$\\\\ \n#=a{}~ü;&|<>`])*"
    ) {
        let _ = read(&text);
    }

    #[test]
    fn single_quotes_keep_everything(inner in "[^'\r]{0,20}") {
        prop_assert_eq!(word(&format!("'{inner}'")), inner);
    }
}
