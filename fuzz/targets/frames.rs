//! Frames of a watch, in any order and form.

#![no_main]

use kube::core::WatchEvent;
use libfuzzer_sys::fuzz_target;
use ordinal_api::lite;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    for line in text.split(|byte| *byte == b'\n') {
        match kind % 5 {
            0 => _ = serde_json::from_slice::<WatchEvent<lite::Pod>>(line),
            1 => _ = serde_json::from_slice::<WatchEvent<lite::Claim>>(line),
            2 => _ = serde_json::from_slice::<WatchEvent<lite::Revision>>(line),
            3 => _ = serde_json::from_slice::<WatchEvent<lite::Service>>(line),
            _ => _ = serde_json::from_slice::<WatchEvent<Value>>(line),
        }
    }
});
