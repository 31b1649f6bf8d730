"""The real loop under clocks that a story moves: whatever happens, every slot is run once that has to be, and no other.

Hypothesis draws stories (some weeks long) and shrinks one that goes wrong to the few events that matter; a model says
what has to happen at every instant. Continuous integration plays the same stories each time. A long run plays others:

    CPIMPORTD_SIMULATION_STORIES=20000 pytest tests/simulation/test_simulation_stories.py
"""

import os

from hypothesis import HealthCheck, Phase, given, settings

from tests.support.simulation.drawing import stories
from tests.support.simulation.stories import Story, play

LONG = os.environ.get("CPIMPORTD_SIMULATION_STORIES")


@settings(
    max_examples=int(LONG or 120),
    derandomize=LONG is None,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(stories)
def test_every_slot_is_run_once_that_has_to_be_and_no_other(story: Story):
    play(story)
