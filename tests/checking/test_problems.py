"""Problems of a mask: counted, the worst first, few shown."""

import numpy as np

from distilpose_keras.checking.problems import EXAMPLES, Example, problem_of


def example(n):
    return Example(f"case {n}")


def test_the_worst_cases_come_first():
    bad, worst = np.array([True, False, True, True]), [1.0, 9.0, 3.0, 3.0]
    problem = problem_of("bad", "val", bad, example, serious=True, worst=worst)
    assert problem.to_dict() == {
        "kind": "bad",
        "split": "val",
        "count": 3,
        "of": 4,
        "serious": True,
        "examples": ["case 2", "case 3", "case 0"],
    }


def test_all_are_counted_and_few_are_shown():
    problem = problem_of("bad", "val", np.ones(EXAMPLES + 5), example, serious=False)
    assert (problem.count, len(problem.examples)) == (EXAMPLES + 5, EXAMPLES)
    assert problem.examples[0].text == "case 0"


def test_nothing_wrong_is_no_problem():
    assert problem_of("bad", "val", np.zeros(3, bool), example, serious=True) is None
