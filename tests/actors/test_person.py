"""People: named or drawn, always the same, and different from one another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.actors.hair import STYLES
from likeness.actors.person import CAST, IDENTITY_MODES, Person
from likeness.errors import SettingsError


def test_the_cast_is_large_and_varied() -> None:
    assert len({person.name for person in CAST}) == len(CAST) >= 14
    assert len({person.hair.style for person in CAST}) >= 10
    melanin = [person.skin.melanin for person in CAST]
    assert min(melanin) < 0.2
    assert max(melanin) > 1.0
    femininity = np.array([person.identity[0] for person in CAST])
    assert (femininity > 0.5).sum() >= 5
    assert (femininity < -0.5).sum() >= 5


def test_no_two_cast_members_have_near_identities() -> None:
    identities = np.array([person.identity for person in CAST])
    distance = np.linalg.norm(identities[:, None] - identities[None], axis=2)
    assert distance[~np.eye(len(CAST), dtype=bool)].min() > 4  # random pairs lie about 9 apart


def test_names_are_found_in_any_case_and_strangers_refused() -> None:
    assert Person.named("bruno") is Person.named("Bruno")
    with pytest.raises(SettingsError, match="Choose one of: Ada"):
        Person.named("Nobody")


@given(st.integers(0, 2**31))
def test_a_seed_gives_one_believable_person(seed: int) -> None:
    person = Person.from_seed(seed)
    assert person == Person.from_seed(seed)
    assert person.hair.style in STYLES
    assert len(person.identity) == IDENTITY_MODES
    assert np.abs(person.identity).max() <= 2.2
    assert 0.05 <= person.skin.melanin <= 1.3
    assert person.beard.style == "none" or person.identity[0] < 0


def test_details_are_repeatable_and_independent() -> None:
    person = Person.named("Ada")
    assert person.rng("hair").random() == person.rng("hair").random()
    assert person.rng("hair").random() != person.rng("brows").random()
