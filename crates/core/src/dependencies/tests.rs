use supervisord_config::dependency::DependencyCondition::{self, Ready, Started};

use super::*;

/// Processes by number, each with the numbers of those that it depends on.
fn graph(edges: &[&[u32]]) -> (DependencyGraph<u32>, Vec<(String, String)>) {
    let need = |number: &u32| Need {
        group: number.to_string().into(),
        process: Some(number.to_string().into()),
        condition: Ready,
        members: [*number].into(),
    };
    let processes = edges.iter().enumerate().map(|(number, edges)| Dependent {
        id: number as u32,
        group: number.to_string().into(),
        name: number.to_string().into(),
        needs: edges.iter().map(need).collect(),
    });
    DependencyGraph::new(processes.collect())
}

#[test]
fn what_depends_on_nothing_is_not_in_it() {
    assert!(graph(&[&[], &[]]).0.is_empty());
    let (graph, left_out) = graph(&[&[], &[0], &[], &[1]]);
    assert_eq!((graph.nodes.len(), left_out.len()), (3, 0));
    assert_eq!((graph.dependents(0), graph.dependents(2)), (&[1][..], &[][..]));
    assert_eq!(graph.with_dependents(vec![0]), [0, 1, 3]);
    assert_eq!(graph.with_dependents(vec![3, 1]), [3, 1], "each once");
}

#[test]
fn an_edge_that_closes_a_circle_is_left_out() {
    let (graph, left_out) = graph(&[&[1], &[2], &[0], &[3]]);
    let names = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(left_out, [names("2", "0"), names("3", "3")]);
    assert_eq!((graph.needs(2).len(), graph.needs(3).len()), (0, 0));
    assert_eq!(graph.in_order(vec![0, 1, 2]), [2, 1, 0]);
}

#[test]
fn an_order_changes_no_more_than_it_has_to() {
    let (graph, _) = graph(&[&[2], &[], &[], &[4], &[0]]);
    assert_eq!(graph.in_order(vec![0, 1, 2, 3, 4]), [2, 0, 1, 4, 3]);
    // What is not among them stands between them all the same.
    assert_eq!(graph.in_order(vec![3, 1, 2]), [2, 3, 1]);
    assert_eq!(graph.dependents_among(&[2, 3, 1]), [vec![1], vec![], vec![]]);
}

#[test]
fn a_description_says_what_is_awaited_and_what_is_the_matter() {
    let awaited =
        |process: Option<&str>, condition: DependencyCondition, cause: Option<HindranceCause>| AwaitedDependency {
            group: "g".into(),
            process: process.map(Into::into),
            condition,
            hindrance: cause.map(|cause| Hindrance { name: "g:p".to_owned(), cause }),
        };
    let all = [
        awaited(None, Ready, None),
        awaited(Some("g"), Started, Some(HindranceCause::Is(ProcessState::Fatal))),
        awaited(Some("p"), DependencyCondition::ExitedOk, Some(HindranceCause::Exited(3))),
        awaited(Some("p"), DependencyCondition::ExitedOk, Some(HindranceCause::Exited(-1))),
        awaited(Some("p"), DependencyCondition::Exited, Some(HindranceCause::Inactive)),
        awaited(Some("p"), DependencyCondition::Running, Some(HindranceCause::Waits)),
    ];
    assert_eq!(
        waiting_for(&all),
        "waiting for g:* to be ready, g to be started (g:p is FATAL), g:p to exit successfully (g:p exited with status 3), \
         g:p to exit successfully (g:p was terminated by a signal), g:p to exit (g:p is not active), \
         g:p to be running (g:p waits in vain)"
    );
}

#[test]
fn each_node_stands_behind_what_it_leads_to_and_circles_are_told() {
    let targets = |node: u32| match node {
        0 => vec![1, 2],
        1 => vec![3],
        2 => vec![3, 0],
        _ => Vec::new(),
    };
    let mut circles = Vec::new();
    assert_eq!(post_order([4, 0, 1], targets, |from, to| circles.push((from, to))), [4, 3, 1, 2, 0]);
    assert_eq!(circles, [(2, 0)]);
}
