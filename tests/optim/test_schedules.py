"""The schedule that the configs call."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS

from lcr_mmaction.optim.schedules import warmup_cosine

STEPS = 10  # an epoch


def rates(schedule: list[dict], epochs: int) -> list[float]:
    """The rate of every iteration, of a peak of 1, as MMEngine's runner makes it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    steppers = []
    for part in schedule:
        settings = dict(part, optimizer=optimizer)
        cls = PARAM_SCHEDULERS.get(settings.pop("type"))
        if settings.pop("convert_to_iter_based", False):
            steppers.append(cls.build_iter_from_epoch(epoch_length=STEPS, **settings))
        else:
            steppers.append(cls(**settings))
    seen = []
    for _ in range(epochs * STEPS):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for stepper in steppers:
            stepper.step()
    return seen


def test_the_rate_rises_in_the_warm_up_and_falls_to_a_hundredth():
    seen = rates(warmup_cosine(6, warmup_epochs=2), epochs=6)
    peak = seen.index(max(seen))
    assert seen[0] == pytest.approx(0.01) and seen[peak] == pytest.approx(1.0, abs=0.01)
    assert abs(peak - 2 * STEPS) <= 1
    assert seen[:peak] == sorted(seen[:peak])
    assert seen[peak:] == sorted(seen[peak:], reverse=True)
    assert seen[-1] == pytest.approx(0.01, abs=0.005)


def test_a_warm_up_of_iterations_runs_inside_the_decay():
    seen = rates(warmup_cosine(4, warmup_steps=5), epochs=4)
    assert seen[0] == pytest.approx(0.01)
    assert seen.index(max(seen)) in (4, 5, 6) and 0.9 < max(seen) < 1
    assert seen[-1] < 0.02


@pytest.mark.parametrize("lengths", [{}, dict(warmup_epochs=1, warmup_steps=5)])
def test_one_length_of_warm_up_is_given(lengths):
    with pytest.raises(ValueError, match="warmup_epochs or warmup_steps"):
        warmup_cosine(4, **lengths)
