//! Prints the CRD of `OrdinalSet` as YAML: `make crds` writes it to crds/ordinalsets.yaml.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use serde_saphyr::{FlowMap, FlowSeq, ser_options};
use std::io::{Write, stdout};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A schema is deep: with two spaces a third of the file would be indentation.
    let options = ser_options! { indent_step: 1 };
    let yaml = serde_saphyr::to_string_with_options(&Yaml(&ordinal_api::schema::crd()), options)?;
    let mut out = stdout().lock();
    writeln!(out, "# Generated from src/api by `make crds`. Do not edit.")?;
    out.write_all(yaml.as_bytes())?;
    Ok(())
}

/// What is longer than this as JSON gets a line for each of its fields or items.
const ONE_LINE: usize = 160;

/// Small objects and lists on one line, as a person would write them.
struct Yaml<'a>(&'a Value);

impl Serialize for Yaml<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(object) if self.0.to_string().len() <= ONE_LINE => FlowMap(object).serialize(serializer),
            Value::Object(object) => fields(object, serializer),
            Value::Array(list) if self.0.to_string().len() <= ONE_LINE => FlowSeq(list).serialize(serializer),
            Value::Array(list) => serializer.collect_seq(list.iter().map(Yaml)),
            scalar => scalar.serialize(serializer),
        }
    }
}

fn fields<S: Serializer>(object: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(object.len()))?;
    for (key, value) in object {
        map.serialize_entry(key, &Yaml(value))?;
    }
    map.end()
}
