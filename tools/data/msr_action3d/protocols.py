"""Who is trained on and who is tested on: the list files of MSR-Action3D."""

from __future__ import annotations

from typing import NamedTuple

PEOPLE = tuple(range(1, 11))
# In the order of the data set's numbers a01 ... a20.
ACTIONS = (
    "high arm wave",
    "horizontal arm wave",
    "hammer",
    "hand catch",
    "forward punch",
    "high throw",
    "draw x",
    "draw tick",
    "draw circle",
    "hand clap",
    "two hand wave",
    "side boxing",
    "bend",
    "forward kick",
    "side kick",
    "jogging",
    "tennis swing",
    "tennis serve",
    "golf swing",
    "pickup and throw",
)


class Clip(NamedTuple):
    """Which clip of the data set: the numbers of `aXX_sYY_eZZ`.

    Attributes:
        action: 1 to 20; the label is one less.
        person: 1 to 10.
        take: 1 to 3.
    """

    action: int
    person: int
    take: int

    @property
    def name(self) -> str:
        """Folder of the clip's frames."""
        return f"a{self.action:02}_s{self.person:02}_e{self.take:02}"


def splits() -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return `{name: (people to train on, people to test on)}`.

    - `a`: cross-subject as in Li, Zhang and Liu's "AS" tests on all actions at once,
      odd numbers against even ones;
    - `b`: the first five people against the others;
    - `a_fold1`, `a_fold3`, ...: the training people of `a` without one, to make choices
      on; no test person is in them;
    - `a_choose`: two of them against three, in one run: where the recipe was chosen;
    - `without1` ... `without10`: leave one person out.
    """
    odd = PEOPLE[::2]
    result = {"a": (odd, PEOPLE[1::2]), "b": (PEOPLE[:5], PEOPLE[5:])}
    result["a_choose"] = ((1, 3, 7), (5, 9))
    for name, people in (("a_fold", odd), ("without", PEOPLE)):
        for left_out in people:
            rest = tuple(person for person in people if person != left_out)
            result[f"{name}{left_out}"] = (rest, (left_out,))
    return result
