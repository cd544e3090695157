//! Ties as a Pod states them.

use k8s_openapi::api::core::v1::{Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{Namespaces, Reach, Spread, Term, Ties};
use crate::affinity::NodeAffinity;
use crate::selector::{Labels, Requirement, Selector, SelectorError};
use crate::taint::read_tolerations;

/// A demand that no rule between pods expresses.
struct Inexpressible;

impl From<SelectorError> for Inexpressible {
    fn from(_: SelectorError) -> Self {
        Self
    }
}

/// Of a pod that has a node. A term that can not be read keeps nobody away; one for namespaces that are selected by
/// labels, which are not known here, means all of them: too careful rather than wrong.
pub(super) fn bound(pod: &Pod) -> Ties {
    let named = named(pod);
    let term = |term: &PodAffinityTerm| read_term(term, &named, Some(Namespaces::All)).ok();
    let apart = pod.spec.iter().flat_map(anti_affinity).filter_map(term).collect();
    Ties { apart, ..named }
}

/// Of a pod that waits.
pub(super) fn pending(pod: &Pod) -> Ties {
    let Some(spec) = &pod.spec else { return named(pod) };
    match demands(&named(pod), spec) {
        Ok(demanding) => Ties { unplannable: foreign_demand(spec).is_some(), ..demanding },
        Err(Inexpressible) => Ties { unplannable: true, ..bound(pod) },
    }
}

fn named(pod: &Pod) -> Ties {
    Ties {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        labels: pod.metadata.labels.clone().unwrap_or_default(),
        ..Ties::default()
    }
}

fn demands(named: &Ties, spec: &PodSpec) -> Result<Ties, Inexpressible> {
    let affinity = spec.affinity.as_ref();
    let beside = affinity.and_then(|affinity| affinity.pod_affinity.as_ref()).into_iter();
    let beside = beside.flat_map(|a| a.required_during_scheduling_ignored_during_execution.iter().flatten());
    let apart = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref()).into_iter();
    let rather = apart.flat_map(|a| a.preferred_during_scheduling_ignored_during_execution.iter().flatten());
    let term = |term: &PodAffinityTerm| read_term(term, named, None);
    let rather_apart = rather.filter_map(|weighted| {
        let weight = u32::try_from(weighted.weight).ok().filter(|weight| *weight > 0)?;
        // A wish that can not be read is not granted.
        Some((weight, term(&weighted.pod_affinity_term).ok()?))
    });
    Ok(Ties {
        apart: anti_affinity(spec).map(term).collect::<Result<_, _>>()?,
        beside: beside.map(term).collect::<Result<_, _>>()?,
        rather_apart: rather_apart.collect(),
        spread: spreads(named, spec)?,
        ..named.clone()
    })
}

fn anti_affinity(spec: &PodSpec) -> impl Iterator<Item = &PodAffinityTerm> {
    let apart = spec.affinity.as_ref().and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    apart.into_iter().flat_map(|a| a.required_during_scheduling_ignored_during_execution.iter().flatten())
}

/// `selected`: the namespaces that a namespace selector other than the empty one stands for.
fn read_term(term: &PodAffinityTerm, pod: &Ties, selected: Option<Namespaces>) -> Result<Term, Inexpressible> {
    let namespaces = match &term.namespace_selector {
        Some(selector) if is_empty(selector) => Namespaces::All,
        Some(_) => selected.ok_or(Inexpressible)?,
        None => Namespaces::Listed(listed(term.namespaces.as_deref().unwrap_or_default(), &pod.namespace)),
    };
    let mut further = of_labels(term.match_label_keys.as_deref(), "In", &pod.labels)?;
    further.extend(of_labels(term.mismatch_label_keys.as_deref(), "NotIn", &pod.labels)?);
    let selector = term.label_selector.as_ref().map(|selector| Selector::read(selector, further)).transpose()?;
    Ok(Term { topology: term.topology_key.clone(), selector, namespaces })
}

fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(Labels::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

fn listed(names: &[String], own: &str) -> Vec<String> {
    let mut names = if names.is_empty() { vec![own.to_owned()] } else { names.to_vec() };
    names.sort_unstable();
    names.dedup();
    names
}

/// Keys that stand for the pod's own values; a key that it has no label for says nothing.
fn of_labels(keys: Option<&[String]>, operator: &str, labels: &Labels) -> Result<Vec<Requirement>, SelectorError> {
    let known = keys.unwrap_or_default().iter().filter_map(|key| Some((key, labels.get(key)?)));
    known.map(|(key, value)| Requirement::new(key, operator, std::slice::from_ref(value))).collect()
}

fn spreads(pod: &Ties, spec: &PodSpec) -> Result<Vec<Spread>, Inexpressible> {
    let written = || spec.topology_spread_constraints.iter().flatten();
    let keys = |hard: bool| {
        let keys = written().filter(|written| is_hard(written) == hard).map(|written| written.topology_key.clone());
        let mut keys: Vec<String> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    };
    written().map(|written| read_spread(written, pod, spec, keys(is_hard(written)))).collect()
}

fn is_hard(spread: &TopologySpreadConstraint) -> bool {
    spread.when_unsatisfiable == "DoNotSchedule"
}

fn read_spread(
    spread: &TopologySpreadConstraint,
    pod: &Ties,
    spec: &PodSpec,
    keys: Vec<String>,
) -> Result<Spread, Inexpressible> {
    let honours = |policy: &Option<String>, default: &str| policy.as_deref().unwrap_or(default) == "Honor";
    let reach = Reach {
        keys,
        affinity: honours(&spread.node_affinity_policy, "Honor").then(|| NodeAffinity::of(spec)),
        tolerations: honours(&spread.node_taints_policy, "Ignore").then(|| read_tolerations(spec.tolerations.as_ref())),
    };
    let further = of_labels(spread.match_label_keys.as_deref(), "In", &pod.labels)?;
    Ok(Spread {
        topology: spread.topology_key.clone(),
        skew: u32::try_from(spread.max_skew).ok().filter(|skew| *skew > 0).ok_or(Inexpressible)?,
        hard: is_hard(spread),
        min_domains: spread.min_domains.and_then(|least| u32::try_from(least).ok()).unwrap_or(1),
        reach,
        selector: spread.label_selector.as_ref().map(|selector| Selector::read(selector, further)).transpose()?,
        namespace: pod.namespace.clone(),
    })
}

/// What a pod needs that only kube-scheduler looks after, the first of several: a volume that is bound to nodes or zones
/// or can be attached once, or a device by claim.
#[must_use]
pub fn foreign_demand(spec: &PodSpec) -> Option<&'static str> {
    let of_volume = |volume: &Volume| match volume {
        Volume { persistent_volume_claim: Some(_), .. } => Some("persistent volume claim"),
        Volume { ephemeral: Some(_), .. } => Some("ephemeral volume"),
        Volume { gce_persistent_disk: Some(_), .. }
        | Volume { aws_elastic_block_store: Some(_), .. }
        | Volume { azure_disk: Some(_), .. }
        | Volume { iscsi: Some(_), .. }
        | Volume { rbd: Some(_), .. } => Some("attached disk"),
        _ => None,
    };
    let has_claims = spec.resource_claims.iter().flatten().next().is_some();
    spec.volumes.iter().flatten().find_map(of_volume).or_else(|| has_claims.then_some("resource claim"))
}

#[cfg(test)]
mod tests;
