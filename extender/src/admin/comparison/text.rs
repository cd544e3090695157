//! A comparison for people: one sentence, and a line a node.
//!
//! Promises that the sentence answers the question, and the lines show by which numbers.

use super::{Compared, Comparison, Load, Part};

impl Comparison {
    /// Lines without an end of the last one.
    pub(in crate::admin) fn lines(&self) -> Vec<String> {
        let failures = self.failures.iter().map(|failure| format!("  no score from {failure}"));
        if let Some(why) = &self.absent {
            return std::iter::once(format!("  nodes are not compared: {why}")).chain(failures).collect();
        }
        let nodes = self.nodes.iter().map(Compared::line);
        std::iter::once(self.sentence()).chain(nodes).chain(failures).collect()
    }

    fn sentence(&self) -> String {
        let Self { candidates, loads_of, .. } = self;
        let loads = if *loads_of == "requests" { "requests" } else { "expected use" };
        let asked = self.nodes.iter().find(|node| node.is_its_node);
        let asked = asked.or_else(|| self.nodes.iter().find(|node| node.is_planned)).or(self.nodes.first());
        let place = match asked {
            None => return "  as the cluster is now, no node would take it".to_owned(),
            Some(Compared { node, rank: Some(1), .. }) => format!("{node} is the best of {candidates}"),
            Some(Compared { node, rank: Some(rank), .. }) => format!("{node} is number {rank} of {candidates}"),
            Some(Compared { node, .. }) => format!("{node} is none of the {candidates}"),
        };
        format!("  as the cluster is now, {place} nodes that would take it; score, and {loads} without -> with it:")
    }
}

impl Compared {
    fn line(&self) -> String {
        let rank = self.rank.map_or_else(|| "-".to_owned(), |rank| format!("{rank}."));
        let roles = [(self.is_its_node, ", its node"), (self.is_planned, ", planned")];
        let roles: String = roles.iter().filter(|(holds, _)| *holds).map(|(_, role)| *role).collect();
        let refusal = self.refusal.map(|refusal| format!(" ({refusal})")).unwrap_or_default();
        let parts = if self.plugins.len() > 1 { parts(&self.plugins) } else { String::new() };
        let loads: Vec<String> = self.loads.iter().map(Load::text).collect();
        format!("    {rank} {}{roles}{refusal}: {:.1}{parts}; {}", self.node, self.score, loads.join(", "))
    }
}

fn parts(parts: &[Part]) -> String {
    let part = |Part { plugin, weight, score }: &Part| format!("{plugin} {score:.1} x {weight}");
    format!(" ({})", parts.iter().map(part).collect::<Vec<_>>().join(", "))
}

impl Load {
    fn text(&self) -> String {
        let name = self.resource.rsplit_once('/').map_or(&*self.resource, |(_, name)| name);
        format!("{name} {:.0} -> {:.0} %", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, rank: Option<usize>, score: f64) -> Compared {
        Compared {
            node: name.to_owned(),
            is_its_node: false,
            is_planned: false,
            rank,
            refusal: None,
            score,
            plugins: vec![Part { plugin: "gantry".to_owned(), weight: 1.0, score }],
            loads: vec![Load { resource: "gantry.dev/disk-io".to_owned(), before: 40.6, after: 53.0 }],
        }
    }

    fn comparison(nodes: Vec<Compared>) -> Comparison {
        Comparison { candidates: 12, nodes, loads_of: "requests", ..Comparison::default() }
    }

    #[test]
    fn the_sentence_is_of_its_node_else_of_the_planned_one_else_of_the_best() {
        let best = || node("a", Some(1), 100.0);
        let own = || Compared { is_its_node: true, ..node("b", Some(3), 90.0) };
        let planned = || Compared { is_planned: true, refusal: Some("no room"), ..node("c", None, 0.0) };
        for (nodes, place) in [
            (vec![best(), own(), planned()], "b is number 3 of 12 nodes"),
            (vec![best(), planned()], "c is none of the 12 nodes"),
            (vec![best()], "a is the best of 12 nodes"),
            (Vec::new(), "no node would take it"),
        ] {
            let text = comparison(nodes).lines().join("\n");
            assert!(text.starts_with(&format!("  as the cluster is now, {place}")), "{text}");
        }
    }

    #[test]
    fn a_line_has_rank_roles_score_parts_and_loads() {
        let mut own = Compared { is_its_node: true, is_planned: true, ..node("n7", Some(1), 98.0) };
        assert_eq!(own.line(), "    1. n7, its node, planned: 98.0; disk-io 41 -> 53 %");
        own.plugins.push(Part { plugin: "other".to_owned(), weight: 0.5, score: 94.0 });
        assert_eq!(
            own.line(),
            "    1. n7, its node, planned: 98.0 (gantry 98.0 x 1, other 94.0 x 0.5); disk-io 41 -> 53 %"
        );
        let full = Compared { refusal: Some("no room"), ..node("n8", None, 0.0) };
        assert_eq!(full.line(), "    - n8 (no room): 0.0; disk-io 41 -> 53 %");
    }

    #[test]
    fn a_plugin_that_fails_just_says_so() {
        let failures = vec!["guest: trap: a bug".to_owned()];
        let absent = Comparison { failures, ..Comparison::absent("no plugin of its profile gives a score") };
        let expected =
            ["  nodes are not compared: no plugin of its profile gives a score", "  no score from guest: trap: a bug"];
        assert_eq!(absent.lines(), expected);
    }
}
