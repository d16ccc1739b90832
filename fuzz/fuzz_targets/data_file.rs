#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::ring::data_file(data));
