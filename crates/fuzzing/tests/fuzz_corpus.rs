//! Runs every fuzz target over its checked-in corpus and over mutations of it: always the same
//! ones, so that a failure can be repeated, and few, so that it takes seconds.
#![allow(unsafe_code, reason = "an allocator that counts must implement an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeSet,
    fs, panic,
    path::{Path, PathBuf},
};

use fuzzing::{TARGETS, Target};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Mutations of each target's corpus.
const MUTATIONS: usize = 1000;
/// Longest mutation, in bytes.
const BYTES_MAX: usize = 8 * 1024;
/// Length of the inputs that repeat a piece, in bytes.
const LONG_BYTES: usize = 100_000;
/// What is repeated: beginnings and ends of everything that nests, repeats or spans lines.
const PIECES: [&str; 24] = [
    "\0",
    "\x01",
    "\u{7f}",
    "\n",
    " ",
    "\\",
    "/",
    "-",
    "1.",
    "a.",
    "a=1\n",
    "a=(\n",
    "a='\n",
    "[[a]]\n",
    "[a.b]\n",
    "{\"a\":",
    "{{a [",
    "{{(",
    "{{#if a}}",
    "{{{{a}}}}",
    "{{!--",
    "/%61",
    "\na: b/c;q=0,",
    "\x08\x01",
];
/// What one input may need at most, in bytes: a few times the largest limit of any decoder.
const HEAP_BYTES_MAX: isize = 64 * 1024 * 1024;

/// Counts what this thread has on the heap, and the most it had.
struct Counting;

thread_local! {
    static HEAP_BYTES: Cell<isize> = const { Cell::new(0) };
    static PEAK_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    HEAP_BYTES.with(|heap| heap.set(heap.get() + bytes));
    PEAK_BYTES.with(|peak| peak.set(peak.get().max(HEAP_BYTES.get())));
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

/// Name and content of each file, sorted by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz_folder().join("corpus").join(target);
    let read = |name: String| (name.clone(), fs::read(folder.join(name)).expect("a file"));
    names_in(&folder).into_iter().map(read).collect()
}

/// One to four small changes of one input, with pieces of another.
fn mutated(inputs: &[(String, Vec<u8>)], random: &mut ChaCha8Rng) -> Vec<u8> {
    let pick = |random: &mut ChaCha8Rng| inputs.choose(random).expect("a corpus").1.clone();
    let mut bytes = pick(random);
    for _ in 0..random.random_range(1..=4) {
        let from = random.random_range(0..=bytes.len());
        let to = random.random_range(from..=bytes.len().min(from + 32));
        match random.random_range(0..7) {
            0 if from < bytes.len() => bytes[from] ^= 1 << random.random_range(0..8),
            1 if from < bytes.len() => {
                bytes[from] = *[0, 1, 0x7f, 0x80, 0xff, b'\n'].choose(random).expect("six bytes");
            }
            2 => drop(bytes.drain(from..to)),
            3 => bytes.truncate(from),
            4 => {
                let piece = bytes[from..to].repeat(random.random_range(1..8));
                bytes.splice(from..from, piece);
            }
            5 => bytes.insert(from, random.random()),
            _ => {
                let other = pick(random);
                let start = random.random_range(0..=other.len());
                let end = random.random_range(start..=other.len().min(start + 64));
                bytes.splice(from..to, other[start..end].iter().copied());
            }
        }
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

/// Runs one input; a failure names it.
fn run(target: Target, name: &str, input: &[u8]) {
    PEAK_BYTES.set(HEAP_BYTES.get());
    let before = HEAP_BYTES.get();
    let result = panic::catch_unwind(|| target(input));
    assert!(result.is_ok(), "{name}: {}", input.escape_ascii());
    let needed = PEAK_BYTES.get() - before;
    assert!(needed < HEAP_BYTES_MAX, "{name} took {needed} bytes: {}", input.escape_ascii());
}

fn run_all(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target");
    let inputs = corpus(name);
    for (file, input) in &inputs {
        run(target, file, input);
    }
    // What grows with the square of its input does not end here.
    for piece in PIECES {
        run(target, piece, piece.repeat(LONG_BYTES / piece.len()).as_bytes());
    }
    let mut random = ChaCha8Rng::seed_from_u64(0);
    for number in 0..MUTATIONS {
        run(target, &format!("mutation {number}"), &mutated(&inputs, &mut random));
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run_all(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_test_a_fuzz_target_and_a_corpus() {
            let known: BTreeSet<String> = TARGETS.map(|(name, _)| name.to_owned()).into();
            assert_eq!(BTreeSet::from([$(stringify!($name).to_owned()),*]), known);
            assert_eq!(names_in(&fuzz_folder().join("corpus")), known);
            let files: BTreeSet<String> = known.iter().map(|name| format!("{name}.rs")).collect();
            assert_eq!(names_in(&fuzz_folder().join("fuzz_targets")), files);
            for name in known {
                assert!(!corpus(&name).is_empty(), "{name}");
            }
        }
    };
}

tests! {
    box_message census config ctl_answer ctl_frame ctl_request data_file envelope hart_body
    hart_entries hart_header http ident key_file launch_wire member metafile peers process_table
    remembered rumor service_directory shebang spec_file swim template zmtp
}
