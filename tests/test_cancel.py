"""Giving up: who is told, once, and in whose thread it is in force."""

from __future__ import annotations

import threading

from rag.cancel import Cancellation, cancellation


def test_giving_up_calls_each_callback_once_and_late_ones_at_once() -> None:
    asker = Cancellation()
    told: list[str] = []
    with asker.calling(lambda: told.append("early")):
        assert not asker.given_up
        asker.give_up()
        asker.give_up()
    with asker.calling(lambda: told.append("late")):
        pass
    assert told == ["early", "late"]


def test_a_callback_whose_work_is_done_is_not_called() -> None:
    asker = Cancellation()
    told: list[str] = []
    with asker.calling(lambda: told.append("done")):
        pass
    asker.give_up()
    assert told == []


def test_it_is_in_force_inside_and_in_its_own_thread_alone() -> None:
    asker = Cancellation()
    asker.give_up()
    elsewhere: list[bool] = []
    with asker.in_force():
        assert cancellation() is asker
        other = threading.Thread(target=lambda: elsewhere.append(cancellation().given_up))
        other.start()
        other.join()
    assert elsewhere == [False]
    assert not cancellation().given_up


def test_a_rest_ends_when_nobody_waits_any_more() -> None:
    asker = Cancellation()
    resting = threading.Thread(target=asker.rest, args=(600,))
    resting.start()
    asker.give_up()
    resting.join(20)
    assert not resting.is_alive()
