use proptest::prelude::*;

use super::*;

/// Nodes, and edges from a node to a later one in a random order.
fn graph() -> impl Strategy<Value = (Vec<u32>, Vec<(usize, usize)>)> {
    (1..12_usize).prop_flat_map(|count| {
        let arrangement = Just((0..count).collect::<Vec<usize>>()).prop_shuffle();
        let pairs = prop::collection::vec((0..count, 0..count), 0..20);
        (arrangement, pairs).prop_map(move |(arrangement, pairs)| {
            let ordered = pairs.into_iter().filter(|(one, other)| one != other);
            let edges = ordered.map(|(one, other)| (arrangement[one.min(other)], arrangement[one.max(other)]));
            ((0..count as u32).map(|node| node * 10).collect(), edges.collect())
        })
    })
}

proptest! {
    #[test]
    fn each_step_is_begun_once_after_its_dependencies(
        (nodes, edges) in graph(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 100),
    ) {
        let mut plan = Plan::new(nodes.clone(), &edges).unwrap();
        let (mut begun, mut done): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for choice in choices {
            let ready: Vec<u32> = plan.ready().copied().collect();
            prop_assert!(ready.is_sorted(), "those that are ready keep their order");
            for (earlier, later) in &edges {
                let is_open = !ready.contains(&nodes[*later]) || done.contains(&nodes[*earlier]);
                prop_assert!(is_open, "{later} before {earlier}");
            }
            let under_way: Vec<u32> = plan.begun().copied().collect();
            prop_assert_eq!(under_way.len(), begun.len() - done.len());
            // Begin a ready step, or finish one in progress.
            match choice.index(ready.len() + under_way.len() + 1) {
                index if index < ready.len() => {
                    prop_assert!(!begun.contains(&ready[index]), "begun twice");
                    plan.begin(&ready[index]);
                    begun.push(ready[index]);
                }
                index if index < ready.len() + under_way.len() => {
                    let node = under_way[index - ready.len()];
                    plan.finish(&node);
                    done.push(node);
                }
                _ => {}
            }
        }
        // From any point, the plan can be completed.
        while !plan.is_done() {
            let next: Vec<u32> = plan.begun().chain(plan.ready()).copied().collect();
            prop_assert!(!next.is_empty(), "it stands still");
            next.iter().for_each(|node| plan.finish(node));
        }
    }

    #[test]
    fn a_cycle_is_found_and_shown((nodes, mut edges) in graph(), length in 1..6_usize) {
        prop_assert!(Plan::new(nodes.clone(), &edges).is_ok());
        let circle: Vec<usize> = (0..nodes.len().min(length)).collect();
        edges.extend(circle.iter().zip(circle.iter().cycle().skip(1)).map(|(earlier, later)| (*earlier, *later)));
        let cycle = Plan::new(nodes.clone(), &edges).unwrap_err();
        let position = |node: &u32| nodes.iter().position(|known| known == node).unwrap();
        for (earlier, later) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
            prop_assert!(edges.contains(&(position(earlier), position(later))), "{earlier} is not before {later}");
        }
    }
}

#[test]
fn a_sequence_is_one_step_after_the_other() {
    let mut plan = Plan::sequence(["a", "b", "c"]);
    let chain = Plan::new(vec!["a", "b", "c"], &[(0, 1), (1, 2)]).unwrap();
    assert_eq!(plan, chain);
    for node in ["a", "b", "c"] {
        assert_eq!(plan.ready().collect::<Vec<_>>(), [&node]);
        plan.begin(&node);
        assert_eq!((plan.ready().count(), plan.begun().count()), (0, 1));
        plan.finish(&node);
    }
    assert!(plan.is_done());
    assert!(Plan::<u32>::sequence([]).is_done());
}

#[test]
fn independent_steps_are_begun_all_at_once_and_in_order() {
    let mut plan = Plan::independent(["b", "a", "c"]);
    assert_eq!(plan, Plan::new(vec!["b", "a", "c"], &[]).unwrap());
    assert_eq!(plan.begin_ready(), ["b", "a", "c"]);
    assert!(plan.begin_ready().is_empty(), "they have been begun");
    let mut chain = Plan::sequence(["a", "b"]);
    assert_eq!(chain.begin_ready(), ["a"]);
    chain.finish(&"a");
    assert_eq!(chain.begin_ready(), ["b"]);
}
