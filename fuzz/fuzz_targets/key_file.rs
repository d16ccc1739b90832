#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::crypto::key_file(data));
