use super::*;

#[test]
fn a_sequence_is_one_step_after_the_other() {
    let mut plan = Plan::sequence(["a", "b", "c"]);
    for node in ["a", "b", "c"] {
        assert_eq!(plan.ready().collect::<Vec<_>>(), [&node]);
        plan.begin(&node);
        assert_eq!(plan.ready().count(), 0, "the next step waits for it");
        assert_eq!(plan.begun().collect::<Vec<_>>(), [&node]);
        plan.finish(&node);
    }
    assert_eq!((plan.ready().count(), plan.begun().count()), (0, 0));
}

#[test]
fn independent_steps_are_begun_all_at_once_and_in_order() {
    let mut plan = Plan::independent(["b", "a", "c"]);
    assert_eq!(plan.begin_ready(), ["b", "a", "c"]);
    assert!(plan.begin_ready().is_empty(), "they have been begun");
    let mut chain = Plan::sequence(["a", "b"]);
    assert_eq!(chain.begin_ready(), ["a"]);
    chain.finish(&"a");
    assert_eq!(chain.begin_ready(), ["b"]);
}

#[test]
fn ranks_decide_where_dependencies_do_not() {
    // d comes after a although its rank is higher; c waits for both because it could be begun with them.
    let mut plan = Plan::ranked([("a", vec![], 5), ("b", vec![], 5), ("c", vec![], 1), ("d", vec![0], 9)]);
    assert_eq!(plan.begin_ready(), ["a", "b"]);
    assert!(plan.begin_ready().is_empty());
    plan.finish(&"a");
    assert_eq!(plan.begin_ready(), ["d"]);
    plan.finish(&"b");
    assert!(plan.begin_ready().is_empty(), "d is of a higher rank and not done");
    plan.finish(&"d");
    assert_eq!(plan.begin_ready(), ["c"]);
    assert!(!plan.is_done());
    plan.finish(&"c");
    assert!(plan.is_done());
}

#[test]
fn branches_that_do_not_depend_on_each_other_are_begun_together() {
    let mut plan = Plan::ranked([("a", vec![], 0), ("b", vec![0], 0), ("c", vec![], 0), ("d", vec![1, 2], 0)]);
    assert_eq!(plan.begin_ready(), ["a", "c"]);
    plan.finish(&"a");
    assert_eq!(plan.begin_ready(), ["b"], "it does not wait for the other branch");
    plan.finish(&"b");
    assert!(plan.begin_ready().is_empty());
    plan.finish(&"c");
    assert_eq!(plan.begin_ready(), ["d"]);
}
