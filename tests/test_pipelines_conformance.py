from __future__ import annotations

import pytest
from load_recognisers import (
    CountingPipeline,
    ForgetfulPipeline,
    FragilePipeline,
    NotAPipeline,
    OfflineOnlyPipeline,
    UnloadablePipeline,
)

from pipelines.conformance import check


def status(findings):
    return {finding.check: finding.status for finding in findings}


def test_a_recogniser_that_depends_on_every_sample_and_their_order_passes():
    findings = check(CountingPipeline)
    assert {finding.status for finding in findings if "NaN" not in finding.check} == {"pass"}


def test_an_instance_may_be_handed_in():
    assert {finding.status for finding in check(CountingPipeline())} == {"pass"}


def test_one_that_does_not_stream_is_not_asked_to():
    found = status(check(OfflineOnlyPipeline))
    assert found["streams"] == "skip" and "fail" not in found.values()


def test_broken_promises_are_named():
    found = {finding.check: finding for finding in check(ForgetfulPipeline)}
    order = found["keeps the order of a batch, and its results do not depend on the batch"]
    assert order.status == "fail" and "order" in order.detail
    assert found["keeps sessions apart"].status == "fail"
    assert found["says that a session is over"].status == "fail"
    assert found["is deterministic"].status == "pass"


def test_a_clear_refusal_is_no_fault():
    assert "fail" not in status(check(FragilePipeline)).values()


@pytest.mark.parametrize(
    ("pipeline", "last", "words"),
    [
        (NotAPipeline, "has the methods of a pipeline", "lacks"),
        (UnloadablePipeline, "loads", "the model is not there"),
    ],
)
def test_what_cannot_even_be_loaded_ends_the_list(pipeline, last, words):
    findings = check(pipeline)
    assert (findings[-1].check, findings[-1].status) == (last, "fail")
    assert words in findings[-1].detail
