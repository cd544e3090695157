//! The section `queries`: defaults, what replaces them, and variables.
//!
//! Promises that no variable is left in a query. Must not know: whether Prometheus understands it.

use std::collections::BTreeMap;

use regex::{Captures, Regex};

use super::Checker;
use crate::config::defaults::{DefaultQuery, QUERIES, VARIABLES};
use crate::config::file::QueryFile;
use crate::config::valid::Query;
use crate::snapshot::{Kind, Unit};

impl Checker {
    pub(super) fn queries(
        &mut self,
        own: BTreeMap<String, QueryFile>,
        defaults: Option<&[String]>,
        variables: BTreeMap<String, String>,
    ) -> Vec<Query> {
        let mut all: BTreeMap<String, String> =
            VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        all.extend(variables);
        let mut queries = self.default_queries(defaults, &own);
        for (name, file) in own {
            queries.extend(self.query(&name, file));
        }
        for query in &mut queries {
            query.promql = self.replaced(&query.name, &query.promql, &all);
        }
        self.one_for_each_resource(&queries);
        queries
    }

    fn default_queries(&mut self, chosen: Option<&[String]>, own: &BTreeMap<String, QueryFile>) -> Vec<Query> {
        let known = || QUERIES.iter().map(|query| query.name);
        for (position, name) in chosen.into_iter().flatten().enumerate() {
            if !known().any(|known| known == name) {
                let names: Vec<&str> = known().collect();
                self.refuse(format!("defaultQueries[{position}]"), name, format!("choose from {}", names.join(", ")));
            }
        }
        let is_chosen = |query: &&DefaultQuery| {
            let named = chosen.is_none_or(|names| names.iter().any(|name| name == query.name));
            named && !own.contains_key(query.name)
        };
        QUERIES.iter().filter(is_chosen).map(default_query).collect()
    }

    fn query(&mut self, name: &str, file: QueryFile) -> Option<Query> {
        let key = |part: &str| format!("queries.{name}.{part}");
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.refuse(
                "queries",
                name,
                "name a query with letters, digits and underscores: it becomes a label and a file",
            );
        }
        let kind = file.kind.as_deref().and_then(Kind::named);
        if kind.is_none() {
            self.refuse(key("kind"), file.kind.as_deref().unwrap_or_default(), "write Node or Workload");
        }
        let unit = file.unit.as_deref().map_or(Some(Unit::Base), Unit::named);
        if unit.is_none() {
            self.refuse(key("unit"), file.unit.as_deref().unwrap_or_default(), "write share or base");
        }
        for (part, value) in [("resource", &file.resource), ("query", &file.query)] {
            if value.as_deref().is_none_or(str::is_empty) {
                self.refuse(key(part), "", "say it: there is no default for a query of your own");
            }
        }
        let capacity = file.capacity.or_else(|| Some(default_capacity(unit?))).unwrap_or(f64::INFINITY);
        if capacity.is_nan() || capacity <= 0.0 {
            self.refuse(key("capacity"), capacity, "use a positive number, or leave it out");
        }
        let (resource, promql) = (file.resource?, file.query?);
        Some(Query { name: name.to_owned(), kind: kind?, resource, promql, unit: unit?, capacity })
    }

    fn replaced(&mut self, name: &str, promql: &str, variables: &BTreeMap<String, String>) -> String {
        // `$1` belongs to label_replace.
        let variable = Regex::new(r"\$([A-Za-z_][A-Za-z0-9_]*)").expect("invariant: the pattern is well formed");
        let mut unknown = Vec::new();
        let replaced = variable.replace_all(promql, |captures: &Captures| {
            let value = variables.get(&captures[1]).cloned();
            value.unwrap_or_else(|| {
                unknown.push(captures[1].to_owned());
                String::new()
            })
        });
        for missing in unknown {
            self.refuse(
                format!("queries.{name}.query"),
                format!("${missing}"),
                format!("give variables.{missing} a value"),
            );
        }
        replaced.into_owned()
    }

    fn one_for_each_resource(&mut self, queries: &[Query]) {
        if queries.is_empty() {
            self.refuse("queries", "", "leave at least one query: without any there is nothing to forecast");
        }
        for (position, query) in queries.iter().enumerate() {
            let same = |other: &&Query| (other.kind, &other.resource) == (query.kind, &query.resource);
            if let Some(other) = queries[..position].iter().find(same) {
                let remedy =
                    format!("{} asks for the same; leave that out of defaultQueries or name this one so", other.name);
                self.refuse(format!("queries.{}.resource", query.name), &query.resource, remedy);
            }
        }
    }
}

fn default_capacity(unit: Unit) -> f64 {
    match unit {
        Unit::Share => 1.0,
        Unit::Base => f64::INFINITY,
    }
}

fn default_query(query: &DefaultQuery) -> Query {
    Query {
        name: query.name.to_owned(),
        kind: query.kind,
        resource: query.resource.to_owned(),
        promql: query.promql.to_owned(),
        unit: query.unit,
        capacity: default_capacity(query.unit),
    }
}
