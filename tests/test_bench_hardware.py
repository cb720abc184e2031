from __future__ import annotations

import json
import os

import pytest

from bench.doctor import doctor
from bench.hardware import choose_cores, code, machine, siblings, versions
from bench.meter import Meter, peak_memory_bytes, reset_peak_memory
from data.errors import InputError


def test_the_record_of_the_machine_can_be_kept_as_json():
    facts = json.loads(json.dumps(machine()))
    assert facts["cpu"] and facts["memory_bytes"] > 1e8 and facts["usable_cores"] >= 1
    assert facts["clock_resolution_seconds"] > 0


def test_versions_name_what_is_there_and_what_is_not():
    found = versions(["numpy", "no-such-package-anywhere"])
    assert found["numpy"].startswith("1.")
    assert found["no-such-package-anywhere"] == "not installed"


def test_the_code_is_named_by_its_commit():
    found = code()
    assert set(found) == {"commit", "dirty"}
    assert found["dirty"] in ("yes", "no", "not available")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not pin")
def test_recogniser_and_load_get_different_cores_where_there_are_two():
    usable = sorted(os.sched_getaffinity(0))
    cores = choose_cores()
    assert cores.recogniser in usable and cores.load in usable
    assert (cores.shared == "yes") == (len(usable) == 1)
    assert (cores.shared == "siblings") == (
        cores.load != cores.recogniser and cores.load in siblings(cores.recogniser)
    )
    assert choose_cores(usable[0], usable[0]).shared == "yes"
    with pytest.raises(InputError, match="core 4095"):
        choose_cores(4095)


def test_the_peak_is_of_now_and_not_of_before():
    big = bytearray(200_000_000)
    big[::4096] = b"x" * len(big[::4096])
    with_it = peak_memory_bytes()
    del big
    if reset_peak_memory():
        assert peak_memory_bytes() < with_it - 100_000_000
    assert with_it > 200_000_000


def test_a_meter_counts_processor_time_and_says_what_it_cannot():
    meter = Meter()
    meter.start()
    sum(i * i for i in range(300_000))
    assert meter.cpu_seconds() > 0
    energy = meter.energy_joules()
    assert energy == "not available" or energy >= 0


def test_the_doctor_finds_something_on_every_subject(monkeypatch, tmp_path):
    monkeypatch.setenv("ASRBENCH_CORPORA", str(tmp_path / "nowhere"))
    findings = {finding.subject: finding for finding in doctor()}
    assert findings["machine"].status == "can"
    assert findings["packages"].status == "can"
    assert findings["real corpora"].status == "cannot" and "nowhere" in findings["real corpora"].detail
    assert {"pipeline null", "pipeline hybrid", "GPU", "a core of its own", "clock"} <= set(findings)
    assert all("\n" not in finding.detail for finding in findings.values())
