//! One object of a kind, as anybody may have written it: read, and turned into what plans see.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ordinal_api::lite;
use ordinal_plan::{
    meaning::Meaning,
    name, revision,
    snapshot::{Claim, Pod, Revision, Service, Set},
};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    match kind % 7 {
        0 => _ = serde_json::from_slice(text).map(Set::read),
        1 => _ = serde_json::from_slice::<lite::Pod>(text).map(Pod::from),
        2 => _ = serde_json::from_slice::<lite::Claim>(text).map(Claim::from),
        3 => _ = serde_json::from_slice::<lite::Revision>(text).map(Revision::from),
        4 => _ = serde_json::from_slice::<lite::Service>(text).map(Service::from),
        5 => {
            if let Ok(template) = serde_json::from_slice::<Value>(text) {
                let _ = Meaning::of(&template);
                let data = revision::data(&template);
                let _ = revision::hash(&data, i32::from(*kind));
                let _ = revision::restore(data);
                let _ = revision::restore(template);
            }
        }
        _ => {
            if let Ok(text) = std::str::from_utf8(text) {
                let parsed = name::parse(text);
                assert!(text.starts_with(parsed.parent(text)));
                let _ = name::parse_claim(text, "web");
            }
        }
    }
});
