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
