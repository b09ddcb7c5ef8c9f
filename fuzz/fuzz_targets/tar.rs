#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| alfred_ops_backup::fuzzing::tar(data));
